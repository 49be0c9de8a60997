# SPDX-License-Identifier: MIT
"""Tests of the harness that need no VM."""
import importlib.machinery
import importlib.util
import fcntl
import os
import time

from common import TOP, folder, need, run, write

from harness import initramfs, report


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
                 ["--shell", "--", "true"], ["--timeout", "0", "--", "true"]):
        result = run("vm/run", *argv)
        need(result.status == 2, argv, result)
        need(len(result.err.splitlines()) == 1, argv, result)
        need(result.err.startswith("vm/run: "), argv, result)
    result = run("vm/run", "--no-device", "--", "true", TIMEOUT="soon")
    need(result.status == 2 and "TIMEOUT" in result.err, result)


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
""".splitlines()

HARMLESS = """\
[    1.0] pddgpu: loading out-of-tree module taints kernel.
[    1.0] pddgpu 0000:00:02.0: [drm] *ERROR* PDDGPU: Memory leak detected! Total used: 150 MB
[    1.0] x86/fpu: Supporting XSAVE feature 0x001: 'x87 floating point registers'
[    1.0] printk: debug: ignoring loglevel setting.
""".splitlines()


def test_kernel_reports_are_known():
    for line in REPORTS:
        need(report.find(line)[0] == [line], line)
    for line in HARMLESS:
        need(not report.find(line)[0], line)
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
