# SPDX-License-Identifier: MIT
"""pddgpu leaks --fail-on=SIZE -- PROGRAM: what a program leaves behind."""
import json
import os
import signal
import subprocess
import tempfile
import time

from command import COMMAND, SCRATCH, Skip, environment, equal, run
from world import MIB, card, looks, thing, unfreed

NOW = 10 ** 7
FRAMES = {"1": [{"name": "pddgpu_gem_create_ioctl", "offset": 0x54},
                {"user": 1, "name": "/nowhere/libdrm.so.2", "offset": 0x1234},
                {"user": 1, "name": "/nowhere/leaker", "offset": 0x99}],
          "2": [{"name": "pddgpu_gem_create_ioctl", "offset": 0x54}]}


def leaky(kept=(), left=(), **more):
    return card(objects=looks(list(kept)), unfreed=list(left), sites=FRAMES, **more)


def gate(entry, script, *args, size="0", **more):
    """Runs a shell script, which first says what its session is."""
    path = tempfile.mktemp(dir=SCRATCH)
    entries = entry if isinstance(entry, list) else [entry]
    return run("leaks", f"--fail-on={size}", "--for=3", *args, "--", "sh", "-c",
               f"echo $$ >{path}; {script}", cards=entries,
               env={"PDDGPU_FAKE_SESSION": path}, **more)


def test_a_clean_program():
    for status in (0, 1, 5, 77, 255):
        done = gate(leaky(), f"echo to stdout; echo to stderr >&2; exit {status}")
        equal((done.rc, done.out, done.err), (status, "to stdout\n", "to stderr\n"))


def test_a_program_that_leaks():
    entry = leaky(left=[unfreed(9, 3 * MIB, 3, label="frame"), unfreed(10, MIB, site=2)])
    done = gate(entry, "echo hello; exit 7")
    equal((done.rc, done.out), (1, "hello\n"))
    equal(done.err.splitlines(), [
        "pddgpu: leaks: sh has left 4 MiB of GPU memory in 4 buffers",
        "  3 MiB in 3 buffers: 3 not freed when the card was closed",
        "    leaker (pid 4194305), label frame",
        "      libdrm.so.2+0x1234",
        "      leaker+0x99",
        "  1 MiB in 1 buffer: 1 not freed when the card was closed",
        "    leaker (pid 4194305)",
        "      pddgpu_gem_create_ioctl+0x54"])


def test_the_limit():
    entry = leaky(left=[unfreed(1, 3 * MIB)])
    for size, status in (("0", 1), ("1", 1), ("3M", 1), ("3145729", 7), ("1GiB", 7)):
        done = gate(entry, "exit 7", size=size)
        equal((size, done.rc), (size, status))
        # It is told in any case
        assert "has left 3 MiB" in done.err, done.err
        assert ("less than the limit" in done.err) == (status == 7), done.err


def test_what_is_others():
    """Other sessions, and what was there before."""
    entry = leaky(left=[unfreed(3, MIB), unfreed(6, MIB, session=os.getsid(0)),
                        unfreed(7, MIB, oldest_ms=NOW - 1)], unfreed_last=5,
                  kept=[thing(1, MIB, NOW, session=1), thing(2, MIB, NOW - 1)])
    done = gate(entry, "exit 3")
    equal((done.rc, done.err), (3, ""))


def test_sessions_that_began_meanwhile():
    """As meson gives each test one: never silently, and counted if that is asked for."""
    entry = leaky(left=[unfreed(6, MIB, session=2 ** 22 - 1),
                        unfreed(7, MIB, session=2 ** 22 - 1, oldest_ms=NOW - 1)],
                  unfreed_last=5)
    done = gate(entry, "exit 3")
    equal((done.rc, done.err.count("\n")), (3, 1))
    assert "1 MiB in 1 buffer has been left by sessions that began meanwhile" in done.err
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/report"
        done = gate(entry, "exit 3", "--json", "-o", path)
        equal((done.rc, done.err.count("\n")), (3, 1))
        with open(path, encoding="utf-8") as f:
            document = json.load(f)
        equal((document["elsewhere_bytes"], document["elsewhere_objects"]), (MIB, 1))
    done = gate(entry, "exit 3", "--new-sessions")
    equal(done.rc, 1)
    assert "sh has left 1 MiB" in done.err and "meanwhile" not in done.err, done.err


def test_what_is_kept():
    """A dma-buf that somebody has been given; both, for one that is in both."""
    entry = leaky(kept=[thing(1, MIB, NOW, state=1, **{"is": 256}),
                        thing(2, MIB, NOW, state=1), thing(3, MIB, NOW, state=1, client=8)],
                  left=[unfreed(1, 4 * MIB, 4)])
    done = gate(entry, "true")
    equal(done.rc, 1)
    equal(done.err.splitlines()[:3], [
        "pddgpu: leaks: sh has left 6 MiB of GPU memory in 6 buffers",
        "  6 MiB in 6 buffers: 4 not freed when the card was closed, "
        "3 kept by a dma-buf or a mapping",
        "    leaker (pid 4194305)"])


def test_what_is_on_its_way():
    """Freed, but for a fence that is about to signal."""
    zombie = thing(1, MIB, NOW, state=2)
    entry = card(objects=looks([], [zombie], [zombie], []), unfreed=[], sites=FRAMES)
    equal(gate(entry, "true").rc, 0)
    entry = card(objects=looks([], [zombie]), unfreed=[], sites=FRAMES)
    done = gate(entry, "true")
    equal(done.rc, 1)
    assert "waiting for a fence" in done.err, done.err


def test_many_processes():
    entry = leaky(left=[unfreed(n, MIB, pid=n, client=n) for n in range(1, 21)])
    done = gate(entry, "true")
    assert "  20 MiB in 20 buffers" in done.err, done.err
    assert "leaker (20 processes)" in done.err, done.err


def test_many_places():
    entry = leaky(left=[unfreed(n, n * MIB, label=f"l{n}") for n in range(1, 101)])
    done = gate(entry, "true", "-n", "3")
    equal(done.err.count(" in 1 buffer:"), 3)
    assert "  100 MiB in 1 buffer" in done.err.splitlines()[1]
    assert "  and 97 more places" in done.err


def test_forgotten_notes_are_said():
    done = gate(leaky(left=[unfreed(9, MIB, lost=12)]), "true")
    assert "has forgotten 12 of its notes" in done.err, done.err


def test_two_cards():
    other = leaky(left=[unfreed(1, MIB)], number=1)
    done = gate([leaky(), other], "true")
    equal(done.rc, 1)
    assert "leaker (pid 4194305), 0000:00:05.0\n" in done.err, done.err
    equal(gate([leaky(), other], "true", "--device=0000:00:04.0").rc, 0)


def test_odd_texts():
    odd = b"\x1b[31m\xff\n"
    entry = leaky(left=[unfreed(1, MIB, comm_hex=odd.hex(), label_hex=odd.hex())])
    entry["sites"] = {"1": [{"user": 1, "name_hex": (b"/x/" + odd).hex(), "offset": 5}]}
    done = gate(entry, "true")
    assert "\x1b" not in done.err
    equal(done.err.count("\\x1b[31m\\xff\\n"), 3)
    with tempfile.TemporaryDirectory() as folder:
        done = gate(entry, "true", "--json", "-o", f"{folder}/report")
        with open(f"{folder}/report", encoding="utf-8") as f:
            group = json.load(f)["devices"][0]["groups"][0]
        equal(group["label"], "\x1b[31m\ufffd\n")


def test_the_report():
    entry = leaky(kept=[thing(1, MIB, NOW, label="kept")],
                  left=[unfreed(1, 2 * MIB, 2, label="left")])
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/report"
        done = gate(entry, "echo out; exit 4", "--json", "-o", path)
        equal((done.rc, done.out), (1, "out\n"))
        assert "has left 3 MiB" in done.err
        with open(path, encoding="utf-8") as f:
            document = json.load(f)
        equal(document["schema"], "pddgpu.left/1")
        equal(document["program"][:2], ["sh", "-c"])
        equal((document["status"], document["signal"], document["found"], document["running"]),
              (4, None, True, 0))
        equal((document["bytes"], document["objects"], document["limit"]), (3 * MIB, 3, 0))
        device = document["devices"][0]
        equal((device["pci"], device["error"], device["lost"]), ("0000:00:04.0", None, 0))
        left, kept = device["groups"]
        equal((left["label"], left["unfreed"], left["unfreed_bytes"], left["kept"]),
              ("left", 2, 2 * MIB, 0))
        equal((kept["label"], kept["unfreed"], kept["kept"], kept["live"]), ("kept", 0, 1, 1))
        equal([f["kind"] for f in left["frames"]], ["kernel", "user", "user"])
        equal(left["place"], "leaker+0x99")
        # One that finds nothing is there too
        equal(gate(leaky(), "exit 4", "--json", "-o", path).rc, 4)
        with open(path, encoding="utf-8") as f:
            equal(json.load(f)["found"], False)
        done = gate(leaky(), "exit 4", "-o", path)
        with open(path, encoding="utf-8") as f:
            equal(f.read(), "pddgpu: leaks: sh has left no GPU memory\n")
        done = gate(entry, "echo out", "--json", "-o", "-")
        assert done.out.startswith('out\n{\n  "schema": "pddgpu.left/1",')
        equal((done.rc, done.err), (1, ""))
    done = gate(leaky(), "exit 4", "-o", "/nowhere/x")
    equal((done.rc, done.err), (5, "pddgpu: /nowhere/x: No such file or directory\n"))


def test_a_program_that_is_killed():
    done = gate(leaky(), "kill -KILL $$")
    equal((done.rc, done.err), (137, ""))
    done = gate(leaky(left=[unfreed(1, MIB)]), "kill -SEGV $$")
    equal(done.rc, 1)
    assert "sh was ended by signal 11 (Segmentation fault)" in done.err, done.err


def test_a_program_that_is_not_there():
    for name, status in (("/nowhere/x", 127), ("no-such-program", 127), ("/", 126),
                         ("/etc/passwd", 126)):
        done = run("leaks", "--fail-on=0", "--", name, cards=[leaky()])
        equal((name, done.rc, done.out, done.err.count("\n")), (name, status, "", 1))
        assert name in done.err


def test_arguments():
    done = run("leaks", "--fail-on=0", "printf", "%s,", "--json", "-n", "x", cards=[leaky()])
    equal((done.rc, done.out), (0, "--json,-n,x,"))
    for wrong in (["--fail-on=0"], ["true"], ["--fail-on=confirmed", "true"],
                  ["--fail-on=0", "--json", "true"], ["--fail-on=0", "--watch", "true"],
                  ["--fail-on=0", "--scan", "true"], ["--fail-on=0", "--since=now", "true"],
                  ["--fail-on=0", "--by=owner", "true"], ["--fail-on=-1", "true"],
                  ["-o", "x"], ["--new-sessions"], ["--fail-on=0", "--pid=3", "true"], ["--fail-on=1Q", "true"]):
        done = run("leaks", *wrong, cards=[leaky()])
        equal((wrong, done.rc, done.out, done.err.count("\n")), (wrong, 2, "", 1))


def test_what_cannot_be_watched_is_not_run():
    for entries, status in (([], 3), ([card()], 5), ([leaky(open_error="EACCES")], 4),
                            ([leaky(query_error="ENODEV")], 3), ([leaky(), card(number=1)], 5)):
        done = run("leaks", "--fail-on=0", "--", "echo", "ran", cards=entries)
        equal((done.rc, done.out), (status, ""))
        assert done.err


def test_in_a_container():
    """Where sessions have other numbers nothing would be found, so it is not run."""
    apart = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*apart, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        raise Skip("there are no namespaces to be had here")
    program, *args = [*apart, COMMAND, "leaks", "--fail-on=0", "--", "echo", "ran"]
    done = run(*args, program=program, cards=[leaky()])
    equal((done.rc, done.out, done.err.count("\n")), (5, "", 1))
    assert "PID namespace" in done.err


def test_a_card_that_vanishes():
    seen = set()
    for calls in range(14):
        done = gate(leaky(vanish_after=calls, left=[unfreed(1, MIB)]), "echo ran")
        assert done.rc in (1, 3), (calls, done.rc)
        if done.rc == 3:
            assert "0000:00:04.0" in done.err
        seen.add((done.rc, bool(done.out)))
    assert {(3, False), (3, True), (1, True)} <= seen, seen


def watch(*program):
    return subprocess.Popen(
        [COMMAND, "leaks", "--fail-on=0", "--", *program], env=environment([leaky()], {}),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def start(script):
    child = watch("sh", "-c", script)
    equal(child.stdout.readline(), b"ready\n")
    return child


def await_child(parent, name):
    """Until that has started a program of this name"""
    end = time.monotonic() + 30
    while True:
        with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as file:
            children = file.read().split()
        for child in children:
            with open(f"/proc/{child}/comm", encoding="ascii") as file:
                if file.read() == f"{name}\n":
                    return
        assert time.monotonic() < end, name
        time.sleep(0.02)


def finish(child, limit=30):
    out, err = child.communicate(timeout=limit)
    assert b"Sanitizer" not in err, err
    return child.returncode, out.decode(), err.decode()


def test_signals_are_passed_on():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        child = start(f"trap 'echo got; exit 9' {number.name[3:]}; echo ready; "
                      "while :; do sleep 0.1; done")
        child.send_signal(number)
        equal(finish(child)[:2], (9, "got\n"))
        # One that does nothing about it. No shell: it may lose a signal before it waits.
        child = watch("sleep", "60")
        await_child(child.pid, "sleep")
        child.send_signal(number)
        equal(finish(child)[0], 128 + number)


def test_a_signal_that_is_ignored_stays_so():
    child = subprocess.Popen(
        ["sh", "-c", f"trap '' HUP; exec {COMMAND} leaks --fail-on=0 -- "
         "sh -c 'echo ready; sleep 1; exit 6'"], env=environment([leaky()], {}),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    equal(child.stdout.readline(), b"ready\n")
    child.send_signal(signal.SIGHUP)
    equal(finish(child), (6, "", ""))


def test_as_it_was_started():
    """What is ignored is so for the program too, and its end is noticed all the same."""
    for number in (signal.SIGCHLD, signal.SIGPIPE):
        for ignored in (False, True):
            child = subprocess.Popen(
                [COMMAND, "leaks", "--fail-on=0", "--", "grep", "SigIgn", "/proc/self/status"],
                env=environment([leaky()], {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                restore_signals=False, preexec_fn=lambda how=(
                    number, signal.SIG_IGN if ignored else signal.SIG_DFL): signal.signal(*how))
            status, out, err = finish(child)
            equal((status, err), (0, ""))
            equal((number, bool(int(out.split()[1], 16) & 1 << number - 1)), (number, ignored))


def test_killed_with_the_command():
    """Nobody else can end it: it is out of the reach of who kills a group."""
    child = start("trap '' TERM; echo ready; while :; do sleep 0.1; done")
    with open(f"/proc/{child.pid}/task/{child.pid}/children", encoding="ascii") as file:
        program = int(file.read().split()[0])
    child.kill()
    child.wait()
    end = time.monotonic() + 20
    while os.path.exists(f"/proc/{program}") and time.monotonic() < end:
        with open(f"/proc/{program}/stat", encoding="ascii") as file:
            if file.read().rpartition(")")[2].split()[0] == "Z":
                break
        time.sleep(0.05)
    else:
        assert not os.path.exists(f"/proc/{program}")


def test_stopped_for_a_while():
    child = start("echo ready; sleep 0.5; exit 3")
    child.send_signal(signal.SIGTSTP)
    time.sleep(1)
    child.send_signal(signal.SIGCONT)
    equal(finish(child)[0], 3)


def test_what_it_has_started_is_waited_for():
    path = tempfile.mktemp(dir=SCRATCH)
    begun = time.monotonic()
    done = gate(leaky(), f"(sleep 0.7; echo late >{path}) >/dev/null 2>&1 &")
    equal((done.rc, done.err), (0, ""))
    assert os.path.exists(path)
    # But not for ever, and not for who has left the session
    done = gate(leaky(), "sleep 60 >/dev/null 2>&1 & echo $! >&2")
    equal(done.rc, 0)
    lines = done.err.splitlines()
    equal(lines[1:], ["pddgpu: leaks: 1 process that sh has started still runs"])
    os.kill(int(lines[0]), signal.SIGKILL)
    done = gate(leaky(), "setsid sleep 5 >/dev/null 2>&1 &")
    equal((done.rc, done.err), (0, ""))
    assert time.monotonic() - begun < 20


def test_files_that_are_closed():
    script = ("import os,sys; os.closerange(0, 100); os._exit(12)")
    done = run("leaks", "--fail-on=0", "--", "python3", "-c", script, cards=[leaky()])
    equal((done.rc, done.err), (12, ""))
    # It gets no file of ours
    done = run("leaks", "--fail-on=0", "--", "sh", "-c", "ls /proc/self/fd | wc -l",
               cards=[leaky()])
    equal(done.out.strip(), "4")


def test_stdin_is_the_programs():
    with tempfile.TemporaryFile() as file:
        file.write(b"asked for\n")
        file.seek(0)
        done = subprocess.run([COMMAND, "leaks", "--fail-on=0", "cat"], stdin=file, check=False,
                              env=environment([leaky()], {}), stdout=subprocess.PIPE)
    equal((done.returncode, done.stdout), (0, b"asked for\n"))
