# SPDX-License-Identifier: MIT
"""Finds what the guest kernel complained about in its log."""
import re

# A line that matches one of these opens a report. They are looked for in the
# kernel's log only; what programs print goes elsewhere.
PATTERNS = re.compile("|".join((
    r"\bBUG: ",
    r"\bBUG \S+ \(",             # what the slab allocator finds
    r"kernel BUG at ",
    r"\bWARNING: ",
    r"\bOops: ",
    r"Oops:",
    r"KASAN: ",
    r"KFENCE: ",
    r"KCSAN: ",
    r"UBSAN: ",
    r"kmemleak: \d+ new suspected",
    r"kmemleak: unreferenced object",
    r"kmemleak: Kernel memory leak detector disabled",
    r"general protection fault",
    r"Unable to handle kernel ",
    r"Kernel panic - not syncing",
    r"refcount_t: ",
    r"possible circular locking dependency",
    r"possible recursive locking",
    r"possible irq lock inversion",
    r"possible deadlock",
    r"bad unlock balance",
    r"Nested lock was not taken",
    r"turning off the locking correctness validator",
    r"inconsistent lock state",
    r"suspicious RCU usage",
    r"Invalid wait context",
    r"held lock freed",
    r"lock held when returning to user space",
    r"INFO: task .* blocked (for more than|in I/O wait)",
    r"INFO: trying to register non-static key",
    r"rcu: INFO: ",
    r"soft lockup",
    r"workqueue lockup",
    r"hard LOCKUP",
    r"list_(add|del) corruption",
    r"Bad page state",
    r"Bad page map",
    r"scheduling while atomic",
    r"sleeping function called from invalid context",
    r"DMA-API: (?!dma_debug_entry pool grown|preallocated|debugging enabled)",
    r"ODEBUG: (?!selftest passed)",
    r"pagealloc: (memory corruption|single bit error)",
    r"percpu ref .* <= 0",
    r"sysfs: cannot create duplicate filename",
    r"debugfs: .* already present",
    r"kobject: .* tried to init an initialized object",
    r"nobody cared",
    r"vmap allocation for size .* failed",
    r"Call Trace:",
)))

# What may open a report, and within one is only more of it.
_CONTINUES = re.compile(r"Call Trace:|Oops: |Kernel panic - not syncing|"
                        r"---\[ end Kernel panic")

# What ends a report that is no panic's
_ENDS = re.compile(r"---\[ end trace ")

# Taint bits that stand for a report: D (oops), L (soft lockup), W (warning),
# B (bad page, or what the slab allocator finds).
_TAINT = {7: "an oops", 14: "a soft lockup", 9: "a warning", 5: "a bad page"}

# A program that died of what it did itself
_PROGRAM = re.compile(r"traps: \S+\[\d+\] ")

_TIME = re.compile(r"^\[ *\d+\.\d+\](\[ *[TC]\d+\])? ?")


def taint_words(bits):
    """What the kernel's taint bits say that the log would have to show."""
    return [word for bit, word in _TAINT.items() if bits >> bit & 1]


def opens(text):
    """Whether a line of the log, without its time, opens a report."""
    return PATTERNS.search(text) and not _PROGRAM.match(text)


def find(log, expected=None):
    """Returns (unexpected report lines, number of expected ones).

    A report is expected if one of its lines matches, so that the call trace
    that goes with an expected warning is no report of its own.
    """
    wanted = re.compile(expected) if expected else None
    unexpected, seen = [], 0
    in_expected = False
    for line in log.splitlines():
        text = _TIME.sub("", line)
        if _ENDS.match(text):
            in_expected = False
        if not opens(text):
            continue
        if wanted and wanted.search(text):
            seen += 1
            in_expected = True
        elif not (in_expected and _CONTINUES.match(text)):
            unexpected.append(line)
            in_expected = False
    return unexpected, seen


def excerpt(log, limit=60):
    """The log around its first report."""
    lines = log.splitlines()
    for i, line in enumerate(lines):
        if opens(_TIME.sub("", line)):
            return lines[max(0, i - 5):i + limit]
    return []
