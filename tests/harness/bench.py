# SPDX-License-Identifier: MIT
"""Tests of the benchmark: that it runs, and says all that it is to say. What
it measures is no test's business: other things run beside it."""
import functools
import json
import os
import threading

from common import TOP, folder, need, run

PROGRAM = "build/bench/pddgpu-bench"

# What each section is to have a row of, at each of these sizes
MOVED = [4 << 10, 64 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20]
CREATED = [4 << 10, 64 << 10, 1 << 20, 16 << 20]
ROWS = {
    "create": (("pddgpu VRAM", "pddgpu GTT", "bochs dumb", "qxl dumb",
                "vgem dumb", "virtio-gpu dumb"), CREATED),
    "cost": (("all on", "with call stacks", "no tracking",
              "no statistics, no tracking"), CREATED),
    "evidence": (("create and destroy, evidence=0",
                  "create and destroy, evidence=1", "a submit, evidence=0",
                  "a submit, evidence=1", "a creation, leak_stacks=0",
                  "a creation, leak_stacks=1"), [0]),
    "engine": (("memcpy on the host", "copy VRAM to VRAM"), MOVED),
    "move": (("engine, VRAM to GTT", "engine, GTT to VRAM",
              "CPU, VRAM to GTT", "CPU, GTT to VRAM"), MOVED),
    "oversubscribed": (("2 times as much as fits", "4 times as much as fits",
                        "8 times as much as fits"), [1 << 20, 4 << 20]),
    "leak check": (("none newly aged", "all newly aged"), [1000, 3000, 10000]),
    "readers": (("an allocation, alone", "beside a thread that only spins",
                 "beside a reader of leak_objects"), [10000]),
    "memory": (("for each tracked object",), [0]),
    "tools": (("pddgpu status", "pddgpu map", "pddgpu leaks", "pddgpu leaks --for=0",
               "a scrape of pddgpu export", "pddgpu top on a terminal, of a CPU"), [10000]),
}
FIGURES = (
    *(f"create+destroy {size}, of 0.7 peer" for size in ("4K", "64K")),
    *(f"create+destroy {size}, of 0.7 peer + fill"
      for size in ("1024K", "16384K")),
    *(f"cost of statistics and tracking, {size}"
      for size in ("4K", "64K", "1024K", "16384K")),
    "engine move, times the CPU's, the worst from 1M up",
    "engine move at 64M, of the host's memcpy rate",
    "oversubscribed 4 times, of the engine's rate",
    "leak check, none of the objects newly aged",
    "leak check, all objects newly aged",
    "longest allocation beside a reader",
    "wait for a reader: p99 less that beside a spinner",
    "memory for each tracked object",
    "fdinfo of a client with 10,000 buffers",
    "libpddgpu, the most that it adds to a call",
    "evidence, of create and destroy", "evidence, of a submit",
    "call stacks, a creation",
    "pddgpu map", "pddgpu leaks", "pddgpu leaks --for=0", "pddgpu top", "a scrape",
)


BUILDING = threading.Lock()


@functools.cache
def built():
    return run("make", "-s", "-C", "bench").status == 0


def build():
    """The tests run two at once: one make writes the program, and nobody runs
    it before that has ended."""
    with BUILDING:
        need(built(), "bench does not build")


def test_bench_options():
    build()
    for argv in (["--nonsense"], ["nonsense"], ["--host-memcpy", "4096:1"],
                 ["--host-memcpy", "4096:1:2:3,"]):
        result = run(PROGRAM, *argv)
        need(result.status == 2 and not result.out, argv, result)
        need(len(result.err.splitlines()) == 1, argv, result)
    result = run(PROGRAM, "--host", "--quick")
    need(result.status == 0 and len(result.out.split(",")) == 6, result)
    result = run(PROGRAM, "engine")
    need(result.status == 1 and "no PDDGPU card" in result.err, result)


def test_bench_says_it_all():
    build()
    with folder() as tmp:
        path = os.path.join(tmp, "bench.json")
        result = run("scripts/bench", "--json", path, "--quick")
        need(result.status == 0, result)
        need(os.listdir(tmp) == ["bench.json"], os.listdir(tmp))
        with open(path, encoding="utf-8") as f:
            found = json.load(f)
    need(found["version"] == 1 and found["quick"] is True, found)
    for name in ("date", "machine", "kernel"):
        need(found[name], name)
    rows = {(r["section"], r["name"], r["size"]): r for r in found["rows"]}
    for section, (names, sizes) in ROWS.items():
        for name in names:
            for size in sizes:
                row = rows.get((section, name, size))
                need(row, "no row", section, name, size)
                need(row["count"] > 0 and
                     0 < row["p10"] <= row["median"] <= row["p90"], row)
                need(f"{name} " in result.out, "not in the table", name)
    figures = {f["name"]: f for f in found["figures"]}
    need(sorted(figures) == sorted(FIGURES), figures.keys() ^ set(FIGURES))
    for name, figure in figures.items():
        need(figure["value"] is not None, name)
        at_most = figure["sense"] == "at most"
        reached = (figure["value"] <= figure["limit"] if at_most
                   else figure["value"] >= figure["limit"])
        need(figure["reached"] is reached, figure)
        need(name in result.out, "not in the table", name)
    need(figures["memory for each tracked object"]["reached"], figures)
    need(os.path.isdir(os.path.join(TOP, "build/log")), "no log")
