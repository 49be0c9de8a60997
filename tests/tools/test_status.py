# SPDX-License-Identifier: MIT
"""pddgpu list and status: sums, processes, queries."""
import os
import re
import shutil
import tempfile

from command import SCRATCH, equal, jq, on_terminal, plain, run
from drm import Machine
from world import GONE, KIB, MIB, Owner, card, user

HERE = os.getpid()


def owners():
    return [
        Owner(1, HERE, "python3", [("vram", "LIVE", 10 * MIB)] * 8 + [("gtt", "LIVE", MIB)]),
        Owner(4, HERE, "python3", [("vram", "LIVE", 2 * MIB)]),
        Owner(2, GONE, "leaker", [("vram", "ORPHAN", 20 * MIB), ("gtt", "ORPHAN", 3 * MIB),
                                  ("vram", "ZOMBIE", 64 * KIB)]),
        Owner(3, 1, "other", [("cpu", "LIVE", 12 * KIB)]),
        Owner(0, 0, "", [("vram", "ZOMBIE", 4096)]),
    ]


def test_list():
    done = run("list", cards=[card(), card(number=1)])
    equal(done.rc, 0)
    equal(done.lines[0].split(), ["PCI", "NAME", "VRAM", "VISIBLE", "GTT", "CARD", "RENDER"])
    equal(done.lines[1].split(), ["0000:00:04.0", "PDD1000", "256", "MiB", "256", "MiB",
                                  "512", "MiB", "/dev/dri/card0", "/dev/dri/renderD128"])
    equal(done.err, "")
    found = run("list", "--json", cards=[card(), card(number=1)]).raw
    equal(jq(found, ".schema"), '"pddgpu.list/1"')
    equal(jq(found, "[.devices[].pci]"), '["0000:00:04.0","0000:00:05.0"]')
    equal(jq(found, ".devices[0].vram_bytes"), str(256 * MIB))


def test_no_card():
    for name in ("list", "status", "stats", "leaks", "map"):
        done = run(name, cards=[])
        equal((done.rc, done.out, done.err), (3, "", "pddgpu: no PDDGPU card\n"))
        done = run(name, "--json", cards=[])
        equal(done.rc, 3)
        equal(jq(done.raw, ".devices"), "[]")


def test_one_card_by_name():
    cards = [card(), card(number=1)]
    for name in ("list", "status", "stats", "leaks", "map"):
        found = run(name, "--json", "--device", "0000:00:05.0", cards=cards).raw
        equal(jq(found, "[.devices[].pci]"), '["0000:00:05.0"]')
        done = run(name, "-d", "0000:00:09.0", cards=cards)
        equal(done.rc, 3)
        assert "0000:00:09.0" in done.err and done.err.count("\n") == 1, done.err


def test_a_card_that_cannot_be_opened():
    cards = [card(owners(), open_error="EACCES"), card(number=1)]
    for name in ("list", "status", "stats", "leaks", "map"):
        done = run(name, "--json", cards=cards)
        equal(done.rc, 4)
        equal(jq(done.raw, "[.devices[].error != null]"), "[true,false]")
        assert "0000:00:04.0: cannot open it" in done.err, done.err


def test_sums_are_exact():
    for region in run("status", "--json", cards=[card(owners())]).json["devices"]:
        for name in ("vram", "gtt", "cpu"):
            part = region[name]
            equal(part["used"], part["live"] + part["orphan"] + part["zombie"] + part["kernel"])
        equal(region["vram"]["used"], 104 * MIB + 68 * KIB)
        equal(region["vram"]["free"], region["vram"]["total"] - region["vram"]["used"])


def test_the_line_adds_up():
    """Whatever the sizes are: the numbers that are printed are exact."""
    for size in (1, 4096, 5 * KIB, MIB, 3 * MIB + 4096, (1 << 40) + 7):
        odd = [Owner(1, 1, "a", [("vram", "LIVE", size), ("vram", "ORPHAN", 3 * MIB),
                                 ("gtt", "ZOMBIE", size)])]
        lines = run("status", cards=[card(odd, kernel=2 * MIB)]).lines
        sums = [line for line in lines if "used " in line and " = " in line]
        equal(len(sums), 3)
        for line in sums:
            used, parts = line.split(" = ")
            used = int(used.split()[1])
            parts = [int(n) for n in re.findall(r" (\d+)", " " + parts)]
            equal(len(parts), 4)
            equal(used, sum(parts))


def test_processes_add_up():
    device = run("status", "--json", cards=[card(owners())]).json["devices"][0]
    equal(device["processes_exact"], True)
    for region in ("vram", "gtt", "cpu"):
        equal(sum(p[region]["used"] for p in device["processes"]) + device[region]["kernel"],
              device[region]["used"])
        for state in ("live", "orphan", "zombie"):
            equal(sum(p[region][state] for p in device["processes"]), device[region][state])


def test_processes_and_their_files():
    found = run("status", "--json", cards=[card(owners())]).json["devices"][0]["processes"]
    equal([p["comm"] for p in found], ["python3", "leaker", "other", None])
    equal(found[0]["clients"], [1, 4])
    equal([p["exited"] for p in found][1], True)
    equal(found[3]["pid"], None)
    # The name of this process may be another now; then it is not known
    assert found[0]["exited"] in (False, None)


def test_the_table_of_processes():
    lines = run("status", cards=[card(owners())]).lines
    at = next(i for i, line in enumerate(lines) if line.split()[:2] == ["PID", "NAME"])
    rows = lines[at + 1:]
    equal(len(rows), 6)
    equal(rows[1].split()[:2], [str(GONE), "leaker"])
    assert rows[1].endswith("exited"), rows[1]
    assert "exited" not in rows[0] and "exited" not in rows[2]
    equal(rows[4].split()[:4], ["-", "kernel", "2", "MiB"])
    equal(rows[5].split()[:3], ["total", "104.1", "MiB"])
    few = run("status", "--max=1", cards=[card(owners())]).lines
    equal(few[-1], "  and 3 more")


def test_no_blanks_at_the_end_of_lines():
    for name in ("list", "status", "stats", "leaks", "map"):
        for line in run(name, cards=[card(owners())]).lines:
            equal(line, line.rstrip())


def test_sums_that_disagree():
    """Memory came and went while owners were read: it is said, not hidden."""
    spoiled = card(owners())
    spoiled["owners"][0]["vram"][0] += 4096
    done = run("status", cards=[spoiled])
    equal(done.rc, 0)
    equal(done.lines[-1], "  Memory came and went meanwhile: the rows may not add up.")
    found = run("status", "--json", cards=[spoiled]).json["devices"][0]
    equal(found["processes_exact"], False)


def test_a_line_that_makes_no_sense():
    """What a newer driver may print among the owners is passed over."""
    spoiled = card(owners())
    spoiled["owners"].insert(1, "EPROTO")
    found = run("status", "--json", cards=[spoiled]).json["devices"][0]
    equal(len(found["processes"]), 4)


def test_an_ordinary_user():
    done = run("status", cards=[user(card(owners()))])
    equal(done.rc, 0)
    equal(done.err, "pddgpu: processes of others and health are shown to root only\n")
    assert "live 83968 + orphaned 20480" in done.out, done.out
    assert "PID" not in done.out
    found = run("status", "--json", cards=[user(card(owners()))])
    equal(found.rc, 0)
    equal(jq(found.raw, ".devices[0] | [.processes, .health, .processes_from]"),
          '[[],null,"fdinfo"]')


def test_an_ordinary_users_own_processes():
    tree = Machine()
    tree.client(GONE, "mine", 1, vram=30 * MIB, gtt=MIB)
    tree.client(GONE, "mine", 2, vram=2 * MIB, fd=6)
    tree.client(GONE, "mine", 3, fd=7)
    env = {"PDDGPU_FAKE_PROC": tree.proc}
    done = run("status", cards=[user(card(owners()))], env=env)
    equal(done.err, "pddgpu: processes of others and health are shown to root only\n")
    rows = [" ".join(line.split()) for line in done.lines[-4:]]
    equal(rows, [f"{GONE} mine 32 MiB 1 MiB - - - -",
                 "- others 70.1 MiB 3 MiB 12 KiB - - -", "- kernel 2 MiB - - - - -",
                 "total 104.1 MiB 4 MiB 12 KiB 23 MiB 68 KiB 15"])
    found = run("status", "--json", cards=[user(card(owners()))], env=env).json["devices"][0]
    equal([(p["pid"], p["comm"], p["vram"]["used"], p["vram"]["live"], p["clients"])
           for p in found["processes"]], [(GONE, "mine", 32 * MIB, None, [1, 2])])
    equal((found["processes_from"], found["processes_exact"]), ("fdinfo", False))
    done = run("status", "--query-processes=comm,gtt.used,gtt.live", "-f", "csv,noheader",
               cards=[user(card(owners()))], env=env)
    equal(done.lines, [f"mine, {MIB} B, [N/A]"])


def test_whom_the_card_is_closed_to():
    """He sees what sysfs tells everybody."""
    root = tempfile.mkdtemp(prefix="sys-", dir=SCRATCH)
    folder = os.path.join(root, "bus/pci/devices/0000:00:04.0")
    os.makedirs(folder)
    closed = card(owners(), open_error="EACCES")
    env = {"PDDGPU_FAKE_SYS": root}
    figures = {"vram_total": 256 * MIB, "vram_used": 64 * MIB, "gtt_total": 512 * MIB,
               "gtt_used": 0}
    for name, value in figures.items():
        # Half of them is none
        equal(run("status", cards=[closed], env=env).out, "")
        with open(os.path.join(folder, f"mem_info_{name}"), "w", encoding="ascii") as f:
            f.write(f"{value}\n")
    done = run("status", cards=[closed], env=env)
    equal((done.rc, done.err), (4, "pddgpu: 0000:00:04.0: cannot open it: Permission denied\n"))
    equal(done.lines, ["PDDGPU  0000:00:04.0  card0 renderD128",
                       "  VRAM  64 MiB of 256 MiB, 25.0 %", "  GTT   0 B of 512 MiB, 0.0 %"])
    done = run("status", "--json", cards=[closed], env=env)
    equal(jq(done.raw, ".devices[0] | [.error, .vram]"), '["Permission denied",{"total":'
          f'{256 * MIB},"used":{64 * MIB},"free":{192 * MIB}}}]')
    done = run("--query=vram.used,vram.live,name", "--format=csv,noheader", cards=[closed], env=env)
    equal((done.rc, done.lines), (4, [f"{64 * MIB} B, [N/A], [N/A]"]))
    shutil.rmtree(root)


def test_no_debugfs():
    done = run("status", cards=[card(owners(), owners="ENOENT", debugfs=None)])
    equal(done.rc, 0)
    equal(done.err, "pddgpu: who has ended, and health, need debugfs: "
          "mount -t debugfs none /sys/kernel/debug\n")


def test_an_older_driver():
    old = card(owners(), ownership=None, owners="EOPNOTSUPP")
    done = run("status", cards=[old])
    equal(done.rc, 0)
    assert "this driver does not say whose" in done.out
    found = run("status", "--json", cards=[old])
    equal(found.rc, 0)
    equal(jq(found.raw, ".devices[0].vram | [.used, .live, .kernel]"),
          f"[{104 * MIB + 68 * KIB},null,null]")


def test_health():
    done = run("status", cards=[card()])
    assert "card  healthy, VRAM READY, GTT READY; resets: 2 of engines, 1 of the chip" in \
        done.out, done.out
    bad = card(debugfs={"health": "device_healthy: 0\nvram_state: ERROR\n"
                        "vram_cause: freed\x1b[31m twice\ngtt_state: READY\nnonsense\n"})
    done = run("status", cards=[bad])
    assert "not healthy, VRAM ERROR (freed" in done.out, done.out
    assert "\x1b" not in done.out
    found = run("status", "--json", cards=[bad]).json["devices"][0]
    equal(found["health"]["vram_state"], "ERROR")


def test_a_wedged_card():
    done = run("status", cards=[card(query_error="EIO"), card(number=1)])
    equal(done.rc, 5)
    assert "0000:00:04.0: cannot ask it" in done.err
    assert "0000:00:05.0" in done.out


def test_queries():
    cards = [card(owners()), card(number=1)]
    done = run("status", "--query=pci,vram.used,stats.evictions,health.vram_state",
               "--format=csv", cards=cards)
    equal(done.lines, ["pci, vram.used [B], stats.evictions, health.vram_state",
                       f"0000:00:04.0, {104 * MIB + 68 * KIB} B, 7, READY",
                       f"0000:00:05.0, {2 * MIB} B, 7, READY"])
    bare = run("--query=vram.used, index", "--format=csv,noheader,nounits", cards=cards)
    equal(bare.lines, [f"{104 * MIB + 68 * KIB}, 0", f"{2 * MIB}, 1"])
    done = run("status", "-q", "vram.kernel,gtt.used", "-u", "MiB", "-f", "csv", cards=cards)
    equal(done.lines, ["vram.kernel [MiB], gtt.used [MiB]", "2 MiB, 4 MiB", "2 MiB, 0 MiB"])
    done = run("status", "-q", "health.vram_state,vram.used", cards=[user(card())])
    equal(done.lines[1], f"[N/A], {2 * MIB} B")
    # Only who asks for what is root's is told that it is
    assert "to root only" in done.err, done.err
    done = run("--query=vram.used,leaks.confirmed", cards=[user(card())])
    equal((done.rc, done.err), (0, ""))
    assert "to root only" in run("--query-processes=pid", cards=[user(card())]).err


def test_every_field_of_a_query():
    lines = run("status", "--help-query", cards=[card()]).lines
    names = {"query": [], "query-processes": []}
    for line in lines:
        if line.startswith("Fields of --"):
            found = names[line[12:].rstrip(":")]
        else:
            found.append(line.split()[0])
    assert len(names["query"]) > 50
    done = run("status", "--query", ",".join(names["query"]), cards=[card(owners())])
    values = done.lines[1].split(", ")
    equal(len(values), len(names["query"]))
    equal([n for n, v in zip(names["query"], values) if v == "[N/A]"], [])
    done = run("status", "--query-processes", ",".join(names["query-processes"]),
               cards=[card(owners())])
    equal(len(done.lines), 5)
    assert "[N/A]" not in done.lines[2]


def test_values_with_commas():
    odd = [Owner(1, GONE, 'a,"b', [("vram", "LIVE", MIB)])]
    done = run("status", "--query-processes=comm,pid", cards=[card(odd)])
    equal(done.lines[1], f'"a,""b", {GONE}')


def test_ten_thousand_owners():
    many = [Owner(n, GONE + n % 5000, f"p{n % 7}", [("vram", "LIVE", 4096)])
            for n in range(10000)]
    done = run("status", "--json", cards=[card(many)], timeout=20)
    equal(done.rc, 0)
    found = done.json["devices"][0]
    equal(found["processes_exact"], True)
    equal(sum(len(p["clients"]) for p in found["processes"]), 10000)


def test_a_terminal():
    done = on_terminal("status", cards=[card(owners())])
    assert "\x1b[32m" in done.out and "\u2588" in done.out, done.out
    done = on_terminal("status", cards=[card(owners())], env={"NO_COLOR": "1"})
    assert "\x1b" not in done.out and "[##" in done.out, done.out
    done = on_terminal("status", cards=[card(owners())], env={"TERM": "dumb"})
    assert "\x1b" not in done.out
    done = run("status", "--color=always", cards=[card(owners())])
    assert "\x1b[32m" in done.out and "[##" not in done.out
    # Colours take no room
    first = plain(on_terminal("list", cards=[card()], columns=120).out)
    equal(first, run("list", cards=[card()]).out)
