# SPDX-License-Identifier: MIT
"""pddgpu watch: a line when something happens, and none when nothing does."""
import json
import os
import re
import resource
import select
import signal
import subprocess
import tempfile
import threading
import time

from command import COMMAND, SCRATCH, environment, equal, run
from drm import CARD, MIB, Machine
from test_top import owned_world

ALERT, CLEAR, WEDGED, ADDED, REMOVED = range(5)


class Watch:
    """The command, while it runs."""

    def __init__(self, machine, *args, cards=(), json_lines=True, events=None, sysfs=True,
                 more=None):
        env = {**({"PDDGPU_FAKE_EVENTS": events} if events else {}), **(more or {})}
        self.child = subprocess.Popen(
            [COMMAND, "watch", "-i", "0.1", *(["--json"] if json_lines else []), *args,
             *machine.args(sysfs)], env=environment(cards, env), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.json_lines = json_lines
        time.sleep(0.6)

    def line(self, seconds=20):
        """The next line; None when none comes in that time."""
        if not select.select([self.child.stdout], [], [], seconds)[0]:
            return None
        line = self.child.stdout.readline().decode()
        if not line:
            return None
        return json.loads(line) if self.json_lines else line.rstrip("\n")

    def wait(self, event):
        while True:
            line = self.line()
            assert line is not None, f"no {event}"
            if line["event"] == event:
                return line

    def end(self):
        self.child.send_signal(signal.SIGTERM)
        out, err = self.child.communicate(timeout=20)
        assert b"Sanitizer" not in err and b"runtime error" not in err, err
        return self.child.returncode, out.decode(), err.decode()


class Grower:
    """A client that grows while it is in a with."""

    def __init__(self, machine, pid, name, waves=False, device=CARD, driver="pddgpu"):
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.arguments = (machine, pid, name, device, driver)
        self.waves = waves

    def run(self):
        machine, pid, name, device, driver = self.arguments
        step = 0
        while not self.stop.is_set():
            step += 1
            size = step % 7 * 8 * MIB if self.waves else step * 256 << 10
            machine.client(pid, name, pid, vram=MIB + size, device=device, driver=driver)
            self.stop.wait(0.1)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def test_growth_and_its_end():
    machine = Machine()
    machine.client(5, "steady", 5, vram=500 * MIB)
    with Grower(machine, 10, "grower"), Grower(machine, 11, "breather", waves=True):
        watch = Watch(machine, "-w", "5s")
        line = watch.line()
        equal((line["schema"], line["event"], line["alert"]), ("pddgpu.watch/1", "growth", True))
        equal((line["name"], line["pid"], line["client_id"]), ("grower", 10, 10))
        equal((line["device"], line["driver"]), (CARD, "pddgpu"))
        # 256 KiB ten times a second, or a little less often
        assert 40 * MIB < line["growth_bytes_per_minute"] < 160 * MIB, line
        # Once is enough.
        equal(watch.line(3), None)
    line = watch.wait("growth_end")
    equal((line["name"], line["alert"]), ("grower", False))
    equal(watch.end()[0], 1)


def test_growth_of_any_driver_and_less_than_asked_for():
    machine = Machine()
    with Grower(machine, 10, "amd", driver="amdgpu", device="0000:03:00.0"):
        watch = Watch(machine, "-w", "5s", json_lines=False)
        less = Watch(machine, "-w", "5s", "--growth", "10G")
        line = watch.line()
        assert re.search(r"growth +0000:03:00\.0  amd, pid 10  grows by [\d.]+ MiB a minute, "
                         r"has [\d.]+ MiB$", line), line
        equal(watch.end()[0], 1)
        rc, out, _ = less.end()
        equal((rc, out), (0, ""))


def test_cards_that_come_and_go():
    machine = Machine()
    machine.card(0)
    watch = Watch(machine)
    machine.card(1, "0000:00:05.0", "xe")
    line = watch.line()
    equal((line["event"], line["device"], line["driver"]), ("added", "0000:00:05.0", "xe"))
    machine.no_card(0)
    line = watch.line()
    equal((line["event"], line["device"]), ("removed", CARD))
    machine.card(0)
    equal(watch.line()["event"], "added")
    equal(watch.end()[0], 0)


def fifo():
    path = os.path.join(tempfile.mkdtemp(dir=SCRATCH), "events")
    os.mkfifo(path)
    return path


def test_events_of_the_driver():
    events = fifo()
    env = {"PDDGPU_FAKE_EVENTS": events}
    script = os.path.join(os.path.dirname(events), "ran")
    child = subprocess.Popen(
        [COMMAND, "watch", "--json", "-t", "20", "-n", "2", "-x",
         f'echo "$PDDGPU_EVENT $PDDGPU_DEVICE $PDDGPU_BYTES $PDDGPU_PID $(ulimit -Sn)" >>{script}'],
        env=environment((), env), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 2000)))
    time.sleep(1)
    with open(events, "w", encoding="ascii") as f:
        f.write(f"{ALERT} {CARD} 200000000 104857600\n{CLEAR} {CARD} 1 2\n-1 x\n"
                f"{ADDED} {CARD}\n17 {CARD}\n{WEDGED} {CARD}\n")
    out, err = child.communicate(timeout=30)
    equal(child.returncode, 1)
    lines = [json.loads(line) for line in out.decode().splitlines()]
    lines = [line for line in lines if line["event"] not in ("added", "removed")]
    equal([line["event"] for line in lines], ["leak_alert", "leak_clear", "wedged"])
    equal((lines[0]["bytes"], lines[0]["threshold_bytes"]), (200000000, 104857600))
    assert b"too many events" in err, err
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with open(script, encoding="ascii") as f:
            ran = sorted(f.read().splitlines())
        if len(ran) == 2:
            break
        time.sleep(0.1)
    equal(ran, [f"leak_alert {CARD} 200000000  200", f"wedged {CARD}   200"])


def test_who_was_seen_once():
    """Where the list is long it is read for every tenth sample: twice is by two readings."""
    machine, entry = owned_world()
    watch = Watch(machine, cards=[entry], more={"PDDGPU_FAKE_OWNERS_MS": "5"})
    for _ in range(5):
        # There is one reading in that time, or none
        machine.no_process(100)
        time.sleep(0.7)
        machine.client(100, "alive", 1, vram=64 * MIB)
        time.sleep(1.5)
    equal(watch.line(0), None)
    equal(watch.end()[0], 0)


def test_what_is_left_behind():
    machine, entry = owned_world()
    path = os.path.join(tempfile.mkdtemp(dir=SCRATCH), "ran")
    # alive exits, and its memory stays.
    watch = Watch(machine, "-x", f'printf %s "$PDDGPU_NAME" >{path}', cards=[entry])
    machine.no_process(100)
    line = watch.line()
    equal((line["event"], line["name"], line["pid"], line["bytes"]),
          ("exited", "alive", 100, 64 * MIB))
    # Those who had left some before are no news.
    equal(watch.line(1), None)
    equal(watch.end()[0], 1)
    with open(path, encoding="ascii") as f:
        equal(f.read(), "alive")


def test_one_card_alone():
    machine = Machine()
    machine.card(0)
    machine.card(1, "0000:00:05.0", "xe")
    machine.card(2, "0000:00:06.0", "xe")
    watch = Watch(machine, "--device", "card1")
    machine.no_card(2)
    machine.no_card(1)
    equal(watch.line()["device"], "0000:00:05.0")
    equal(watch.end()[0], 0)
    equal(run("watch", "-d", "card9", *machine.args()).rc, 3)


def test_names_are_harmless():
    machine = Machine()
    with Grower(machine, 10, b"$(id)\x1b[2J;`id`"):
        path = os.path.join(tempfile.mkdtemp(dir=SCRATCH), "ran")
        watch = Watch(machine, "-w", "5s", "-x", f'printf %s "$PDDGPU_NAME" >{path}',
                      json_lines=False)
        line = watch.line()
        assert "$(id)\\x1b[2J;`id" in line and "\x1b" not in line, line
        equal(watch.end()[0], 1)
    with open(path, encoding="ascii") as f:
        equal(f.read(), "$(id)\\x1b[2J;`id`"[:len("$(id)\\x1b[2J;`id`")])


def test_commands_that_hang():
    events = fifo()
    pids = os.path.join(os.path.dirname(events), "pids")
    said = [open(os.path.join(os.path.dirname(events), name), "w+b") for name in "oe"]
    # The commands keep its standard error: who waits for the end of that waits for them.
    child = subprocess.Popen(
        [COMMAND, "watch", "-t", "4", "-x", f"echo $$ >>{pids}; exec sleep 60"],
        env=environment((), {"PDDGPU_FAKE_EVENTS": events}), stdout=said[0], stderr=said[1])
    time.sleep(1)
    with open(events, "w", encoding="ascii") as f:
        f.write(f"{ALERT} {CARD} 2 1\n" * 20)
    try:
        status = child.wait(20)
    finally:
        child.kill()
        with open(pids, encoding="ascii") as f:
            started = [int(line) for line in f]
        for pid in started:
            os.kill(pid, signal.SIGKILL)
    texts = []
    for file in said:
        file.seek(0)
        texts.append(file.read())
        file.close()
    equal((status, len(started), texts[0].count(b"leak_alert")), (1, 16, 20))
    equal(texts[1].count(b"none for this"), 4)


def test_a_pipe_that_closes():
    machine = Machine()
    machine.card(0)
    watch = Watch(machine)
    watch.child.stdout.close()
    machine.no_card(0)
    equal(watch.child.wait(20), -signal.SIGPIPE)


def test_wrong_options():
    for args in (["-w", "1s"], ["-w", "2m"], ["--growth", "x"], ["-i", "0"], ["extra"]):
        equal(run("watch", *args).rc, 2)
