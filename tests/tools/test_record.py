# SPDX-License-Identifier: MIT
"""pddgpu record and replay."""
import json
import os
import signal
import subprocess
import tempfile
import threading
import time

from command import COMMAND, SCRATCH, environment, equal, run
from drm import CARD, MIB, Machine, on_screen
from test_top import owned_world

HEADER = b'{"schema":"pddgpu.record/1","start_ms":0,"interval_ms":1000,"host":"h"}\n'
CLIENT = (b'{"t":0,"clients":[{"i":0,"d":"dev","r":"drv","c":1,"p":5,"n":"x",'
          b'"m":{"vram":[4096]}}]}\n')


def path(name="recording"):
    return os.path.join(tempfile.mkdtemp(dir=SCRATCH), name)


def save(data):
    name = path()
    with open(name, "wb") as f:
        f.write(data)
    return name


def record(machine, *args, cards=()):
    name = path()
    done = run("record", "-o", name, "-i", "0.2", *args, *machine.args(), cards=cards)
    equal((done.rc, done.out, done.err), (0, "", ""))
    return name


def play(name, *args):
    done = run("replay", "--json", *args, name)
    return done, [json.loads(line) for line in done.lines]


def without_rates(document):
    """What top says, without times and what follows from earlier samples."""
    for one in document["clients"] + document["cards"]:
        one.pop("growth_bytes_per_minute", None)
        one.pop("busy_percent", None)
        for engine in (one.get("engines") or {}).values():
            engine.pop("busy_percent", None)
    document.pop("time_ms")
    document.pop("schema")
    return document


def test_what_is_replayed_is_what_top_shows():
    for driver in ("pddgpu", "amdgpu", "xe", "i915", "panthor", "msm"):
        machine = Machine(driver)
        name = record(machine, "-n", "2")
        _, played = play(name)
        equal(len(played), 2)
        top = run("top", "--json", "-n", "1", "-i", "0.1", *machine.args()).json
        # Bytes that are no characters are replaced once.
        equal(without_rates(played[1]), without_rates(top))


def test_ownership_is_kept():
    machine, entry = owned_world()
    _, played = play(record(machine, "-n", "2", cards=[entry]))
    top = run("top", "--json", "-n", "1", "-i", "0.1", *machine.args(), cards=[entry]).json
    equal(without_rates(played[1]), without_rates(top))
    equal(played[1]["exited_known"], True)


def test_changes_are_kept():
    machine = Machine()
    name = path()
    machine.client(10, "stays", 1, vram=MIB)
    child = subprocess.Popen([COMMAND, "record", "-o", name, "-i", "0.1", *machine.args()],
                             env=environment((), None))
    expected = []
    for step in range(12):
        machine.client(10, "stays", 1, vram=(step + 1) * MIB, copy_ns=step * 1000)
        if step == 4:
            machine.client(20, "comes", 2, vram=MIB)
        if step == 8:
            machine.no_process(20)
        expected.append((step + 1) * MIB)
        time.sleep(0.25)
    child.send_signal(signal.SIGTERM)
    equal(child.wait(20), 0)
    _, played = play(name)
    found = [c["vram_bytes"] for d in played for c in d["clients"] if c["name"] == "stays"]
    equal(sorted(set(found)), expected)
    there = ["comes" in [c["name"] for c in d["clients"]] for d in played]
    assert not there[0] and any(there) and not there[-1], there
    summary = run("replay", "--summary", "--json", name).json
    equal(summary["schema"], "pddgpu.replay-summary/1")
    stays, comes = summary["clients"]
    equal((stays["name"], stays["last_bytes"], stays["most_bytes"]), ("stays", 12 * MIB, 12 * MIB))
    assert stays["growth_bytes_per_minute"] > 60 * MIB
    assert comes["name"] == "comes" and comes["to_ms"] < stays["to_ms"]
    text = run("replay", name).out
    assert "stays" in text and "12.0M" in text, text


def test_it_is_small_and_flushed():
    machine = Machine()
    for pid in range(100, 200):
        machine.client(pid, "idle", pid, vram=MIB)
    name = path()
    child = subprocess.Popen([COMMAND, "record", "-o", name, "-i", "0.1", *machine.args()],
                             env=environment((), None))
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if os.path.exists(name):
            with open(name, "rb") as f:
                lines = f.readlines()
            if len(lines) > 5:
                break
        time.sleep(0.05)
    child.kill()
    child.wait()
    # Nothing has changed: a line is nothing but its time.
    assert all(len(line) < 20 for line in lines[2:]), lines[2:4]
    assert len(lines[1]) < 100 * 250, len(lines[1])


def test_it_does_not_overwrite():
    machine = Machine("xe")
    name = save(b"precious\n")
    done = run("record", "-o", name, "-n", "1", *machine.args())
    assert done.rc == 2 and "there already" in done.err, done.err
    with open(name, "rb") as f:
        equal(f.read(), b"precious\n")
    equal(run("record", "--force", "-o", name, "-n", "1", *machine.args()).rc, 0)
    equal(len(play(name)[1]), 1)
    # What holds nothing may be written to.
    equal(run("record", "-o", "/dev/null", "-n", "1", *machine.args()).rc, 0)
    fifo = path()
    os.mkfifo(fifo)
    with subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE) as reader:
        equal(run("record", "-o", fifo, "-n", "1", *machine.args()).rc, 0)
        assert reader.communicate()[0].startswith(b"{")
    # It is not the card that is missing.
    done = run("record", "-o", path() + "/nowhere", "-n", "1", *machine.args())
    assert done.rc == 5 and "No such file" in done.err, done.err


def test_full_disk_and_full_pipe():
    machine = Machine("xe")
    done = run("record", "-o", "/dev/full", "--force", *machine.args())
    assert done.rc == 5 and done.err.count("\n") == 1 and "No space" in done.err, done.err
    child = subprocess.Popen([COMMAND, "record", "-i", "0.1", *machine.args()],
                             stdout=subprocess.PIPE, env=environment((), None))
    child.stdout.readline()
    child.stdout.close()
    equal(child.wait(20), -signal.SIGPIPE)
    # A reader that does not read: it waits, and goes on when he does.
    many = Machine()
    for pid in range(100, 1100):
        many.client(pid, "client", pid, vram=pid)
    child = subprocess.Popen([COMMAND, "record", "-i", "0.1", "-n", "2", *many.args()],
                             stdout=subprocess.PIPE, env=environment((), None))
    time.sleep(1)
    equal(child.poll(), None)
    equal(len(child.stdout.readlines()), 3)
    equal(child.wait(20), 0)
    name = record(many, "-n", "2")
    with open("/dev/full", "wb") as full:
        equal(run("replay", "--json", name, stdout=full).rc, 5)


def test_damaged_files():
    big = b'{"t":5,"x":"' + b"a" * (17 << 20) + b'"}\n'
    cases = [
        (b"", "nothing"), (b"\n", "empty"), (b"{", "cut off"), (b"{}\n", "no recording"),
        (b"[]\n", "no JSON"), (b"\x7fELF\x02\n", "no JSON"), (b"null\n", "no JSON"),
        (HEADER.replace(b"/1", b"/9"), "another version"),
        (HEADER.replace(b"pddgpu.record", b"pddgpu.top"), "no recording"),
        (HEADER + b'{"t":0}\n{"t":', "cut off"), (HEADER + b"\n", "empty"),
        (HEADER + b"rubbish\n", "no JSON"), (HEADER + b'{"t":"x"}\n', "no time"),
        (HEADER + b'{"t":-1}\n', "no time"), (HEADER + b'{"t":5}\n{"t":4}\n', "goes back"),
        (HEADER + b'{"t":0,"gone":[0]}\n', "was not there"),
        (HEADER + b'{"t":0,"clients":[{"i":1}]}\n', "nobody has"),
        (HEADER + b'{"t":0,"clients":[{"i":0}]}\n', "without a card"),
        (HEADER + b'{"t":0,"clients":[5]}\n', "without a card"),
        (HEADER + CLIENT + b'{"t":1,"gone":[0]}\n{"t":2,"clients":[{"i":0}]}\n', "nobody has"),
        (HEADER + b'{"t":0,"cards":[{}]}\n', "without a name"),
        (HEADER + b'{"t":0,"owners":[{}]}\n', "without a card"),
        (HEADER + b'{"t":0,"t":1}\n', "no JSON"), (HEADER + big, "too long"),
        (HEADER + b'{"t":0,"x":' + b"[" * 100000 + b"\n", "no JSON"),
        (HEADER + b'{"t":0,"cards":[' + b'{"d":"x"},' * 2000 + b'{"d":"x"}]}\n', "too many"),
    ]
    for data, why in cases:
        name = save(data)
        for args in (("--json",), ("--summary",), ()):
            done = run("replay", *args, name)
            equal(done.rc, 5)
            equal(done.err.count("\n"), 1)
            assert why in done.err, (data[-80:], done.err)
    for name in ("/nonexistent", SCRATCH):
        done = run("replay", name)
        assert done.rc == 5 and done.err.count("\n") == 1, done.err


def test_odd_but_well():
    """What makes no sense in a line that does is 0, or left out."""
    twice = CLIENT.replace(b'"i":0', b'"i":1').replace(b'"t":0', b'"t":1')
    data = (HEADER + CLIENT + twice + b'{"t":2,"cards":null,"clients":7,"gone":"x"}\n'
            b'{"t":3,"clients":[{"i":0,"p":"y","n":5,"m":{"vram":["a",null,-4,9]},"e":[]}]}\n'
            b'{"t":4,"clients":[{"i":0,"p":9223372036854775807,"m":{"gtt":{}},'
            b'"e":{"a":{"ns":-1},"b":{"n":99999999999}}}],"later":{"versions":true}}\n')
    done, played = play(save(data))
    equal((done.rc, len(played)), (0, 5))
    equal(len(played[1]["clients"]), 2)
    equal(sorted(c["vram_bytes"] for c in played[3]["clients"]), [9, 4096])


def test_what_comes_before_the_damage_is_shown():
    name = save(HEADER + CLIENT + b'{"t":1000}\n{"t":2000,')
    done, played = play(name)
    equal((done.rc, len(played)), (5, 2))
    assert "line 4: cut off" in done.err, done.err
    screen = on_screen(["replay", name], 12, 60)
    screen.wait("the end")
    assert "pid" not in screen.text() and " x" in screen.text(), screen.text()
    equal(screen.end("q"), 5)
    assert b"line 4: cut off" in screen.raw
    # Nothing at all
    for data, rc, said in ((HEADER, 0, b"0 samples"), (HEADER + b"{", 5, b"line 2: cut off")):
        screen = on_screen(["replay", save(data)], 12, 60)
        equal(screen.end(), rc)
        assert said in screen.raw, screen.raw
    # A line that is well up to where it is not leaves the screen as it is.
    one = {"d": CARD, "r": "pddgpu", "k": "card0", "t": [MIB, 0, 0], "u": [4096, 0, 0], "q": 1}
    owner = {"d": CARD, "c": 1, "p": 77, "n": "ended", "b": [4096, 0, 0], "o": 1}
    name = save(HEADER + b"".join(json.dumps(line).encode() + b"\n" for line in (
        {"t": 0, "cards": [one], "owners": [owner]},
        {"t": 500, "cards": [{**one, "d": f"0000:00:{n:02x}.0"} for n in range(9)],
         "owners": [{**owner, "c": n, "n": "other"} for n in range(300)],
         "clients": [{"i": 77}]})))
    screen = on_screen(["replay", name], 24, 80)
    screen.wait("the end")
    screen.press("down", "t")
    assert "ended" in screen.text() and "other" not in screen.text(), screen.text()
    equal(screen.end("q"), 5)


def test_on_the_screen():
    lines = [HEADER, CLIENT] + [
        b'{"t":%d,"clients":[{"i":0,"m":{"vram":[%d]}}]}\n' % (t * 1000, t << 20)
        for t in range(1, 200)]
    name = save(b"".join(lines))
    screen = on_screen(["replay", "--speed", "50", name], 24, 80)
    screen.wait("pddgpu replay")
    screen.press("p")
    screen.wait("PAUSED")
    before = screen.text()
    screen.read(0.5)
    equal(screen.text(), before)
    screen.press("+", "p")
    screen.wait("x100")
    text = screen.wait("the end")
    assert "199M" in text and "+60.0M" in text, text
    equal(screen.end("q"), 0)


def test_an_hour():
    """Of 100 clients, a second each."""
    clients = b",".join(b'{"i":%d,"d":"dev","r":"drv","c":%d,"m":{"vram":[4096]}}' % (i, i)
                        for i in range(100))
    data = HEADER + b'{"t":0,"clients":[' + clients + b"]}\n"
    data += b"".join(b'{"t":%d,"clients":[{"i":%d,"m":{"vram":[%d]}}]}\n' % (t * 1000, t % 100, t)
                     for t in range(1, 3600))
    summary = run("replay", "--summary", "--json", save(data)).json
    equal((summary["samples"], len(summary["clients"])), (3600, 100))


def test_reading_while_it_is_written():
    machine = Machine()
    machine.client(10, "one", 1, vram=MIB, device=CARD)
    name = path("fifo")
    os.mkfifo(name)
    writer = threading.Thread(target=lambda: run("record", "-o", name, "-f", "-n", "4", "-i",
                                                 "0.1", *machine.args()))
    writer.start()
    done, played = play(name)
    writer.join()
    equal((done.rc, len(played)), (0, 4))
