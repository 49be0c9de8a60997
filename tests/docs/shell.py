# SPDX-License-Identifier: MIT
"""The shell in the VM, used as one would: typed into, read from a terminal."""
import base64
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../tools"))

from screen import KEYS, Terminal  # noqa: E402

KEYS = {**KEYS, "ctrl-c": "\003"}

ROWS, COLUMNS = 24, 100
BOOT_SECONDS, COMMAND_SECONDS, KEY_SECONDS = 300, 90, 30
# What a terminal does beside printing
CONTROL = re.compile(r"\033\[[0-9;?]*[A-Za-z]|\033[()][A-Z0-9]|[\r\x07\x0e\x0f]")
PROMPT = re.compile(r"(?:^|\n)(?:vm# |> )$|(?:^|\n)vm# ")


class Failed(Exception):
    """What was not as the document has it."""


class Lost(Failed):
    """And the VM can be used no more."""


def _environment():
    """The user's own, but for what says how his terminal is."""
    return {name: value for name, value in os.environ.items()
            if name not in ("TERM", "LC_ALL", "LANG", "COLUMNS", "LINES", "NO_COLOR")}


class Shell:
    """`make shell`, and what is typed there."""

    def __init__(self, argv, patience=0):
        # How much longer to look than it takes to see that all is well
        self.patience = patience
        self.limit = 10 if os.environ.get("PDT_SLOW") else 1
        self.terminal = Terminal(argv, ROWS, COLUMNS, _environment(),
                                 limit=KEY_SECONDS * self.limit)
        self.mark = 0
        self._until_prompt(BOOT_SECONDS)

    def _text(self):
        return CONTROL.sub("", self.terminal.raw[self.mark:].decode("utf-8", "replace"))

    def _until_prompt(self, seconds, prompt=PROMPT):
        """What was printed before the prompt."""
        end = time.monotonic() + seconds * self.limit
        while time.monotonic() < end:
            is_open = self.terminal.read(0.03)
            text = self._text()
            match = prompt.search(text)
            if match:
                return text[:match.start() + 1]
            if not is_open:
                raise Lost(f"the VM has ended:\n{text}")
        raise Lost(f"no prompt after {seconds} s:\n{self._text()}")

    def _send(self, line):
        self.mark = len(self.terminal.raw)
        os.write(self.terminal.master, (line + "\n").encode())

    def type(self, lines, seconds=COMMAND_SECONDS):
        """A command, of one or more lines; what it printed. It has to succeed."""
        said = ""
        for line in lines:
            self._send(line)
            # The first line is what was typed
            said += self._until_prompt(seconds).partition("\n")[2]
        self._send("s=$?; echo \"=$s=\"; (exit $s)")
        status = re.search(r"^=(\d+)=$", self._until_prompt(seconds), re.M)
        if not status or status.group(1) != "0":
            raise Failed(f"{lines[0]}: status {status and status.group(1)}:\n{said}")
        return said

    def _see(self, text):
        try:
            self.terminal.wait(text)
        except AssertionError as error:
            raise Lost(str(error)) from None

    def use(self, lines, acts, keep):
        """A full-screen program: acts are what to wait for, how long to look, which keys to
        press, and when keep(name, screen) is to be called."""
        self.type(["clear"])
        self.terminal.screen.reset()
        for line in lines:
            self._send(line)
            # Not the name in the command itself
            self.terminal.read(0.2)
        wanted = ""
        for act, value in acts:
            if act == "wait":
                wanted = value
                self._see(wanted)
            elif act == "key":
                self.mark = len(self.terminal.raw)
                os.write(self.terminal.master, KEYS.get(value, value).encode())
                self.terminal.read(0.3)
            elif act == "seconds":
                self.terminal.read(float(value) * self.patience)
            elif act == "picture":
                # Drawn to its end, and not just about to be drawn anew
                self.terminal.read(0.5)
                self._see(wanted)
                keep(value, self.terminal.screen)
        # What it leaves on the screen need not end with a line
        self._until_prompt(KEY_SECONDS, re.compile(r"vm# $"))

    def take(self, path, how="cat"):
        """A file's content, or what a program makes of it."""
        return base64.b64decode(self.type([f"{how} {path} | base64"]))

    def begin(self):
        """A document begins with a shell of its own."""
        self.type(["sh"])

    def end(self):
        """And leaves nothing; the driver is as new for the next one."""
        self.type(["jobs -p >/tmp/jobs; exec 3>&-; cd /; kill $(cat /tmp/jobs) 2>/dev/null; "
                   "wait; exit 0"])
        self.type(["rmmod pddgpu && modprobe pddgpu && chmod 666 /dev/dri/renderD*"])

    def close(self):
        """Turns the VM off; its status."""
        self._send("exit 0")
        return self.terminal.end()

    def kill(self):
        """Whatever state it is in."""
        if self.terminal.status is None:
            os.kill(self.terminal.pid, signal.SIGTERM)
            try:
                self.terminal.end()
            except (AssertionError, OSError):
                pass
