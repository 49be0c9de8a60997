# SPDX-License-Identifier: MIT
"""Tests of vm/run that boot."""
import os
import pty
import re
import select
import signal
import time

from common import TOP, finish, folder, need, processes_of, run, start

from harness import clock

BARE = ("vm/run", "--no-device", "--no-load", "--timeout", "60")
CARD = ("vm/run", "--no-load", "--timeout", "60")
CONTROL = "/dev/virtio-ports/org.pddgpu.control"


def nothing_left(tmp, kept=()):
    need(not processes_of(tmp), processes_of(tmp))
    left = sorted(set(os.listdir(tmp)) - set(kept))
    need(not left, f"left behind in TMPDIR: {left}")


def test_vm_hands_back_status_and_output():
    with folder() as tmp:
        result = run(*BARE, "--log", f"{tmp}/log", "--", "sh", "-c",
                     'printf "%s\\n" "one  two"; echo three >&2; '
                     "su user -c id; echo four >/dev/kmsg; exit 37", TMPDIR=tmp)
        need(result.status == 37, result)
        need(result.out == "one  two\nthree\n"
             "uid=1000(user) gid=1000(user) groups=1000(user)\n", result)
        need(result.err == "", result)
        with open(f"{tmp}/log") as f:
            need("four" in f.read(), "no kernel's log")
        nothing_left(tmp, ["log"])


def read_until(fd, what, seconds=60):
    """What a terminal shows, up to a text."""
    data, end = b"", time.monotonic() + seconds
    while what not in data:
        ready, _, _ = select.select([fd], [], [], max(end - time.monotonic(), 0))
        need(ready, f"no {what} in {data[-200:]}")
        data += os.read(fd, 65536)
    return data


def test_vm_console_waits_for_who_reads():
    pid, master = pty.fork()
    if not pid:
        try:
            os.chdir(TOP)
            os.execvp(BARE[0], [*BARE, "--shell"])
        finally:
            os._exit(127)
    try:
        read_until(master, b"vm# ")
        os.write(master, b"seq 30000; echo the e''nd\n")
        time.sleep(2)
        said = read_until(master, b"the end").decode().replace("\r", "")
        numbers = re.findall(r"^\d+$", said, re.M)
        need(numbers == [str(n + 1) for n in range(30000)],
             f"{len(numbers)} of 30000 lines")
        os.write(master, b"exit\n")
        need(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, "its status")
        pid = None
    finally:
        if pid:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
        os.close(master)


def test_vm_stops_at_the_time_limit():
    with folder() as tmp:
        result = run("vm/run", "--no-load", "--timeout", "6", "--",
                     "sh", "-c", "sleep 1000 & sleep 1000", TMPDIR=tmp)
        need(result.status == 124, result)
        need("6 seconds were not enough" in result.err, result)
        nothing_left(tmp)


def test_vm_stops_when_told_to():
    for number in (signal.SIGTERM, signal.SIGINT):
        with folder() as tmp:
            process = start(*CARD, "--log", f"{tmp}/log", "--", "sh", "-c",
                            "echo four >/dev/kmsg; sleep 1; echo up; sleep 1000",
                            TMPDIR=tmp)
            need(process.stdout.readline() == "up\n", "did not come up")
            need(len(processes_of(tmp)) >= 2, "where are its processes?")
            process.send_signal(number)
            result = finish(process, seconds=20)
            need(result.status == 128 + number, number, result)
            need("kernel: " in result.err and "four" in result.err, result)
            with open(f"{tmp}/log") as f:
                need("four" in f.read(), "no kernel's log")
            nothing_left(tmp, ["log"])


def test_vm_kernel_report_fails_the_run():
    say = "echo 'WARNING: a test says so' >/dev/kmsg"
    result = run(*BARE, "--", "sh", "-c", say)
    need(result.status == 99, result)
    need("a test says so" in result.err and "build/log/" in result.err, result)
    result = run(*BARE, "--expect-report", "a test says", "--", "sh", "-c",
                 say + "; exit 4")
    need(result.status == 4, result)
    result = run(*BARE, "--expect-report", "a test says", "--", "true")
    need(result.status == 99 and "did not report" in result.err, result)
    result = run(*BARE, "--allow-report", "a test says", "--", "sh", "-c", say)
    need(result.status == 0, result)
    result = run(*BARE, "--allow-report", "another says", "--", "sh", "-c", say)
    need(result.status == 99, result)


def test_vm_kernel_panic_fails_the_run():
    result = run(*BARE, "--", "sh", "-c",
                 # What it has said needs a moment to leave the machine
                 "echo began; sleep 1; echo c >/proc/sysrq-trigger; sleep 1000")
    need(result.status == 99, result)
    need(result.out == "began\n" and "Kernel panic" in result.err, result)


def test_vm_that_dies_in_boot_is_tried_again():
    result = run(*BARE, "--append", "rdinit=/nonexistent", "--", "true")
    need(result.status == 99, result)
    need(result.err.count("trying again") == 1, result)


def test_vm_that_sleeps_is_woken_up():
    result = run(*BARE, "--", "sh", "-c",
                 "for i in 1 2 3; do echo mem >/sys/power/state || exit 9; "
                 "echo awake; done; exit 38")
    need(result.status == 38, result)
    need(result.out == 3 * "awake\n", result)


def test_vm_time_runs_as_the_hosts():
    result = run(*BARE, "--", "sh", "-c", "dmesg; echo now $(cat /proc/uptime); "
                 "sleep 2; echo now $(cat /proc/uptime)")
    need(result.status == 0, result)
    # It was told how fast the counter is, rather than left to measure it
    khz = clock.tsc_khz()
    told = re.search(r"tsc: Detected (\d+)\.(\d{3}) MHz", result.out)
    need(khz and told, khz, result)
    need(abs(int(told[1] + told[2]) - khz) < khz / 1000, khz, told[0])
    seen = [float(t) for t in re.findall(r"^now (\S+)", result.out, re.M)]
    need(len(seen) == 2 and 1.9 < seen[1] - seen[0] < 20, seen)


def test_vm_two_at_once():
    both = [start(*CARD, "--", "sh", "-c",
                  f"exec 3<>{CONTROL}; echo ping >&3; read -r answer <&3; "
                  f"echo {n} $answer; sleep 1; exit {n}") for n in (11, 12)]
    results = [finish(process) for process in both]
    for n, result in zip((11, 12), results):
        need(result.status == n, result)
        need(result.out.startswith(f"{n} "), result)


def test_vm_device_death_is_said():
    die = f"exec 3<>{CONTROL}; echo die >&3; sleep %d; exit 7"
    result = run(*CARD, "--", "sh", "-c", die % 1000)
    need(result.status == 125, result)
    need("the device died" in result.err, result)
    result = run(*CARD, "--device-may-die", "--", "sh", "-c", die % 1)
    need(result.status == 7, result)


def test_vm_device_is_started_again():
    ask = (f"exec 3<>{CONTROL}; echo %s >&3; "
           "timeout 1 head -n1 <&3 | cut -c1-7; exec 3>&-; ")
    result = run(*CARD, "--device-may-die", "--restart-device", "--", "sh", "-c",
                 (ask % "die") + "sleep 3; " + (ask % "help") + "exit 7")
    need(result.status == 7, result)
    need(result.out.splitlines()[-1].startswith("ok"), result)
    result = run("vm/run", "--restart-device", "--", "true")
    need(result.status == 2, result)


def test_vm_monitor():
    port = "/dev/virtio-ports/org.pddgpu.monitor"
    result = run(*BARE, "--", "test", "-e", port)
    need(result.status == 1, result)
    result = run(*CARD, "--monitor", "--", "sh", "-c",
                 f"exec 3<>{port}; "
                 """echo '{"execute": "qmp_capabilities"}' >&3; """
                 """echo '{"execute": "device_del", "arguments": """
                 """{"id": "card0"}}' >&3; """
                 "timeout 10 grep -m1 -o DEVICE_DELETED <&3; "
                 "grep -l 0x1110 /sys/bus/pci/devices/*/device; echo $VM_SOCKET")
    need(result.out.startswith("DEVICE_DELETED\n/"), result)
    need("device\n" in result.out and "0000:" not in result.out, result)


def test_vm_shell_reads_a_file():
    with folder() as tmp:
        with open(f"{tmp}/script", "w+", encoding="utf-8") as script:
            script.write("echo hello\nexit 6\n")
            script.seek(0)
            result = finish(start(*BARE, "--shell", stdin=script))
    need(result.status == 6 and result.out == "hello\n", result)


def test_vm_shell_reads_its_input():
    result = run(*BARE, "--shell", given="echo hello\nexit 5\n")
    need(result.status == 5 and result.out == "hello\n", result)


def test_vm_has_the_driver():
    result = run("vm/run", "--timeout", "60", "--", "sh", "-ec",
                 "cd /dev/dri; stat -c '%a' renderD128 card0; "
                 "ls /lib/modules/$(uname -r)/extra; "
                 "mount | grep -c debugfs; modprobe vgem; rmmod pddgpu; "
                 "modprobe pddgpu; lsmod | grep -c '^pddgpu'")
    need(result.status == 0, result)
    need(result.out == "666\n660\npddgpu.ko\n1\n1\n", result)


def test_vm_driver_that_does_not_load_is_said():
    with folder() as tmp:
        with open(f"{tmp}/nonsense.ko", "w") as f:
            f.write("no module")
        result = run("vm/run", "--no-device", "--timeout", "60",
                     "--module", f"{tmp}/nonsense.ko", "--", "true")
        need(result.status == 125, result)
        need("the driver did not load" in result.err, result)
