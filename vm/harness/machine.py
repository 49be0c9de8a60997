# SPDX-License-Identifier: MIT
"""One boot of the VM: the device programs, QEMU, and the wires between."""
import fcntl
import functools
import os
import selectors
import shlex
import signal
import socket
import sys
import time

from . import clock, processes
from .initramfs import Error
from .monitor import Monitor
from .waker import Waker

# The exit status of a device that was told to die
DIED = 3

# Messages on the status port, as guest/init writes them.
BEGAN, EXIT, ERROR, TAINTED = "began", "exit", "error", "tainted"

# What is on the kernel's command line: a quiet boot, no time lost on clock
# calibration and CPU bugs that an emulated CPU has not, and an end at the
# first oops, which the runner then sees.
APPEND = ("console=ttyS0 loglevel=5 tsc=reliable no_timer_check "
          "mitigations=off random.trust_cpu=on panic=-1 oops=panic "
          "cryptomgr.notests rdinit=/init "
          # 256 of them take as long as all else that boots, where it is slow
          "pty.legacy_count=0")


class Wire:
    """The runner's end of a character device of QEMU's."""

    def __init__(self, name):
        self.name = name
        self.socket, self.other = socket.socketpair()
        self.socket.setblocking(False)
        self.data = bytearray()

    def option(self):
        """The -chardev option that plugs it in."""
        return f"socket,id={self.name},fd={self.other.fileno()}"


class Console:
    """The runner's end of a console, as a wire. QEMU drops what a guest writes there
    while nobody takes it, and the guest's driver writes 16 bytes at a time, each of which
    would fill as much of a socket as a packet: some KiB at once were too much. A pipe
    takes a MiB."""

    SIZE = 1 << 20
    other = None

    def __init__(self, name, folder):
        self.name = name
        self.path = os.path.join(folder, name)
        self.data = bytearray()
        self.socket = self
        self.ends = []
        for end, flags in (("out", os.O_NONBLOCK), ("in", 0)):
            os.mkfifo(f"{self.path}.{end}", 0o600)
            # Both ways, so as not to wait for QEMU
            self.ends.append(os.open(f"{self.path}.{end}", os.O_RDWR | os.O_CLOEXEC | flags))
        fcntl.fcntl(self.ends[0], fcntl.F_SETPIPE_SZ, self.SIZE)

    def option(self):
        """The -chardev option that plugs it in."""
        return f"pipe,id={self.name},path={self.path}"

    def fileno(self):
        return self.ends[0]

    def recv(self, size):
        return os.read(self.ends[0], size)

    def sendall(self, data):
        while data:
            data = data[os.write(self.ends[1], data):]

    def setblocking(self, _):
        """What goes in waits anyway."""

    def close(self):
        while self.ends:
            os.close(self.ends.pop())


class Ended(Exception):
    """The runner was asked to end."""


class Machine:
    """Runs the VM once. After run(): status, taint, began, timed_out, and
    the kernel's log in kernel_log."""

    def __init__(self, options, folder, kernel, initrd, accel):
        self.options = options
        self.folder = folder
        self.kernel = kernel
        self.initrd = initrd
        self.accel = accel
        self.children = []
        self.began = self.timed_out = False
        self.status = self.failure = None
        self.taint = 0
        self.on_output = None
        self.on_kernel = None
        self.input_fd = None
        self.quit_byte = None
        self.serial = Wire("serial")
        self.state = Wire("state")
        self.output = Console("output", folder) if options.console else Wire("output")
        self.input = None
        wanted = getattr(options, "coverage", None)
        self.coverage = Wire("coverage") if wanted else None
        self.monitor = None
        if getattr(options, "monitor", False):
            self.monitor = Monitor(Wire("monitor"), Wire("monitor-port"))
        self.ram_fd = -1
        self.selector = None
        self.waker = Waker(Wire("waker"))

    @property
    def kernel_log(self):
        """The kernel's log so far."""
        return self.serial.data.decode("utf-8", "replace").replace("\r", "")

    # ------------------------------------------------------------- start --

    def _start_device(self, i):
        """Starts a device program; returns the paths of its sockets."""
        o = self.options
        sock = os.path.join(self.folder, f"device{i}")
        control = os.path.join(self.folder, f"control{i}")
        device = [o.device, "--socket", sock, "--control", control,
                  "--ram", f"/proc/self/fd/{self.ram_fd}",
                  "--ram-size", f"{o.mem}M",
                  "--lowmem", f"{min(o.mem, o.lowmem)}M"]
        if o.monitor:
            device.append("--persist")
        for name in ("chip", "vram", "visible", "gtt"):
            value = getattr(o, name)
            if value is not None:
                device += ["--" + name, value]
        child = processes.Child("the device", device, os.path.join(
            self.folder, f"device{i}.messages"), (self.ram_fd,))
        child.card = i
        self.children.append(child)
        return child, sock, control

    def _start_devices(self):
        """Starts the device programs; returns QEMU's options for them."""
        o, argv = self.options, []
        for i in range(0 if o.no_device else o.devices):
            child, sock, control = self._start_device(i)
            for path in (sock, control):
                if not processes.wait_for_path(path, child, 20):
                    raise Error("the device did not start: it "
                                + child.ended_how() + "\n"
                                + "\n".join(child.said()))
            port = "org.pddgpu.control" + (f".{i}" if i else "")
            card, again = f"ivshmem-doorbell,vectors=4,chardev=card{i}", ""
            if o.monitor:
                # Room for a memory BAR of 256 MiB is found when the VM boots
                argv += ["-device", f"pcie-root-port,id=slot{i},chassis={i + 1},"
                         "pref64-reserve=1G"]
                card += f",id=card{i},bus=slot{i}"
            if o.restart_device:
                again = ",reconnect=1"
            argv += ["-chardev", f"socket,id=card{i},path={sock}",
                     "-device", card,
                     "-chardev", f"socket,id=control{i},path={control}{again}",
                     "-device", f"virtserialport,chardev=control{i},name={port}"]
        return argv

    def _wires(self):
        monitor = (self.monitor.qemu, self.monitor.guest) if self.monitor \
            else ()
        return [wire for wire in (self.serial, self.state, self.output,
                                  self.input, self.coverage, self.waker.wire,
                                  *monitor) if wire]

    def _port(self, wire, name, kind="virtserialport"):
        return ["-chardev", wire.option(), "-device",
                f"{kind},chardev={wire.name},name=org.pddgpu.{name}"]

    def _command(self, ram_fd):
        o = self.options
        if self.accel == "kvm":
            accel = ["-accel", "kvm", "-cpu", "host"]
        else:
            # Without string instructions said to be fast, which TCG does byte
            # by byte: the kernel then clears and copies with plain stores
            accel = ["-accel", f"tcg,thread={self.accel}", "-cpu",
                     "max,erms=off,fsrm=off,la57=off"]
        # What the kernel does not know is in the environment of the first
        # process, and so of the tests
        words = [APPEND]
        khz = clock.tsc_khz() if self.accel != "kvm" else None
        if khz:
            words.append(f"tsc_early_khz={khz}")
        if o.monitor:
            words.append(f"VM_SOCKET={self.folder}/device")
        words.append(o.append)
        argv = [o.qemu, "-nodefaults", "-no-user-config", "-display", "none",
                "-no-reboot", "-name", "pddgpu", "-machine",
                f"q35,memory-backend=ram,max-ram-below-4g={o.lowmem}M",
                "-object", f"memory-backend-file,id=ram,size={o.mem}M,share=on,"
                f"mem-path=/proc/self/fd/{ram_fd}",
                "-m", str(o.mem), "-smp", str(o.smp)] + accel
        argv += ["-kernel", os.path.join(self.kernel, "vmlinuz"),
                 "-initrd", self.initrd,
                 "-append", " ".join(words).strip(),
                 "-chardev", self.serial.option(), "-serial", "chardev:serial",
                 "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
                 "-device", "virtio-serial-pci,max_ports=31"]
        argv += self.waker.options()
        argv += self._port(self.state, "status")
        if o.console:
            argv += self._port(self.output, "console", "virtconsole")
        else:
            argv += self._port(self.output, "output")
        if self.input:
            argv += self._port(self.input, "input")
        if self.coverage:
            argv += self._port(self.coverage, "coverage")
        if o.swap:
            argv += ["-drive", f"file={self.folder}/swap,if=none,id=swap,"
                     "format=raw,cache=unsafe",
                     "-device", "virtio-blk-pci,drive=swap"]
        return argv

    def _start(self):
        o = self.options
        if self.input_fd is not None and not o.console:
            self.input = Wire("input")
        if o.swap:
            with open(os.path.join(self.folder, "swap"), "wb") as f:
                f.truncate(o.swap << 20)
        # Nothing of this name is left behind, however the runner ends.
        self.ram_fd = os.memfd_create("pddgpu-guest-ram")
        monitor = self.monitor.options() if self.monitor else []
        try:
            os.ftruncate(self.ram_fd, o.mem << 20)
            devices = self._start_devices()
            wires = self._wires()
            argv = self._command(self.ram_fd) + devices + monitor \
                + shlex.split(o.qemu_args)
            try:
                self.qemu = processes.Child(
                    "QEMU", argv, os.path.join(self.folder, "qemu.messages"),
                    [self.ram_fd] + [w.other.fileno() for w in wires if w.other])
            except FileNotFoundError:
                raise Error(f"{o.qemu} is missing") from None
            self.children.append(self.qemu)
        finally:
            # A device that is started again needs it
            if not o.restart_device:
                os.close(self.ram_fd)
        for wire in wires:
            if wire.other:
                wire.other.close()

    # --------------------------------------------------------------- run --

    def run(self, seconds):
        """Boots, and returns when the guest's command has ended, the time
        is up, or QEMU or a device has died."""
        deadline = time.monotonic() + seconds
        try:
            self._start()
            self._loop(deadline)
            if self.status is not None or self.failure:
                self.qemu.wait(5)
            else:
                self.timed_out = time.monotonic() >= deadline
        finally:
            self._stop()

    def _loop(self, deadline):
        # Not epoll, which takes no files, as standard input may be
        sel = selectors.PollSelector()
        sel.register(self.serial.socket, selectors.EVENT_READ, self._on_serial)
        sel.register(self.state.socket, selectors.EVENT_READ, self._on_state)
        sel.register(self.output.socket, selectors.EVENT_READ, self._on_output)
        if self.coverage:
            sel.register(self.coverage.socket, selectors.EVENT_READ,
                         self._on_coverage)
        sel.register(self.waker.wire.socket, selectors.EVENT_READ,
                     functools.partial(self._on_wire, self.waker.wire,
                                       self.waker.received))
        if self.monitor:
            for wire, said in ((self.monitor.qemu, self.monitor.qemu_says),
                               (self.monitor.guest, self.monitor.guest_says)):
                sel.register(wire.socket, selectors.EVENT_READ,
                             functools.partial(self._on_wire, wire, said))
        sel.register(self.qemu.pidfd, selectors.EVENT_READ, None)
        if self.input_fd is not None:
            sel.register(self.input_fd, selectors.EVENT_READ, self._on_input)
        self.selector = sel
        if self.options.restart_device or not self.options.device_may_die:
            for child in self.children[:-1]:
                self._watch_device(child)
        with sel:
            while self.status is None and not self.failure:
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                for key, _ in sel.select(left):
                    if key.data is None:
                        return
                    if not key.data():
                        sel.unregister(key.fileobj)

    def _watch_device(self, child):
        self.selector.register(child.pidfd, selectors.EVENT_READ,
                               lambda: self._on_device_end(child))

    def _on_device_end(self, child):
        # Told to die or killed, it was meant to; anything else is a fault
        if self.options.restart_device and child.wait(1) \
                and child.status() in (DIED, -signal.SIGKILL):
            self._watch_device(self._start_device(child.card)[0])
            return False
        # When QEMU ends the device follows: only the other order is wrong.
        if not self.qemu.wait(0.5):
            self.failure = "the device died: it " + child.ended_how()
        return False

    def _receive(self, wire):
        try:
            return wire.socket.recv(65536)
        except BlockingIOError:
            return None
        except ConnectionError:
            return b""

    def _on_serial(self):
        data = self._receive(self.serial)
        if data:
            self.serial.data += data
            if self.on_kernel:
                self.on_kernel(data)
        return data != b""

    def _on_output(self):
        data = self._receive(self.output)
        if data and self.on_output:
            self.on_output(data)
        return data != b""

    def _on_coverage(self):
        data = self._receive(self.coverage)
        self.coverage.data += data or b""
        return data != b""

    def _on_wire(self, wire, said):
        data = self._receive(wire)
        if data:
            said(data)
        return data != b""

    def _on_state(self):
        data = self._receive(self.state)
        if data:
            self.state.data += data
            while b"\n" in self.state.data:
                line, _, rest = bytes(self.state.data).partition(b"\n")
                self.state.data[:] = rest
                self._state_line(line.decode("utf-8", "replace"))
        return data != b""

    def _state_line(self, line):
        word, _, rest = line.partition(" ")
        if word == BEGAN:
            self.began = True
        elif word == TAINTED and rest.isdigit():
            self.taint = int(rest)
        elif word == EXIT and rest.isdigit():
            self.status = int(rest) & 255
        elif word == ERROR:
            self.failure = rest
        else:
            self.failure = f"the guest said {line!r} on the status port"

    def _on_input(self):
        try:
            data = os.read(self.input_fd, 65536)
        except OSError:
            data = b""      # a terminal that has gone
        target = self.output if self.options.console else self.input
        if self.quit_byte and (not data or self.quit_byte in data):
            raise Ended     # asked to, or the terminal has gone
        if not data:
            target.socket.shutdown(socket.SHUT_WR)
            return False
        # Few bytes, and the guest reads them soon: waiting here is fine.
        target.socket.setblocking(True)
        try:
            target.socket.sendall(data)
        except OSError:
            return False
        finally:
            target.socket.setblocking(False)
        return True

    # -------------------------------------------------------------- stop --

    def _stop(self):
        """Ends QEMU, then the devices, which end by themselves when QEMU
        has gone; takes what is left in the wires."""
        qemu = getattr(self, "qemu", None)
        for child in reversed(self.children):
            # A device that ends by itself shows how: give it the time.
            persists = child is not qemu and (
                self.options.monitor or self.options.restart_device)
            if child is not qemu and qemu and not persists \
                    and sys.exc_info()[0] is None:
                child.wait(5)
            if child.status() is None and child is not qemu and qemu \
                    and not persists:
                self.failure = self.failure or \
                    "the device did not end when QEMU had ended"
            child.stop()
            if child.status() and child is not qemu and \
                    not self.options.device_may_die:
                self.failure = self.failure or \
                    f"the device failed: it {child.ended_how()}"
        if self.options.restart_device and self.ram_fd >= 0:
            os.close(self.ram_fd)
        handlers = [self._on_serial, self._on_output, self._on_state]
        if self.coverage:
            handlers.append(self._on_coverage)
        for handler in handlers:
            for _ in range(1000):
                if not handler():
                    break
        for wire in self._wires():
            wire.socket.close()
        if self.monitor:
            self.monitor.close()
