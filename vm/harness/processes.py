# SPDX-License-Identifier: MIT
"""Starts child processes so that they cannot outlive the runner."""
import ctypes
import os
import signal
import subprocess
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with(parent):
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(127)


class Child:
    """A process in a session of its own, with its messages in a file."""

    def __init__(self, name, argv, messages, fds=()):
        self.name = name
        self.messages = messages
        parent = os.getpid()
        with open(messages, "wb") as out:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                pass_fds=fds, start_new_session=True,
                preexec_fn=lambda: _die_with(parent))
        self.pidfd = os.pidfd_open(self.process.pid)

    def status(self):
        """None while it runs, else as subprocess.Popen.returncode."""
        return self.process.poll()

    def wait(self, seconds):
        """Waits for its end; tells whether it came."""
        try:
            self.process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def stop(self):
        """Ends it and whatever it started, gently and then not."""
        if self.status() is None:
            self._signal(signal.SIGTERM)
            if not self.wait(2):
                self._signal(signal.SIGKILL)
                self.process.wait()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1

    def _signal(self, number):
        # The leader is not reaped yet, so the group's number is still its.
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def said(self, limit=20):
        """The last lines that it wrote."""
        with open(self.messages, errors="replace") as f:
            return f.read().splitlines()[-limit:]

    def ended_how(self):
        """Its end in words."""
        code = self.status()
        if code is None:
            return "still runs"
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with status {code}"


def wait_for_path(path, child, seconds):
    """Waits until a path exists; tells whether it came while the child that
    should make it was alive."""
    deadline = time.monotonic() + seconds
    while not os.path.exists(path):
        if child.status() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
