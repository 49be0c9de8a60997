# SPDX-License-Identifier: MIT
"""QEMU's monitor for the guest, by way of the runner, which mends a fault of QEMU's.

When an ivshmem-doorbell is unplugged, QEMU closes the files of its interrupts but
goes on to watch their numbers (hw/misc/ivshmem.c, without KVM; seen in 7.2). Whatever
is opened next gets such a number, and when there is something to read from it QEMU
uses the memory of the device that has gone. So after each unplug, before the guest
hears of it, the runner hands QEMU files that nothing is ever to be read from; they
take those numbers.
"""
import json
import os
import socket

# Of a card with four interrupts: two ends of each, and its memory; and some more,
# for the lowest free numbers are taken first
FILES = 12


class Monitor:
    """Between QEMU's monitor and the guest's port; fed with what each says."""

    def __init__(self, qemu, guest):
        self.qemu = qemu
        self.guest = guest
        self.quiet = -1
        self.number = 0
        # Files that QEMU has not taken yet, and what the guest hears after that
        self.pending = set()
        self.waiting = []

    def options(self):
        """QEMU's options for the monitor and the guest's port."""
        return ["-chardev", self.qemu.option(),
                "-mon", f"chardev={self.qemu.name},mode=control",
                "-chardev", self.guest.option(), "-device",
                f"virtserialport,chardev={self.guest.name},"
                "name=org.pddgpu.monitor"]

    def close(self):
        """The runner needs its file no more."""
        if self.quiet >= 0:
            os.close(self.quiet)
            self.quiet = -1

    def guest_says(self, data):
        """Takes what the guest has said; whole lines go to QEMU."""
        for line in self._lines(self.guest, data):
            self._send(self.qemu, line)

    def qemu_says(self, data):
        """Takes what QEMU has said; the guest gets it, in its order."""
        for line in self._lines(self.qemu, data):
            try:
                said = json.loads(line)
            except ValueError:
                said = {}
            if said.get("id") in self.pending:
                self.pending.remove(said["id"])
            else:
                self.waiting.append(line)
                if said.get("event") == "DEVICE_DELETED" and \
                        "device" in said.get("data", {}):
                    self._hold()
            while self.waiting and not self.pending:
                self._send(self.guest, self.waiting.pop(0))

    def _hold(self):
        if self.quiet < 0:
            self.quiet = os.eventfd(0)
        for _ in range(FILES):
            name = f"pddgpu-held-{self.number}"
            self.number += 1
            self.pending.add(name)
            command = json.dumps({"execute": "getfd", "id": name,
                                  "arguments": {"fdname": name}})
            try:
                socket.send_fds(self.qemu.socket, [command.encode() + b"\n"],
                                [self.quiet])
            except OSError:     # QEMU has ended
                self.pending.discard(name)

    @staticmethod
    def _lines(wire, data):
        wire.data += data
        *lines, rest = bytes(wire.data).split(b"\n")
        wire.data[:] = rest
        return lines

    @staticmethod
    def _send(wire, line):
        try:
            wire.socket.sendall(line + b"\n")
        except OSError:
            pass    # it has ended, or reads nothing
