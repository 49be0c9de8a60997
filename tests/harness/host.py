# SPDX-License-Identifier: MIT
"""Tests of the harness that need no VM."""
import argparse
import contextlib
import fcntl
import importlib.machinery
import importlib.util
import io
import json
import os
import re
import shutil
import signal
import socket
import sys
import time
from unittest import mock

from common import TOP, finish, folder, need, run, start, write

from harness import initramfs, monitor, report


def load(path):
    """A script as a module."""
    name = os.path.basename(path)
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(TOP, path))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


def test_bad_options_get_one_line():
    for argv in (["--smp", "none"], ["--mem", "1", "--", "true"], ["--nonsense"],
                 ["--payload", "/nonexistent", "--", "true"], [],
                 ["--expect-report", "(", "--", "true"],
                 ["--allow-report", "(", "--", "true"],
                 ["--expect-report", "a", "--allow-report", "b", "--", "true"],
                 ["--shell", "--", "true"], ["--timeout", "0", "--", "true"]):
        result = run("vm/run", *argv)
        need(result.status == 2, argv, result)
        need(len(result.err.splitlines()) == 1, argv, result)
        need(result.err.startswith("vm/run: "), argv, result)
    result = run("vm/run", "--no-device", "--", "true", TIMEOUT="soon")
    need(result.status == 2 and "TIMEOUT" in result.err, result)


def test_fuzzers_end_with_their_script():
    """One that nobody waits for would go on for a week."""
    with folder() as tmp:
        fuzzer = os.path.join(tmp, "all/chip")
        os.mkdir(os.path.dirname(fuzzer))
        write(fuzzer, f"#!/bin/sh\n: >{tmp}/pid.$$\nexec sleep 600\n")
        os.chmod(fuzzer, 0o755)
        for number in (signal.SIGINT, signal.SIGTERM):
            script = start(sys.executable, "-c", f"""
import sys
sys.path.insert(0, "tests/harness")
from host import load
script = load("scripts/fuzz-device")
script.BUILD = {tmp!r}
script.make = lambda *_: None
script.has_fuzzer = lambda: True
sys.argv = ["fuzz-device", "--count", "1"]
sys.exit(script.main())
""")
            count = os.cpu_count()
            while len(pids := [name.partition(".")[2] for name in os.listdir(tmp)
                               if name.startswith("pid.")]) < count and script.poll() is None:
                time.sleep(0.05)
            script.send_signal(number)
            result = finish(script)
            need(result.status == 128 + number, result)
            for pid in pids:
                state = run("ps", "-o", "state=", "-p", pid).out.strip()
                need(state in ("", "Z"), pid, state)
                os.remove(os.path.join(tmp, f"pid.{pid}"))


def test_ioctl_fuzzer_ends_with_its_script():
    """One VM, or several scripts with one each; and what it had brought there."""
    machine = "#!/bin/sh\n: >{0}/pid.$$\nexec sleep 600\n"
    for several in (False, True):
        for number in (signal.SIGINT, signal.SIGTERM):
            with folder() as tmp:
                path = os.path.join(tmp, "vm/run")
                write(path, machine.format(tmp))
                os.chmod(path, 0o755)
                script = start(sys.executable, "-c", f"""
import sys
sys.path.insert(0, "tests/harness")
from host import load
script = load("scripts/fuzz-ioctl")
script.TOP, script.SEEDS, script.KEPT = {tmp!r}, {tmp!r} + "/vm/seeds", {tmp!r} + "/kept"
script.PROGRAM = "/bin/true"
if {several}:
    script.sys.executable, script.__file__ = "/bin/sh", {path!r}
sys.argv = ["fuzz-ioctl", "--no-kcov", "--vms", "{1 + several}"]
sys.exit(script.main())
""", TMPDIR=tmp)
                while len(pids := [name.partition(".")[2] for name in os.listdir(tmp)
                                   if name.startswith("pid.")]) <= several \
                        and script.poll() is None:
                    time.sleep(0.05)
                script.send_signal(number)
                result = finish(script)
                need(result.status == 128 + number, result)
                for pid in pids:
                    state = run("ps", "-o", "state=", "-p", pid).out.strip()
                    need(state in ("", "Z"), pid, state)
                need(not [name for name in os.listdir(tmp) if name.startswith("pddgpu-")],
                     os.listdir(tmp))


def test_missing_device_is_said():
    result = run("vm/run", "--no-load", "--device", "/nonexistent", "--", "true")
    need(result.status == 125, result)
    need("/nonexistent is missing" in result.err, result)


def test_device_that_does_not_start_is_said():
    with folder() as tmp:
        broken = os.path.join(tmp, "broken")
        write(broken, "#!/bin/sh\necho no such chip >&2\nexit 2\n")
        os.chmod(broken, 0o755)
        result = run("vm/run", "--no-load", "--device", broken, "--", "true",
                     TMPDIR=tmp)
        need(result.status == 125, result)
        need("no such chip" in result.err, result)
        need(os.listdir(tmp) == ["broken"], os.listdir(tmp))


def sweep(tmp, prefix, status, *argv, **env):
    """What a command leaves of a killed run's folder, and of one in use."""
    for name in ("killed", "busy"):
        write(os.path.join(tmp, prefix + name, "deep/file"), "")
    busy = os.open(os.path.join(tmp, prefix + "busy"), os.O_RDONLY)
    try:
        fcntl.flock(busy, fcntl.LOCK_EX)
        result = run(*argv, TMPDIR=tmp, **env)
    finally:
        os.close(busy)
    need(result.status == status, result)
    need(os.path.exists(os.path.join(tmp, prefix + "busy/deep/file")), result)
    need(sorted(os.listdir(tmp)) == [prefix + "busy"], os.listdir(tmp), result)


def test_folders_of_killed_runs_are_removed():
    with folder() as tmp:
        sweep(tmp, "pddgpu-vm-run.", 125, "vm/run", "--no-load", "--device",
              "/nonexistent", "--", "true")
    with folder() as tmp:
        sweep(tmp, "pddgpu-device-run.", 0,
              "build/tests/device/test-device", "options",
              PDDGPU_DEVICE=os.path.join(TOP, "build/device/pddgpu-device"))


def test_cache_is_pruned():
    with folder() as tmp:
        month = time.time() - 40 * 86400
        old = ("initramfs/base-0.cpio", "initramfs/modules-0.cpio",
               "initramfs/modules-0.dep", "initramfs/new-0",
               "kvm-00000000-0000-0000-0000-000000000000")
        kept = ("initramfs/base-1.cpio", "kernels/1/release")
        for name in old + kept:
            write(os.path.join(tmp, name), "")
            if name in old:
                os.utime(os.path.join(tmp, name), (month, month))
        initramfs.prune(tmp)
        left = [name for name in old + kept
                if os.path.exists(os.path.join(tmp, name))]
        need(left == list(kept), left)
        # What is used is young again, however long ago it was made.
        init = os.path.join(TOP, "vm/guest/init")
        path = initramfs.base(tmp, init)
        os.utime(path, (month, month))
        need(initramfs.base(tmp, init) == path, path)
        initramfs.prune(tmp)
        need(os.path.exists(path), "what was just used is gone")


def test_cached_kernel_needs_no_network():
    with folder() as tmp:
        for tool in ("apt-get", "apt-cache"):
            path = os.path.join(tmp, tool)
            write(path, "#!/bin/sh\necho called >>\"$0.called\"\nexit 100\n")
            os.chmod(path, 0o755)
        path = tmp + ":" + os.environ["PATH"]
        need(run("vm/fetch-kernel").status == 0)    # fill the cache
        result = run("vm/fetch-kernel", PATH=path)
        need(result.status == 0, result)
        with open(os.path.join(result.out.strip(), "release")) as f:
            need(f.read().strip(), "no release")
        need(sorted(os.listdir(tmp)) == ["apt-cache", "apt-get"], result)
        # And where there is none, that is said, and nothing is left behind.
        cache = os.path.join(tmp, "cache")
        result = run("vm/fetch-kernel", PATH=path, PDDGPU_CACHE=cache, KDIR="")
        need(result.status == 1 and "found no kernel" in result.err, result)
        need(sorted(os.listdir(cache)) == ["kernels", "lock"],
             os.listdir(cache))


def test_bad_kdir_is_said():
    for kdir in ("/nonexistent", "/"):
        result = run("vm/fetch-kernel", KDIR=kdir)
        need(result.status == 1 and kdir in result.err, result)


def test_debug_kernel_is_what_was_asked_for():
    with folder() as tmp:
        for tool in ("apt-get", "apt-cache"):
            write(os.path.join(tmp, "bin", tool), "#!/bin/sh\nexit 100\n")
            os.chmod(os.path.join(tmp, "bin", tool), 0o755)
        env = {"PATH": f"{tmp}/bin:" + os.environ["PATH"],
               "PDDGPU_CACHE": f"{tmp}/cache", "KDIR": "", "KERNEL": "debug"}
        # None to be had: that is said, and nothing is left behind.
        result = run("vm/fetch-kernel", **env)
        need(result.status == 1 and "found no package" in result.err, result)
        left = sorted(os.listdir(f"{tmp}/cache"))
        need(left == ["debug-lock", "kernels"], left)
        need(not os.listdir(f"{tmp}/cache/kernels"), "a kernel of nothing")
        # One that was built without an option is refused, and says which.
        with open(os.path.join(TOP, "vm/debug.config")) as f:
            options = [line for line in f.read().splitlines()
                       if line.startswith("CONFIG_") and not line.endswith("=n")]
        for name in ("vmlinux", "arch/x86/boot/bzImage"):
            write(os.path.join(tmp, "tree", name), "")
        for config, said in ((options[:-1], options[-1]),
                             (options + ["CONFIG_UBSAN_TRAP=y"],
                              "CONFIG_UBSAN_TRAP=n")):
            write(os.path.join(tmp, "tree/.config"), "\n".join(config) + "\n")
            result = run("vm/build-debug-kernel", "--tree", f"{tmp}/tree", **env)
            need(result.status == 1 and said in result.err, result)


def test_debug_lane_runs_the_entries():
    script = load("scripts/test-debug")
    lane = script.Lane.__new__(script.Lane)
    lane.coverage, lane.built = False, "built"
    entries = [lane.entry(stage) for stage in script.test.vm_stages()]
    names = [stage.name for stage in script.test.vm_stages()]
    need([stage.name for stage in entries] == names, names)
    for stage, plain in zip(entries, script.test.vm_stages()):
        line = " ".join(stage.argv)
        need("--watch" in stage.argv and "slub_debug" not in line, line)
        limits = [int(argv[argv.index("--timeout") + 1])
                  for argv in (stage.argv, plain.argv)]
        need(limits[0] == 5 * limits[1], limits)
        command = plain.argv[plain.argv.index("--") + 1:]
        need(stage.argv[stage.argv.index("--") + 1:]
             == ["env", "PDT_SLOW=5"] + command, line)
        need("built/pddgpu.ko" in line, line)
        if "--mem" in plain.argv:
            mem = [int(argv[argv.index("--mem") + 1])
                   for argv in (stage.argv, plain.argv)]
            need(mem[0] > mem[1], mem)
    lane.coverage = True
    line = " ".join(lane.entry(script.test.Stage(
        "x", ["vm/run", "--payload", "p", "--append", "slub_debug=FZPU a=b",
              "--", "run-all"])).argv)
    need("--coverage build/coverage/x.tar" in line and "--append a=b" in line,
         line)


def guest_runs(payload, argv):
    """The test programs that the guest's command of a stage runs, by what `payload` has."""
    words = argv[argv.index("--") + 1:]
    if words[-1] == "run-ivshmem":
        return {"ivshmem"}
    if "run-all" not in words:
        return set()
    done = run("sh", os.path.join(payload, "run-all"), *words[words.index("run-all") + 1:],
               PATH=payload + ":" + os.environ["PATH"])
    need(done.status == 0, words, done)
    need(done.out.count("# pddgpu +") == sum(word[0] == "+" for word in words), words, done)
    return set(re.findall(r"^# (\w+)$", done.out, re.M))


def test_debug_lane_leaves_nothing_out():
    script = load("scripts/test-debug")
    with folder() as tmp:
        shutil.copy(os.path.join(TOP, "tests/vm/run-all"), tmp)
        for name in os.listdir(os.path.join(TOP, "tests/vm")):
            if name.startswith("test_") and name.endswith(".c"):
                write(os.path.join(tmp, name[:-2]), "#!/bin/sh\necho 1..0\n")
                os.chmod(os.path.join(tmp, name[:-2]), 0o755)
        for name in ("rmmod", "modprobe"):
            write(os.path.join(tmp, name), "#!/bin/sh\n")
            os.chmod(os.path.join(tmp, name), 0o755)
        done = run("sh", os.path.join(tmp, "run-all"), "-leak", "-nothing")
        need(done.status == 2 and "no test nothing" in done.err, done)

        def programs(stages):
            return set().union(*(guest_runs(tmp, stage.argv) for stage in stages))

        plain = list(script.test.vm_stages())
        lane = script.entries(False)
        missing = programs(plain) - programs(lane)
        need(not missing, "not run on the debug kernel", missing)
        need(not {"leak", "create"} & guest_runs(tmp, ["--", "run-all", "-leak", "-create"])
             and "leak" in guest_runs(tmp, ["--", "run-all", "-create"]), "run-all -NAME")
    names = [stage.name for stage in lane]
    need(len(set(names)) == len(names) and {"suite", "faults"} <= set(names), names)
    need({stage.name for stage in plain} < {stage.name for stage in script.entries(True)},
         script.entries(True))


def test_coverage_counts():
    script = load("scripts/coverage")
    name = os.path.join(TOP, "driver/pddgpu_hw.c")

    def document(*counts):
        return {"current_working_directory": "/", "files": [
            {"file": "/usr/include/stdio.h", "lines": [], "functions": []},
            {"file": name, "functions": [
                {"demangled_name": "f", "start_line": 1, "end_line": 4},
                {"demangled_name": "g", "start_line": 5, "end_line": 6}],
             "lines": [{"line_number": n, "count": count}
                       for n, count in enumerate(counts, 1)]}]}

    coverage = script.Coverage()
    coverage.add(document(1, 0, 0, 1, 0, 0))
    coverage.add(document(1, 1, 0, 0, 0, 0))    # the same lines in another VM
    need(list(coverage.lines) == ["pddgpu_hw.c"], coverage.lines)
    need(coverage.share("pddgpu_hw.c") == (3, 6), coverage.lines)
    need(coverage.uncovered("pddgpu_hw.c")
         == [("g", 2, [5, 6]), ("f", 4, [3])], coverage.functions)
    need(script.ranges([3, 4, 5, 9]) == "3-5, 9", script.ranges([3, 4, 5, 9]))


REPORTS = """\
[    1.0] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    1.0] kernel BUG at mm/slub.c:448!
[    1.0] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1/0x2
[    1.0] Oops: general protection fault, 0000 [#1] PREEMPT SMP
[    1.0] BUG: KASAN: slab-use-after-free in f+0x1/0x2
[    1.0] UBSAN: shift-out-of-bounds in drivers/x.c:1:2
[    1.0] WARNING: possible recursive locking detected
[    1.0] WARNING: possible circular locking dependency detected
[    1.0] INFO: task sh:1 blocked for more than 120 seconds.
[    1.0] refcount_t: underflow; use-after-free.
[    1.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:1]
[    1.0] Kernel panic - not syncing: Fatal exception
[    1.0] DMA-API: pci 0000:00:02.0: device driver frees DMA memory
[    1.0] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
[    1.0] kmemleak: unreferenced object 0xffff888003a2b000 (size 64):
[    1.0] BUG kmalloc-64 (Not tainted): Poison overwritten
[    1.0] DMA-API: pci 0000:00:02.0: device driver has pending DMA allocations while released from device [count=1]
[    1.0] ODEBUG: free active (active state 0) object: ffff888003a2b000 object type: timer_list hint: f+0x0/0x10
[    1.0] BUG: sleeping function called from invalid context at kernel/x.c:1
[    1.0] BUG: scheduling while atomic: sh/1/0x00000002
[    1.0] BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!
[    1.0] WARNING: inconsistent lock state
[    1.0] WARNING: suspicious RCU usage
[    1.0] WARNING: held lock freed!
[    1.0] WARNING: bad unlock balance detected!
[    1.0] WARNING: possible irq lock inversion dependency detected
[    1.0] turning off the locking correctness validator.
[    1.0] rcu: INFO: rcu_preempt self-detected stall on CPU
[    1.0] INFO: trying to register non-static key.
[    1.0] INFO: task kworker/0:1:7 blocked in I/O wait for more than 120 seconds.
[    1.0] list_add corruption. prev->next should be next
[    1.0] pagealloc: memory corruption
[    1.0] percpu ref (f) <= 0 (-1) after switching to atomic
[    1.0] sysfs: cannot create duplicate filename '/devices/x'
[    1.0] watch: BUG: the driver cannot be unloaded
""".splitlines()

HARMLESS = """\
[    1.0] pddgpu: loading out-of-tree module taints kernel.
[    1.0] pddgpu 0000:00:02.0: [drm] *ERROR* PDDGPU: Memory leak detected! Total used: 150 MB
[    1.0] x86/fpu: Supporting XSAVE feature 0x001: 'x87 floating point registers'
[    1.0] printk: debug: ignoring loglevel setting.
[    1.0] DMA-API: dma_debug_entry pool grown to 131072 (200%)
[    1.0] DMA-API: preallocated 65536 debug entries
[    1.0] DMA-API: debugging enabled by kernel config
[    1.0] ODEBUG: selftest passed
[    1.0] traps: test_compat[204] general protection fault ip:401f2b sp:7ffd0 error:402 in test_compat[401000+8000]
""".splitlines()


def test_kernel_reports_are_known():
    for line in REPORTS:
        need(report.find(line)[0] == [line], line)
    for line in HARMLESS:
        need(not report.find(line)[0], line)
    # One that was expected takes nothing with it that comes behind its end
    log = ["WARNING: CPU: 0 PID: 70 at fs/proc/generic.c:717 remove_proc_entry+0x1a/0x1b",
           "Call Trace:", "---[ end trace 0000000000000000 ]---",
           "kworker: page allocation failure: order:9", "Call Trace:",
           "Oops: general protection fault, probably for non-canonical address 0xdead"]
    found, seen = report.find("\n".join(log), "remove_proc_entry")
    need(found == log[4:] and seen == 1, found, seen)
    log = "\n".join(REPORTS[:3] + HARMLESS)
    found, seen = report.find(log, "kernel BUG at mm")
    need(found == [REPORTS[0], REPORTS[2]] and seen == 1, found, seen)


def test_modules_load_after_what_they_need():
    """modprobe loads what the index lists from right to left."""
    with folder() as tmp:
        tree = os.path.join(tmp, "modules/kernel")
        write(os.path.join(tmp, "release"), "1.2.3\n")
        # vgem needs both, and names the one that needs the other first.
        for name, needs in (("drm", ""), ("drm_kms_helper", "drm"),
                            ("vgem", "drm,drm_kms_helper")):
            write(os.path.join(tree, name + ".ko"), f"x\0depends={needs}\0")
        modules = initramfs.Modules(tmp, os.path.join(tmp, "cache"))
        need(modules.depends["vgem"][1]
             == ["kernel/drm_kms_helper.ko", "kernel/drm.ko"], modules.depends)

        # And the run's own, of which one needs another
        class Archive:
            def data(self, name, data):
                setattr(self, os.path.basename(name).replace(".", "_"), data)

        own = [os.path.join(tmp, name + ".ko") for name in ("net", "low", "middle")]
        for path, needs in zip(own, ("middle", "drm", "low")):
            write(path, f"x\0depends={needs}\0")
        archive = Archive()
        modules.add(archive, own)
        need("extra/net.ko: extra/middle.ko extra/low.ko kernel/drm.ko"
             in archive.modules_dep.splitlines(), archive.modules_dep)


def test_terminal_is_known():
    for name, locale, known, utf8 in (("strange", "C.UTF-8", True, True),
                                      ("other", "C", False, False),
                                      ("../s/strange", "POSIX", False, False)):
        out = io.BytesIO()
        with folder() as tmp:
            write(os.path.join(tmp, "s/strange"), "what it can do")
            with mock.patch.dict(os.environ, TERMINFO=tmp, LC_ALL=locale):
                initramfs.terminal(initramfs.Archive(out), name)
        need((b"usr/share/terminfo/s/strange\0" in out.getvalue()) == known, name)
        need((b"what it can do" in out.getvalue()) == known, name)
        need((b"LC_CTYPE" in out.getvalue())
             == (utf8 and os.path.isdir(initramfs.LOCALE)), locale)


def test_driver_that_kills_its_kernel_gets_one_try():
    """Another one would hide it; a kernel that dies of itself gets another."""
    script = load("vm/run")
    for log, began in (("[    1.0] Run /init as init process\n", True),
                       ("[    9.0] pddgpu: loading out-of-tree module taints kernel.\n"
                        "[    9.1] BUG: kernel NULL pointer dereference\n", False)):
        class Machine:
            boots = [(log, False), ("", True)]
            timed_out, failure = False, None

            def __init__(self, *_):
                self.kernel_log, self.began = self.boots.pop(0)

            def run(self, _):
                pass

        options = argparse.Namespace(thread="single", verbose=False, shell=False, timeout=1)
        with folder() as tmp, mock.patch.object(script, "Machine", Machine), \
                mock.patch.object(script, "say"):
            machine = script.boot(options, tmp, "kernel", "initrd")
        need(machine.began == began and (began or machine.kernel_log == log), log)


def test_suite_counts():
    suite = load("scripts/test")
    for lines, status, counts in (
            (["ok a", "3 passed, 0 failed"], 0, (3, 0, 0)),
            (["not ok a", "2 passed, 1 failed, 4 skipped"], 1, (2, 1, 4)),
            (["3 passed, 0 failed"], 99, (3, 1, 0)),      # ended badly
            (["", "ok a"], 0, (0, 1, 0)),                   # no summary
            (["0 passed, 0 failed"], 0, (0, 1, 0)),         # tested nothing
            (["[  PASSED  ] 2 test(s).", "[  FAILED  ] 1 test(s), listed below:",
              "[  FAILED  ] b", "[  PASSED  ] 3 test(s)."], 1, (5, 1, 0))):
        stage = suite.Stage("x", ["x"])
        stage.count(lines, status)
        seen = stage.passed, stage.failed, stage.skipped
        need(seen == counts, lines, seen)
        need(bool(stage.failures) == bool(stage.failed), lines, stage.failures)


def test_suite_runs_beside():
    suite = load("scripts/test")
    echo = ["sh", "-c", "sleep $1; echo ok; echo $0 passed, 0 failed"]
    stages = [suite.Beside("none", ["/nonexistent"]),
              suite.Beside("beside", echo + ["2", "0.1"]),
              suite.Stage("plain", echo + ["3", "0.4"]),
              suite.Stage("last", echo + ["4", "0"])]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        suite.run_all(stages, False)
    need([stage.passed for stage in stages] == [0, 2, 3, 4], stages)
    need(stages[0].failed and stages[0].failures, stages[0].failures)
    # Each in one piece
    said = re.findall(r"== (\w+): sh|(\d) passed, 0 failed$", out.getvalue(), re.M)
    need([a or b for a, b in said]
         == ["plain", "3", "beside", "2", "last", "4"], out.getvalue())
    # And from both ends
    stages = [suite.Stage("long", echo + ["3", "1"]),
              suite.Stage("middle", echo + ["2", "0"]),
              suite.Stage("last", echo + ["4", "0"])]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        suite.run_all(stages, True)
    need([stage.passed for stage in stages] == [3, 2, 4], stages)
    need(re.findall(r"== (\w+): sh", out.getvalue()) == ["long", "last", "middle"],
         out.getvalue())


STOPPED = """
import signal, sys
sys.path.insert(0, "tests/harness")
from host import load
suite = load("scripts/test")
signal.signal(signal.SIGTERM, suite.stop)
suite.run_all([suite.Stage("first", ["sh", "-c", "trap 'sleep 1; exit' TERM; "
                                     "echo began; sleep 60 & wait"]),
               suite.Stage("later", ["touch", sys.argv[1]]),
               suite.Stage("last", ["sleep", "60"])], True)
"""


def test_stopped_suite_begins_no_more():
    with folder() as tmp:
        later = os.path.join(tmp, "later")
        child = start(sys.executable, "-c", STOPPED, later)
        while child.stdout.readline() not in ("began\n", ""):
            pass
        child.send_signal(signal.SIGTERM)
        result = finish(child)
        need(result.status == 128 + signal.SIGTERM, result)
        need(not os.path.exists(later), "another stage began")


def test_unplugged_numbers_are_taken():
    class Wire:
        name, data = "wire", None

        def __init__(self):
            self.socket, self.other = socket.socketpair()
            self.data = bytearray()

    qemu, guest = Wire(), Wire()
    between = monitor.Monitor(qemu, guest)
    between.guest_says(b'{"execute": "device_')
    between.guest_says(b'del"}\n')
    need(qemu.other.recv(100) == b'{"execute": "device_del"}\n', "not passed on")
    between.qemu_says(b'{"return": {}}\n{"event": "DEVICE_DELETED", "data": '
                      b'{"device": "card0"}}\n{"event": "LATER"}\n')
    need(guest.other.recv(100) == b'{"return": {}}\n', "more than that")
    guest.other.setblocking(False)
    taken = 0
    while taken < monitor.FILES:
        data, fds, _, _ = socket.recv_fds(qemu.other, 4096, 1)
        need(len(fds) == 1, data)
        os.close(fds[0])
        answer = json.dumps({"return": {}, "id": json.loads(data)["id"]})
        try:
            need(not guest.other.recv(100), "the guest heard of it too soon")
        except BlockingIOError:
            pass
        between.qemu_says(answer.encode() + b"\n")
        taken += 1
    said = guest.other.recv(200).decode().splitlines()
    need(["DEVICE_DELETED" in line for line in said] == [True, False], said)
    between.close()
