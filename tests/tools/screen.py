# SPDX-License-Identifier: MIT
"""A program in a terminal of any size, and what is on its screen.

The terminal is Linux' console: others scroll and repeat by commands that pyte ignores.
"""
import errno
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import pyte

KEYS = {"up": "\033[A", "down": "\033[B", "right": "\033[C", "left": "\033[D",
        "pageup": "\033[5~", "pagedown": "\033[6~", "home": "\033[1~", "end": "\033[4~",
        "f1": "\033[[A", "f4": "\033[[D", "f5": "\033[[E", "f6": "\033[17~",
        "f10": "\033[21~", "enter": "\r", "tab": "\t", "esc": "\033", "space": " ",
        "backspace": "\177"}


class Screen(pyte.Screen):
    """pyte takes a cursor behind the last column along to other lines."""

    def cursor_to_line(self, line=None):
        self.cursor.x = min(self.cursor.x, self.columns - 1)
        super().cursor_to_line(line)


class Terminal:
    """Runs argv in a pty."""

    def __init__(self, argv, rows=24, columns=80, env=None, limit=30):
        self.screen = Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.limit = limit
        self.status = None
        environment = {"TERM": "linux", "LC_ALL": "C.UTF-8",
                       "PATH": os.environ["PATH"], "TZ": "UTC", **(env or {})}
        self.pid, self.master = pty.fork()
        if not self.pid:
            try:
                # The size must be there before the program asks.
                fcntl.ioctl(0, termios.TIOCSWINSZ,
                            struct.pack("HHHH", rows, columns, 0, 0))
                os.execvpe(argv[0], argv, environment)
            finally:
                os._exit(127)

    def read(self, seconds):
        """Takes what comes in that time; False when the program has closed."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            ready, _, _ = select.select([self.master], [], [], max(left, 0))
            if not ready:
                return True
            try:
                data = os.read(self.master, 65536)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                data = b""
            if not data:
                return False
            self.raw += data
            self.stream.feed(data)

    def lines(self):
        return [line.rstrip() for line in self.screen.display]

    def text(self):
        return "\n".join(self.lines())

    def wait(self, condition, what=""):
        """Until the text fulfils a condition: a function, or a part of it."""
        test = condition if callable(condition) else lambda text: condition in text
        end = time.monotonic() + self.limit
        while time.monotonic() < end:
            open_still = self.read(0.05)
            if test(self.text()):
                return self.text()
            if not open_still:
                break
        raise AssertionError(f"waited in vain for {what or condition!r}:\n{self.text()}")

    def press(self, *keys):
        for key in keys:
            os.write(self.master, KEYS.get(key, key).encode())
            self.read(0.08)

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def background(self, row, column):
        return self.screen.buffer[row][column].bg

    def end(self, *keys):
        """Presses keys and returns the exit status, negative for a signal."""
        if keys:
            self.press(*keys)
        end = time.monotonic() + self.limit
        while self.status is None and time.monotonic() < end:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise AssertionError(f"does not end:\n{self.text()}")
        os.close(self.master)
        for word in (b"runtime error", b"Sanitizer"):
            assert word not in self.raw, self.raw.decode("utf-8", "replace")
        return self.status
