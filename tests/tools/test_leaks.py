# SPDX-License-Identifier: MIT
"""pddgpu leaks: groups, filters, the gate."""
import os
import tempfile

from command import SCRATCH, equal, jq, run
from world import GONE, KIB, MIB, card, leak, looks, thing, user

# PDDGPU_OBJECT_*
IMPORTED, BASELINE, KERNEL = 1 << 3, 1 << 6, 1 << 7

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


def answers(**more):
    """The same buffers by ioctls, and nothing in debugfs."""
    objects = [thing(n + 1, 10 * MIB, 0, label="texture", **{"class": 2}) for n in range(3)]
    objects += [thing(4, 4 * MIB, 369000, pid=1, comm="init", state=1, **{"class": 1}),
                thing(5, 4 * KIB, 350000, pid=1, comm="init", state=2, label="texture",
                      domain=1, **{"class": 1}),
                thing(6, 8 * KIB, 340000, pid=1, comm="init", domain=2, **{"class": 1}),
                thing(7, 2 * MIB, 399000),
                thing(8, 2 * MIB, 0, **{"class": 2, "is": BASELINE}),
                thing(9, 1 * MIB, 0, pid=0, comm="", site=2, **{"class": 1, "is": KERNEL}),
                thing(10, 1 * MIB, 0, site=2, comm="fifteen letters",
                      **{"class": 1, "is": IMPORTED})]
    objects[3]["site"] = objects[4]["site"] = objects[5]["site"] = 2
    ioctl = {"name": "pddgpu_gem_create_ioctl", "offset": 84}
    sites = {"1": [{"user": 1, "name": "/nowhere/leaker", "offset": 64}, ioctl], "2": [ioctl]}
    return {**machine(), "objects": looks(objects, start_ms=400000), "sites": sites, **more}


def test_the_list_by_ioctls():
    """As the text has it, but for where that the driver tells of better."""
    found = run("leaks", "--json", cards=[answers(leaks=None)]).json["devices"][0]["groups"]
    wanted = groups()
    equal([(g["comm"], g["label"], g["bytes"], g["objects"]) for g in found], [
        ("leaker", "texture", 30 * MIB, 3), ("init", None, 4 * MIB + 8 * KIB, 2),
        (None, "kernel", MIB, 1), ("fifteen letters", "imported", MIB, 1),
        ("init", "texture", 4 * KIB, 1)])
    for one, other in ((0, 0), (1, 1), (4, 2)):
        for name in ("bytes", "objects", "confirmed", "confirmed_bytes", "live", "orphan",
                     "zombie", "vram", "gtt", "cpu", "pid", "comm", "label"):
            equal(found[one][name], wanted[other][name])
    equal((found[0]["oldest_ms"], found[1]["oldest_ms"]), (400000, 60000))
    equal(found[0]["stack"], ["leaker+0x40", "pddgpu_gem_create_ioctl+0x54"])
    done = run("leaks", cards=[answers(leaks=None)])
    equal((done.rc, done.err), (0, ""))
    equal(done.lines[2:5], [
        "  30 MiB in 3 buffers, confirmed, 6 min 40 s to 6 min 40 s old, live, VRAM",
        f"    leaker (pid {GONE}, exited), label texture", "      leaker+0x40"])
    for args, count in ((["--confirmed"], 3), (["--state=orphan"], 1), (["--pid=1"], 3),
                        (["--min-size=4M"], 4), (["--min-age=51"], 6)):
        device = run("leaks", "--json", *args, cards=[answers()]).json["devices"][0]
        equal(device["listed_objects"], count)
    found = run("leaks", "--json", "--by=owner", cards=[answers()]).json["devices"][0]["groups"]
    equal([(g["comm"], g["objects"]) for g in found],
          [("leaker", 3), ("init", 3), (None, 1), ("fifteen letters", 1)])


def test_ioctls_that_tell_of_some():
    """Who is told of his own buffers alone, and may read the list, reads the list."""
    part = {"PDDGPU_FAKE_PART": "1"}
    done = run("leaks", "--json", cards=[answers()], env=part).json["devices"][0]
    equal(done["listed_objects"], 6)
    equal(done["groups"][0]["stack"], ["a+0x1/0x2", "b", "c"])
    done = run("leaks", cards=[user(answers())], env=part)
    equal(done.rc, 0)
    assert "only root may see which buffers they are" in done.err, done.err


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
