# SPDX-License-Identifier: MIT
"""The debug kernel notices what a driver must not do, and the harness hears of
it. Not among the tests that run by default, for it needs that kernel."""
import os
import re

from common import TOP, finish, folder, need, run, start

from harness import report

# What tests/watch/pddgpu_broken.c does, and what is said of it. In this order:
# lockdep ends with its first circle, and with KASAN's report.
SAID = {
    "rcu": r"suspicious RCU usage",
    "signalling": r"possible circular locking dependency",
    "atomic": r"BUG: sleeping function called from invalid context",
    "ubsan": r"UBSAN: shift-out-of-bounds in ",
    "dma": r"DMA-API: .* frees DMA memory with different size",
    "object": r"ODEBUG: free active .* timer_list",
    "list": r"list_add (double add|corruption)",
    "hang": r"INFO: task modprobe:\d+ blocked for more than 3 seconds",
    "leak": r"kmemleak: unreferenced object .*\(size 64\)",
    "kasan": r"BUG: KASAN: slab-use-after-free in ",
}

GUEST = """
echo 3 >/proc/sys/kernel/hung_task_timeout_secs
for what in $*; do
	echo "broken: $what" >/dev/kmsg
	modprobe pddgpu_broken what=$what && modprobe -r pddgpu_broken
done
"""


def test_debug_kernel_watches():
    with folder() as tmp:
        out = os.path.join(tmp, "watch")
        done = run("scripts/build-module", "tests/watch", out)
        need(done.status == 0, done)
        built = os.path.join(TOP, "build/module", release(), "pddgpu.ko")
        log = os.path.join(tmp, "log")
        result = boot("--log", log, "--module", built,
                      "--module", os.path.join(out, "pddgpu_broken.ko"),
                      "--", "sh", "-c", GUEST, "sh", *SAID)
        need(result.status == 99, result)
        with open(log, encoding="utf-8", errors="replace") as f:
            text = f.read()
        parts = dict(re.findall(r"broken: (\w+)\n(.*?)(?=broken: |watch: |\Z)",
                                text, re.S))
        for name, pattern in SAID.items():
            # What leaks is seen at the end
            part = text if name == "leak" else parts.get(name, "")
            need(re.search(pattern, part), name, pattern, part or text)
            need(name == "leak" or report.find(part)[0], name, part)
        # And that it says nothing more afterwards is said
        need("watch: BUG: lockdep has turned itself off" in text, text)


def test_debug_kernel_is_quiet():
    """Of a driver that does nothing wrong it says nothing."""
    result = boot("--", "true")
    need(result.status == 0 and result.err == "", result)


def boot(*argv):
    """Gives it five times what it takes."""
    return finish(start("vm/run", "--watch", "--timeout", "600", *argv),
                  seconds=630)


def release():
    kernel = run("vm/fetch-kernel").out.strip()
    with open(os.path.join(kernel, "release"), encoding="utf-8") as f:
        return f.read().strip()
