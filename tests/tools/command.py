# SPDX-License-Identifier: MIT
"""Runs the command: in a pipe or on a terminal, on a made-up machine."""
import atexit
import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import tempfile
import termios

import world

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.environ.get("BUILD") or os.path.join(TOP, "build/tests/tools")
COMMAND = os.path.join(BUILD, "command/pddgpu")
QUICK = os.path.join(BUILD, "quick/pddgpu")
SCRATCH = tempfile.mkdtemp(prefix="pddgpu-tools-")
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
# What a sanitizer finds must not look like an exit code of the command's
SANITIZERS = {"ASAN_OPTIONS": "exitcode=99:detect_leaks=1",
              "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=99"}


class Skip(Exception):
    """Why a test cannot run here."""


class Done:
    """How a command ended."""

    def __init__(self, rc, out, err):
        self.rc, self.raw, self.err = rc, out, err.decode("utf-8", "replace")
        assert rc != 99 and b"Sanitizer" not in err and b"runtime error" not in err, self.err

    @property
    def out(self):
        return self.raw.decode("utf-8")

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return self.out.splitlines()


def machine(*cards):
    """A file with that machine."""
    fd, path = tempfile.mkstemp(dir=SCRATCH, suffix=".json")
    os.close(fd)
    return world.save(path, *cards)


def environment(cards, extra):
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm-256color",
           **SANITIZERS}
    env["PDDGPU_FAKE"] = cards if isinstance(cards, str) else machine(*cards)
    env.update(extra or {})
    return env


def run(*args, cards=(), env=None, program=COMMAND, timeout=60, **more):
    """In a pipe."""
    done = subprocess.run([program, *args], env=environment(cards, env), timeout=timeout,
                          stdin=subprocess.DEVNULL, check=False,
                          **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more})
    return Done(done.returncode, done.stdout or b"", done.stderr or b"")


def on_terminal(*args, cards=(), env=None, columns=80, rows=24, timeout=60):
    """On a terminal of that size; what was printed there, errors too."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    child = subprocess.Popen([COMMAND, *args], env=environment(cards, env), stdin=slave,
                             stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    out = b""
    while select.select([master], [], [], timeout)[0]:
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        if not data:
            break
        out += data
    os.close(master)
    return Done(child.wait(timeout), out.replace(b"\r\n", b"\n"), b"")


def plain(text):
    """Without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def jq(document, program):
    """What jq makes of it; it has to be valid for that."""
    done = subprocess.run(["jq", "-c", program], input=document, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert not done.returncode, done.stderr
    return done.stdout.decode().strip()


def equal(found, wanted):
    assert found == wanted, f"{found!r}\n is not {wanted!r}"
