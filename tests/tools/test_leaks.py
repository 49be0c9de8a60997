# SPDX-License-Identifier: MIT
"""pddgpu leaks: groups, filters, the gate."""
import os
import tempfile

from command import SCRATCH, equal, jq, run
from world import GONE, KIB, MIB, card, leak, user

STATS = {"leak_suspicious": 3, "leak_suspicious_bytes": 4 * MIB + 12 * KIB,
         "leak_confirmed": 3, "leak_confirmed_bytes": 30 * MIB}


def machine():
    leaks = [leak(10 * MIB, 400000 + n, confirmed=True, pid=GONE, comm="leaker",
                  label="texture", stack="a+0x1/0x2 < b < c") for n in range(3)]
    leaks += [leak(4 * MIB, 31000, state="ORPHAN"), leak(8 * KIB, 60000, domain=2),
              leak(4 * KIB, 50000, state="ZOMBIE", label="texture", domain=1)]
    return card(leaks=leaks, stats=STATS)


def groups(*args):
    return run("leaks", "--json", *args, cards=[machine()]).json["devices"][0]["groups"]


def test_text():
    done = run("leaks", cards=[machine()])
    equal((done.rc, done.err), (0, ""))
    equal(done.lines[0], "0000:00:04.0  3 suspicious (4.0 MiB), 3 confirmed (30 MiB)")
    equal(done.lines[2:7], [
        "  30 MiB in 3 buffers, confirmed, 6 min 40 s to 6 min 40 s old, live, VRAM",
        f"    leaker (pid {GONE}, exited), label texture",
        "      a+0x1/0x2", "      b", "      c"])
    equal(done.lines[-3:], ["  4 KiB in 1 buffer, suspicious, 50.0 s old, zombie, CPU",
                            "    init (pid 1), label texture",
                            "      pddgpu_gem_create_ioctl+0x54/0x90 [pddgpu]"])


def test_groups():
    found = groups()
    equal([g["bytes"] for g in found], [30 * MIB, 4 * MIB + 8 * KIB, 4 * KIB])
    equal([g["objects"] for g in found], [3, 2, 1])
    equal(found[0]["stack"], ["a+0x1/0x2", "b", "c"])
    equal((found[0]["confirmed"], found[0]["confirmed_bytes"]), (3, 30 * MIB))
    equal((found[0]["oldest_ms"], found[0]["youngest_ms"]), (400002, 400000))
    equal((found[1]["vram"], found[1]["gtt"], found[1]["live"], found[1]["orphan"]),
          (4 * MIB, 8 * KIB, 1, 1))
    equal((found[0]["pid"], found[0]["comm"], found[0]["label"], found[0]["exited"]),
          (GONE, "leaker", "texture", True))
    equal([g["comm"] for g in groups("--by=owner")], ["leaker", "init"])
    equal([(g["label"], g["objects"], g["pid"]) for g in groups("--by=label")],
          [("texture", 4, None), (None, 2, None)])
    equal(len(groups("--by=none")), 6)


def test_order():
    equal([g["bytes"] for g in groups("--by=none", "--sort=bytes")],
          [10 * MIB] * 3 + [4 * MIB, 8 * KIB, 4 * KIB])
    equal([g["oldest_ms"] for g in groups("--by=none", "--sort=age")],
          [400002, 400001, 400000, 60000, 50000, 31000])
    equal([g["objects"] for g in groups("--sort=objects")], [3, 2, 1])
    equal(len(groups("--max=2")), 2)


def test_filters():
    def objects(*args):
        device = run("leaks", "--json", *args, cards=[machine()]).json["devices"][0]
        equal(device["listed_objects"], sum(g["objects"] for g in device["groups"]))
        equal(device["listed_bytes"], sum(g["bytes"] for g in device["groups"]))
        return device["listed_objects"]
    equal(objects(), 6)
    equal(objects("--min-age=50"), 5)
    equal(objects("--min-age=50.001"), 4)
    equal(objects("--min-age=6m"), 3)
    equal(objects("--min-age=50000ms"), 5)
    equal(objects("--min-size=8K"), 5)
    equal(objects("--min-size=8193"), 4)
    equal(objects("--min-size=4MiB"), 4)
    equal(objects("--state=live"), 4)
    equal(objects("--state=orphan"), 1)
    equal(objects("--state=zombie"), 1)
    equal(objects("--state=any"), 6)
    equal(objects("--pid", str(GONE)), 3)
    equal(objects("--pid=2"), 0)
    equal(objects("--confirmed"), 3)
    equal(objects("--confirmed", "--pid=1"), 0)
    done = run("leaks", "--pid=1", cards=[machine()])
    equal(done.lines[1], "  3 as asked for (4.0 MiB)")


def test_the_gate():
    def rc(*args, cards=None):
        return run("leaks", *args, cards=cards or [machine()]).rc
    equal(rc("--fail-on=suspicious"), 1)
    equal(rc("--fail-on=confirmed"), 1)
    equal(rc("--fail-on=confirmed:30M"), 1)
    equal(rc("--fail-on", f"confirmed:{30 * MIB + 1}"), 0)
    equal(rc("--fail-on", f"suspicious:{34 * MIB + 12 * KIB}"), 1)
    equal(rc("--fail-on", f"suspicious:{34 * MIB + 12 * KIB + 1}"), 0)
    equal(rc("--fail-on=confirmed", "--pid=1"), 0)
    equal(rc("--fail-on=suspicious", "--pid=1"), 1)
    equal(rc("--fail-on=suspicious", "--json"), 1)
    equal(rc("--fail-on=suspicious:0", cards=[card()]), 0)
    equal(rc("--fail-on=suspicious", cards=[card(), machine()][:1]), 0)
    # It is the whole machine that must be well
    equal(rc("--fail-on=suspicious", cards=[card(), {**machine(), "pci": "0000:00:09.0"}]), 1)


def test_the_gate_of_an_ordinary_user():
    done = run("leaks", "--fail-on=confirmed:30M", cards=[user(machine())])
    equal(done.rc, 1)
    equal(done.err, "pddgpu: only root may see which buffers they are\n")
    equal(done.lines, ["0000:00:04.0  3 suspicious (4.0 MiB), 3 confirmed (30 MiB)"])
    equal(run("leaks", "--fail-on=confirmed:31M", cards=[user(machine())]).rc, 0)
    equal(run("leaks", "--fail-on=suspicious:34M", cards=[user(machine())]).rc, 1)
    # What only the list can tell is refused, not taken for nothing
    equal(run("leaks", "--fail-on=confirmed", "--pid=2", cards=[user(machine())]).rc, 4)
    equal(run("leaks", "--query=comm", cards=[user(machine())]).rc, 4)
    equal(run("leaks", "--json", cards=[user(machine())]).json["devices"][0]["groups"], None)


def test_queries():
    done = run("leaks", "--query=bytes,comm,oldest_ms,label", "--format=csv,nounits",
               cards=[machine()])
    equal(done.lines, ["bytes [B], comm, oldest_ms [ms], label",
                       f"{30 * MIB}, leaker, 400002, texture",
                       f"{4 * MIB + 8 * KIB}, init, 60000, [N/A]",
                       f"{4 * KIB}, init, 50000, texture"])


def test_scan_and_clear():
    log = tempfile.mktemp(dir=SCRATCH)
    env = {"PDDGPU_FAKE_LOG": log}
    cards = [card(), card(number=1)]
    equal(run("leaks", "--scan", cards=cards, env=env).rc, 0)
    done = run("leaks", "--clear", "--device=0000:00:05.0", cards=cards, env=env)
    equal((done.rc, done.out), (0, "0000:00:05.0: what exists now is taken for no leak\n"))
    with open(log, encoding="utf-8") as f:
        equal(f.read(), "0000:00:04.0 scan\n0000:00:05.0 scan\n0000:00:05.0 clear\n")
    os.unlink(log)
    for option in ("--scan", "--clear"):
        done = run("leaks", option, cards=[card(write_error="EACCES")])
        equal((done.rc, done.err.count("\n")), (4, 1))


def test_many():
    leaks = [leak(4096, 40000 + n, pid=n % 10000 + 1, comm=f"p{n}") for n in range(10000)]
    done = run("leaks", "--json", "--max=3", cards=[card(leaks=leaks)])
    equal(jq(done.raw, ".devices[0] | [.listed_objects, (.groups | length)]"), "[10000,3]")
    done = run("leaks", cards=[card(leaks=leaks + ["EPROTO"] + leaks)])
    equal(done.rc, 0)
    equal(sum("in 2 buffers" in line for line in done.lines), 10000)


def test_a_list_that_breaks_off():
    done = run("leaks", "--json", cards=[card(leaks=[leak(1, 2), "ENODEV", leak(1, 2)])])
    equal(done.rc, 3)
