# SPDX-License-Identifier: MIT
"""What the harness's tests share."""
import contextlib
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))
sys.path.insert(0, os.path.join(TOP, "vm"))
from harness.scratch import Scratch  # noqa: E402


def need(condition, *what):
    """An assertion that says what it saw, also under python -O."""
    if not condition:
        raise AssertionError("\n".join(str(item) for item in what))


class Result:
    """How a command ended and what it said."""

    def __init__(self, process, out, err):
        self.status = process.returncode
        self.out = out
        self.err = err

    def __str__(self):
        return f"status {self.status}\nout: {self.out}\nerr: {self.err}"


def start(*argv, stdin=subprocess.DEVNULL, **env):
    return subprocess.Popen(
        argv, cwd=TOP, stdin=stdin, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, **env})


def finish(process, given=None, seconds=180):
    try:
        out, err = process.communicate(given, seconds)
    finally:
        process.kill()
    return Result(process, out, err)


def run(*argv, given=None, **env):
    stdin = subprocess.DEVNULL if given is None else subprocess.PIPE
    return finish(start(*argv, stdin=stdin, **env), given)


@contextlib.contextmanager
def folder():
    scratch = Scratch("pddgpu-harness-test.")
    try:
        yield scratch.path
    finally:
        scratch.remove()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def processes_of(word):
    """Command lines of the processes, other than this, that name a word."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                line = f.read().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue    # it has ended
        if word in line and int(pid) != os.getpid():
            found.append(line)
    return found
