# SPDX-License-Identifier: MIT
"""pddgpu leaks --for and --watch: which buffers are leaks, as time goes by."""
import fcntl
import json
import os
import re
import signal
import subprocess
import time

from command import COMMAND, QUICK, environment, equal, jq, machine, run
from screen import Terminal
from world import GONE, MIB, card, looks, thing

START, STEP = 10 ** 7, 5000
SITES = {"1": [{"name": "pddgpu_gem_create_ioctl", "offset": 0x54},
               {"user": 1, "name": "/nowhere/painter", "offset": 0x1234}]}
FAST = ("-i", "0.1")


def painter(rounds, lose=3, owner=None, ends=None):
    """A program that makes a picture a look and frees it at the next, but loses one in
    so many; at the end, if there is one, it frees these as well."""
    owner = {"client": 7, "pid": GONE, "comm": "painter", "label": "picture", **(owner or {})}
    found, lost = [], []
    for n in range(rounds):
        now = START + n * STEP
        one = thing(n + 1, MIB, now, used_ms=now, **owner)
        if ends is not None and n >= ends:
            lost = []
        found.append(lost + [one])
        if lose and n % lose == 0:
            lost = lost + [one]
    return found


def leaky(rounds=30, **more):
    options = {key: more.pop(key) for key in ("lose", "owner", "ends") if key in more}
    return card(objects=looks(*painter(rounds, **options), step_ms=STEP), sites=SITES, **more)


def test_a_leak_by_and_by():
    done = run("leaks", "--for=3", *FAST, cards=[leaky()])
    equal((done.rc, done.err), (0, ""))
    assert re.match(r"0000:00:04\.0  looked for 2 min [\d.]+ s: \d+ MiB in \d+ buffers leaked, "
                    r"[\d.]+ MiB more each minute; VRAM lasts for ", done.lines[0]), done.out
    assert re.match(r"  (idle|growing while idle)  \d+ MiB in \d+ buffers", done.lines[2])
    equal(done.lines[3], f"    painter (pid {GONE}, exited), label picture")
    assert "unused" in done.lines[4]
    equal(done.lines[5], "      painter+0x1234")


def test_the_same_for_programs():
    done = run("leaks", "--for=3", "--json", *FAST, cards=[leaky()])
    equal(done.json["schema"], "pddgpu.verdict/1")
    device = done.json["devices"][0]
    group = device["groups"][0]
    equal((group["leak"], group["comm"], group["label"], group["pid"], group["exited"]),
          (True, "painter", "picture", GONE, True))
    equal((group["place"], [f["kind"] for f in group["frames"]]),
          ("painter+0x1234", ["kernel", "user"]))
    equal(device["leaked_bytes"], group["leaked_bytes"])
    equal(group["leaked_bytes"], group["leaked_objects"] * MIB)
    equal(sum(r["bytes"] for r in group["ratings"].values()), group["bytes"])
    assert 6 * MIB <= group["leaked_bytes"] <= 10 * MIB, group
    # One of 1 MiB in 15 s
    assert 2 * MIB < device["per_minute"] < 8 * MIB, device
    equal(device["lasts_ms"], device["vram_free"] * 60000 // device["per_minute"])
    assert 100 * 10 ** 9 < device["span_ns"] < 200 * 10 ** 9
    assert isinstance(group["oldest_ns"], int) and isinstance(group["idle_ns"], int)


def test_a_program_that_does_not():
    done = run("leaks", "--for=3", "--fail-on=0", *FAST, cards=[leaky(lose=0)])
    equal(done.rc, 0)
    assert ": no leaks" in done.lines[0]
    assert "in use" in done.out or "new" in done.out


def test_the_gate():
    def rc(*args):
        return run("leaks", "--for=3", *FAST, *args, cards=[leaky()]).rc
    equal(rc("--fail-on=0"), 1)
    equal(rc("--fail-on=1M"), 1)
    equal(rc("--fail-on=100M"), 0)
    equal(rc("--fail-on=1M", "--pid=1"), 0)
    equal(rc("--fail-on=1M", "--min-size=2M"), 0)


def test_since_now():
    """What is there at the start is nobody's business."""
    old = [thing(n, MIB, START - 3600000, state=1, label="old") for n in range(1, 9)]
    lists = [old + [{**one, "id": one["id"] + 100} for one in found] for found in painter(30)]
    entry = card(objects=looks(*lists, step_ms=STEP))
    labels = {args: {g["label"] for g in run("leaks", "--for=1", "--json", *args, *FAST,
                                             cards=[entry]).json["devices"][0]["groups"]}
              for args in ((), ("--since=boot",), ("--since=now",), ("--since=30m",),
                           ("--since=2h",))}
    both = {"old", "picture"}
    equal(list(labels.values()), [both, both, {"picture"}, {"picture"}, both])
    for wrong in ("yesterday", "", "-1"):
        equal(run("leaks", "--for=1", f"--since={wrong}", cards=[entry]).rc, 2)


def test_usage():
    for wrong in (["--since=now"], ["--interval=1"], ["--for=1", "--by=owner"],
                  ["--for=1", "--scan"], ["--watch", "--fail-on=confirmed"], ["--for=x"],
                  ["--watch", "--query=bytes"], ["--for=1", "--interval=1ms"],
                  ["--for=1", "--state=live"], ["--for=1", "--output=x"]):
        done = run("leaks", *wrong, cards=[leaky()])
        equal((wrong, done.rc, done.out, done.err.count("\n")), (wrong, 2, "", 1))


def test_an_older_driver():
    done = run("leaks", "--for=1", cards=[card()])
    equal((done.rc, done.out), (5, ""))
    assert "too old" in done.err and done.err.count("\n") == 1
    equal(run("leaks", "--for=1", cards=[]).rc, 3)
    equal(jq(run("leaks", "--for=1", "--json", cards=[]).raw, ".devices"), "[]")
    # The list needs nothing of it
    done = run("leaks", "--json", cards=[card()])
    equal((done.rc, done.json["devices"][0]["verdict"]), (0, None))


def test_a_first_look():
    """The list tells what more can be known."""
    orphans = [thing(n, MIB, START - 3600000, state=1) for n in range(1, 9)]
    entry = card(objects=looks(orphans), sites=SITES, stats={"leak_suspicious": 8})
    done = run("leaks", cards=[entry])
    equal(done.rc, 0)
    assert "pddgpu leaks --for=1m says which are leaks, and why" in done.lines[-1]
    verdict = run("leaks", "--json", cards=[entry]).json["devices"][0]["verdict"]
    equal((verdict["span_ns"], verdict["groups"][0]["objects"]), (0, 8))
    equal(run("leaks", cards=[card(objects=looks([]))]).lines,
          ["0000:00:04.0  0 suspicious (0 B), 0 confirmed (0 B)"])


def test_watch_tells_what_changes():
    done = run("leaks", "--watch", "--for=4", *FAST, cards=[leaky(40, ends=32)])
    equal(done.rc, 0)
    lines = [line for line in done.lines if re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", line)]
    events = [line.split()[2] for line in lines]
    equal((events[0], events[-1]), ("leak", "gone"))
    assert 3 <= len(events) <= 12, events
    assert "painter+0x1234" in lines[0] and "label picture" in lines[0], lines[0]
    # And at the end what it comes to
    assert any(line.startswith("0000:00:04.0  looked for ") for line in done.lines)


def test_watch_as_json():
    done = run("leaks", "--watch", "--for=4", "--json", *FAST, cards=[leaky(40, ends=32)])
    documents = [json.loads(line) for line in done.lines]
    events = [document["event"] for document in documents]
    equal((events[0], events[-1]), ("first", "last"))
    equal(set(events[1:-1]), {"change"})
    assert 3 <= len(events) <= 16, events
    leaked = [document["devices"][0]["leaked_bytes"] for document in documents]
    equal((leaked[0], leaked[-1]), (0, 0))
    assert max(leaked) >= 6 * MIB
    times = [document["time_ms"] for document in documents]
    equal(times, sorted(times))


def test_watch_ends_at_the_limit():
    done = run("leaks", "--watch", "--fail-on=3M", *FAST, cards=[leaky()], timeout=30)
    equal(done.rc, 1)
    assert re.search(r"looked for .* [34] MiB in [34] buffers leaked", done.out), done.out


def test_watch_until_a_signal():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        child = subprocess.Popen([COMMAND, "leaks", "--watch", "--json", *FAST],
                                 env=environment([leaky()], {}), stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        equal(json.loads(child.stdout.readline())["event"], "first")
        child.send_signal(number)
        out, err = child.communicate(timeout=20)
        equal((child.returncode, err), (0, b""))
        equal(json.loads(out.splitlines()[-1])["event"], "last")


def test_watch_into_a_full_pipe():
    """Which nobody reads: it ends when it is told to all the same, and says why."""
    for args in (["--json"], []):
        ours, its = os.pipe()
        fcntl.fcntl(its, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(its, False)
        os.write(its, bytes(4096))
        os.set_blocking(its, True)
        child = subprocess.Popen([COMMAND, "leaks", "--watch", *args, *FAST],
                                 env=environment([leaky()], {}), stdout=its,
                                 stderr=subprocess.PIPE)
        os.close(its)
        time.sleep(1)
        equal(child.poll(), None)
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=20)
        equal((child.returncode, err), (5, b"pddgpu: cannot write the output: "
                                           b"Interrupted system call\n"))
        os.close(ours)


def test_a_card_that_does_not_answer():
    """It is said once, and what leaked there is not said to be none any more."""
    lists = painter(30) + ["EIO"] * 40
    entry = card(objects=looks(*lists, step_ms=STEP), sites=SITES)
    done = run("leaks", "--watch", "--for=5", *FAST, cards=[entry])
    equal((done.rc, done.err.count("cannot ask it"), done.err.count("\n")), (5, 1, 1))
    assert "  leak  " in done.out and "  gone  " not in done.out, done.out
    # Those that are there when it answers again are no news
    entry = card(objects=looks(*painter(30), *["EIO"] * 5, *painter(30)[-1:], step_ms=STEP),
                 sites=SITES)
    done = run("leaks", "--watch", "--for=5", *FAST, cards=[entry])
    equal(done.err.count("cannot ask it"), 1)


def test_a_card_that_goes():
    """In the middle of anything; the other one is watched on."""
    for args in (["--for=0.3"], ["--watch", "--for=0.3"]):
        for calls in range(40):
            done = run("leaks", *args, "--json", *FAST,
                       cards=[leaky(vanish_after=calls), leaky(number=1)])
            last = json.loads(done.lines[-1] if "--watch" in args else done.out)
            gone, left = last["devices"]
            equal(left["error"], None)
            assert done.rc in (0, 3), (calls, done.err)
            equal(done.rc == 3, gone["error"] is not None)
    done = run("leaks", "--watch", "--for=0.5", *FAST, cards=[leaky(vanish_after=0)])
    equal(done.rc, 3)


def test_a_reader_that_goes():
    child = subprocess.Popen([COMMAND, "leaks", "--watch", "--json", *FAST],
                             env=environment([leaky()], {}), stdout=subprocess.PIPE)
    child.stdout.readline()
    child.stdout.close()
    assert child.wait(20) in (-signal.SIGPIPE, 0)


def test_ids_that_begin_anew():
    """A card that was bound anew between two looks."""
    first = [thing(n, MIB, START - 600000, state=1) for n in range(1, 30)]
    again = [thing(1, MIB, START + STEP + 1)]
    entry = card(objects=looks(first, first, again, again, step_ms=STEP), bound=[1, 1, 2, 2])
    device = run("leaks", "--for=1", "--json", *FAST, cards=[entry]).json["devices"][0]
    equal([(g["objects"], g["leak"]) for g in device["groups"]], [(1, False)])
    assert device["span_ns"] < 60 * 10 ** 9


def test_odd_texts():
    odd = b"\x1b[Km\xff\n"
    owner = {"comm_hex": odd.hex(), "label_hex": odd.hex()}
    entry = leaky(owner=owner)
    entry["sites"] = {"1": [{"user": 1, "name_hex": (b"/x/" + odd).hex(), "offset": 5}]}
    for args in ((), ("--watch",)):
        done = run("leaks", "--for=3", *FAST, *args, cards=[entry])
        assert "\x1b" not in done.out and "\\x1b[Km\\xff\\n" in done.out, done.out
    done = run("leaks", "--for=3", "--json", *FAST, cards=[entry])
    equal(done.json["devices"][0]["groups"][0]["label"], "\x1b[Km\ufffd\n")


def test_on_a_terminal():
    path = machine(leaky())
    watched = Terminal([COMMAND, "leaks", "--watch", *FAST], rows=12, columns=60,
                       env=environment(path, {}))
    watched.wait("no leaks")
    watched.wait(lambda text: " MiB in " in text.splitlines()[0])
    text = watched.wait("painter+0x1234")
    assert "unused" in text and len(text.splitlines()) <= 12
    watched.resize(5, 30)
    watched.wait(lambda text: "looked for" in text.splitlines()[0])
    os.kill(watched.pid, signal.SIGINT)
    equal(watched.end(), 0)
    # What does not fit is left out, and nothing is broken
    for line in watched.lines():
        assert len(line) <= 60


def test_groups_without_number():
    lists = [[thing(n, MIB, START - 1000, label=chr(64 + n // 10) + chr(64 + n % 10))
              for n in range(1, 101)]]
    entry = card(objects=looks(*lists))
    done = run("leaks", "--for=0.2", *FAST, cards=[entry])
    equal(done.lines[-1], "  and 90 more groups")
    equal(run("leaks", "--for=0.2", "-n", "3", *FAST, cards=[entry]).lines[-1],
          "  and 97 more groups")
    assert "more group" not in run("leaks", "--for=0.2", "-n", "0", *FAST, cards=[entry]).out
    document = run("leaks", "--for=0.2", "--json", *FAST, cards=[entry]).json
    equal(len(document["devices"][0]["groups"]), 100)


def test_a_hundred_thousand_buffers():
    """All of them are in what is told, in 1.3 groups each thousand; the time it takes is
    shown, `make bench` tells what it is on a card."""
    path = machine(card(objects={"start_ms": START, "step_ms": 1000, "made": 100000}))
    for args in (["--for=0"], ["--for=0", "--json"], ["--for=0", "-n", "0"], []):
        start = time.monotonic()
        done = run("leaks", *args, cards=path, program=QUICK)
        took = time.monotonic() - start
        equal(done.rc, 0)
        print(f"# leaks {' '.join(args)}: {took * 1000:.0f} ms for 100,000 buffers")
        if "--json" in args:
            groups = done.json["devices"][0]["groups"]
            equal(sum(group["objects"] for group in groups), 100000)
