# SPDX-License-Identifier: MIT
"""pddgpu stats: figures, histograms, rates."""
import json
import os
import re
import signal
import subprocess

from command import COMMAND, TOP, environment, equal, jq, machine, on_terminal, run
from world import MIB, card


def test_every_member():
    """All of the structure, in its order."""
    with open(os.path.join(TOP, "include/uapi/drm/pddgpu_drm.h"), encoding="utf-8") as f:
        text = re.search(r"struct drm_pddgpu_memory_stats \{(.*?)\n\};", f.read(), re.S).group(1)
    members = re.findall(r"__u64 (\w+)", text)
    assert len(members) > 30
    stats = {name: n + 1 for n, name in enumerate(members) if "histogram" not in name}
    found = run("stats", "--json", cards=[card(stats=stats)]).json["devices"][0]["stats"]
    equal(set(found), set(members))
    equal({name: found[name] for name in stats}, stats)
    lines = run("stats", cards=[card()]).out
    for name in stats:
        assert f"  {name} " in lines, name


def test_histograms():
    lines = run("stats", cards=[card()]).lines
    at = lines.index("  allocation times: 1000; half of them below 16.4 us, "
                     "99 % below 32.8 us")
    equal(lines[at + 1:at + 4], ["    8.2 us # 3", "   16.4 us " + "#" * 40 + " 800",
                                 "   32.8 us " + "#" * 10 + " 197"])
    assert not any("deallocation times" in line for line in lines)
    found = run("stats", "--json", cards=[card()]).json["devices"][0]["stats"]
    equal(len(found["move_histogram"]), 32)
    equal(found["move_histogram"][20], 12)
    ends = card(stats={"move_histogram": [1] + [0] * 30 + [2 ** 62]})
    lines = run("stats", cards=[ends]).lines
    assert "      2 ns # 1" in lines, lines
    assert any(re.match(r"      more #+ 4611686018427387904", line) for line in lines), lines


def test_rates():
    moving = card(stats={"evictions": [0, 50, 150], "bytes_moved": [0, MIB, MIB],
                         "total_allocations": [7, 7, 8]})
    lines = run("stats", "--json", "--interval=0.1", "--count=2", cards=[moving]).lines
    equal(len(lines), 3)
    for line in lines:
        equal(jq(line.encode(), ".schema"), '"pddgpu.stats/1"')
    first, second, third = (json.loads(line)["devices"][0]["since"] for line in lines)
    equal(first, None)
    equal((second["delta"]["evictions"], third["delta"]["evictions"]), (50, 100))
    equal((second["delta"]["bytes_moved"], third["delta"]["bytes_moved"]), (MIB, 0))
    for since in (second, third):
        wanted = since["delta"]["evictions"] / (since["ns"] / 1e9)
        assert abs(since["per_second"]["evictions"] - wanted) < 0.01 * wanted
        assert since["ns"] >= 50000000


def test_lines():
    moving = card(stats={"evictions": [0, 0, 10000]})
    done = run("stats", "-i", "100ms", "-n", "2", cards=[moving, card(number=1)])
    equal(done.rc, 0)
    equal([line.split()[0] for line in done.lines],
          ["CARD", "0000:00:04.0", "0000:00:05.0", "0000:00:04.0", "0000:00:05.0"])
    place = done.lines[0].split().index("EVICT/S") + 2    # sizes are two words
    equal(done.lines[1].split()[place], "0")
    rate = int(done.lines[3].split()[place])
    assert 10000 < rate < 110000, rate


def test_counters_that_were_reset():
    moving = card(stats={"evictions": [1000, 30]})
    lines = run("stats", "--json", "-i0.05", "-n1", cards=[moving]).lines
    equal(json.loads(lines[1])["devices"][0]["since"]["delta"]["evictions"], 30)


def test_a_card_that_goes():
    done = run("stats", "-i0.05", cards=[card(vanish_after=3)], timeout=20)
    equal(done.rc, 3)
    equal(len(done.lines), 3)
    equal(done.err.count("\n"), 1)
    done = run("stats", "-i0.05", "-n4", cards=[card(vanish_after=2), card(number=1)])
    equal(done.rc, 3)
    equal(sum(line.startswith("0000:00:05.0") for line in done.lines), 4)
    equal(sum(line.startswith("0000:00:04.0") for line in done.lines), 1)


def test_lines_come_when_they_are_made():
    with subprocess.Popen([COMMAND, "stats", "-i0.1"], stdout=subprocess.PIPE,
                          env=environment(machine(card()), {})) as child:
        header = child.stdout.readline()
        line = child.stdout.readline()
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=10)
    assert header.startswith(b"CARD") and line.startswith(b"0000:00:04.0")
    equal(child.returncode, -signal.SIGINT)


def test_a_reader_that_goes():
    with subprocess.Popen([COMMAND, "stats", "-i0.05"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE,
                          env=environment(machine(card()), {})) as child:
        child.stdout.readline()
        child.stdout.close()
        equal(child.wait(timeout=10), -signal.SIGPIPE)
        equal(child.stderr.read(), b"")


def test_headers_come_again():
    done = on_terminal("stats", "-i0.01", "-n8", cards=[card()], rows=5)
    equal(sum("EVICT/S" in line for line in done.lines), 3)
