# SPDX-License-Identifier: MIT
"""What is in the page, against what is on the made-up cards."""
import json
import os

from common import MIB, QUICK, document_of, equal, many, page_of, run


def card_of(worlds, time="5m"):
    with open(page_of(worlds, time), "rb") as file:
        return document_of(file.read())[0]["cards"][0]


def by_name(card):
    return {(group["comm"], group["label"]): group for group in card["groups"]}


def test_a_leaky_card():
    card = card_of("leaky")
    groups = by_name(card)
    assert groups["python3", "workspace"]["rating"] in ("growing while idle", "idle")
    equal(groups["compositor", "surface"]["rating"], "orphaned")
    equal(groups["player", "decoded frame"]["rating"], "stuck")
    for name in (("game", "texture"), ("game", None), ("python3", "activations")):
        assert not groups[name]["leak"], groups[name]
    leaks = [group for group in card["groups"] if group["leak"]]
    equal(card["leaked_bytes"], sum(group["leaked_bytes"] for group in leaks))
    equal(card["leaked_objects"], sum(group["leaked_objects"] for group in leaks))
    equal(card["leaked_bytes"], sum(r["bytes"] for r in card["ratings"] if r["leak"]))
    for group in leaks:
        assert group["why"]
    assert card["per_minute"] > 0 and card["full_ms"] > 0
    events = [line["event"] for line in card["log"]]
    for event in ("alert", "clear", "unfreed", "rating"):
        assert event in events, events


def test_a_clean_card():
    card = card_of("clean")
    equal((card["leaked_bytes"], card["leaked_objects"], card["full_ms"]), (0, 0, None))
    assert not any(group["leak"] for group in card["groups"])
    equal([line for line in card["log"] if line["leak"]], [])


def test_time():
    """Each second the sums of all owners are what all buffers have."""
    card = card_of("leaky")
    time = card["time"]
    equal(time["ms"], list(range(0, 300001, 1000)))
    for region, kernel in (("vram", 2 * MIB), ("gtt", 0), ("cpu", 0)):
        for i, used in enumerate(time["used"][region]):
            equal(sum(one[region][i] for one in time["series"]) + kernel, used)
    for i in range(0, 301, 50):
        equal(sum(values[i] for values in time["rated"].values()),
              sum(time["used"][region][i] for region in ("vram", "gtt", "cpu")) - 2 * MIB)
    for owner, series in zip(card["owners"], time["series"]):
        equal(owner["vram"], series["vram"][-1])
        equal(owner["peak"], max(map(sum, zip(series["vram"], series["gtt"], series["cpu"]))))


def test_a_long_time():
    """Two days: fewer points, but none of the peaks is lost."""
    done = run("--for", "2d", "--interval", "30s", "--json", program=QUICK)
    card = json.loads(done.stdout)["cards"][0]
    times = card["time"]["ms"]
    assert 512 <= len(times) <= 1024, len(times)
    equal((times[0], times[-1], times), (0, 2 * 86400000, sorted(set(times))))
    sums = [sum(one["vram"][i] + one["gtt"][i] + one["cpu"][i] for one in card["time"]["series"])
            for i in range(len(times))]
    assert max(sums) >= sum(o["peak"] for o in card["owners"]) * 0.5


def test_the_map():
    card = card_of("leaky")
    equal([region["region"] for region in card["map"]], ["vram", "gtt"])
    for region in card["map"]:
        for by in ("by_owner", "by_state"):
            cells = sum(region[by][2::3])
            equal(cells, -(-region["size"] // region["cell_bytes"]))
            assert cells <= 16384
        equal(sum(region["states"]), region["size"])
        equal(sum(size and blocks for size, blocks in region["orders"]), region["free_blocks"])
        assert region["free"] >= region["largest_run"] >= region["largest_block"] > 0
        equal(round(region["fragmentation"], 6), round(1 - region["largest_run"] / region["free"], 6))
    owners = {card["owners"][key]["comm"] for key in card["map"][0]["by_owner"][::3] if key >= 0}
    equal(owners, {"game", "compositor", "python3", "player"})


def test_the_flame_graph():
    card = card_of("leaky")
    nodes = card["flame"]
    equal(nodes[0][:3], [-1, "all", ""])
    equal(nodes[0][4], card["leaked_bytes"])
    for what in (3, 4, 5):
        sums = [0] * len(nodes)
        for node in nodes[1:]:
            sums[node[0]] += node[what]
        for node, below in zip(nodes, sums):
            assert below <= node[what], node
        equal(sums[0], nodes[0][what])
    names = [node[2] for node in nodes if node[1] == "user"]
    assert any("libtrain.so.3" in name for name in names), names
    group = by_name(card)["python3", "workspace"]
    site = card["sites"][group["site"]]
    # Not the library that only hands on what the program asks for
    assert "libtrain" in site["frames"][site["main"]][1], site
    equal([frame[0] for frame in site["frames"]], ["kernel"] * 3 + ["user"] * 5)


def test_an_older_driver():
    card = card_of("old")
    assert card["by_age"] and card["judged"]
    equal({group["rating"] for group in card["groups"]} <= {"suspicious", "confirmed"}, True)
    equal(card["time"]["rated"], None)
    equal(sum(rating["bytes"] for rating in card["ratings"]), card["leaked_bytes"])
    assert card["leaked_bytes"] > 0
    # Who has what is known all the same
    assert {"game", "python3"} <= {owner["comm"] for owner in card["owners"]}


def test_an_empty_card():
    card = card_of("empty")
    equal((card["owners"], card["groups"], card["flame"], card["leaked_bytes"]), ([], [], [], 0))
    equal(card["map"][0]["fragmentation"], 0)


def test_a_hundred_thousand():
    path = many()
    assert os.path.getsize(path) < 20 << 20
    with open(path, "rb") as file:
        card = document_of(file.read())[0]["cards"][0]
    equal(sum(rating["objects"] for rating in card["ratings"]), 100000)
    equal(card["flame"][0][5], 100000)
    equal(card["owners_all"], 1000)
    assert card["groups_all"] > len(card["groups"])
    series = card["time"]["series"]
    equal(len(series), 13)
    for region, kernel in (("vram", 2 * MIB), ("gtt", 0)):
        equal(sum(one[region][-1] for one in series) + kernel, card["time"]["used"][region][-1])


def test_more_owners_than_are_told_apart():
    done = run("--for", "10s", "--json", worlds="wide", program=QUICK)
    card = json.loads(done.stdout)["cards"][0]
    equal(len(card["owners"]), 200)
    series = card["time"]["series"]
    equal(series[-1]["owner"], None)
    equal(sum(one["vram"][-1] for one in series), card["time"]["used"]["vram"][-1] - 2 * MIB)
    assert len(done.stdout) < 20 << 20
    assert card["flame_more"]
