# SPDX-License-Identifier: MIT
"""Wakes a guest up that has gone to sleep (S3): over QEMU's monitor, since a
clock's alarm may go off before it sleeps, and then it would sleep for ever."""
import json


class Waker:
    """What to say to the monitor; fed with what that says."""

    def __init__(self, wire):
        self.wire = wire

    def options(self):
        """QEMU's options for a monitor of our own."""
        return ["-chardev", self.wire.option(), "-mon",
                f"chardev={self.wire.name},mode=control"]

    def received(self, data):
        """Takes what the monitor has said, and answers."""
        self.wire.data += data
        while b"\n" in self.wire.data:
            line, _, rest = bytes(self.wire.data).partition(b"\n")
            self.wire.data[:] = rest
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if "QMP" in said:
                self._say("qmp_capabilities")
            elif said.get("event") == "SUSPEND":
                self._say("system_wakeup")

    def _say(self, command):
        try:
            self.wire.socket.sendall(
                json.dumps({"execute": command}).encode() + b"\n")
        except OSError:
            pass    # QEMU has ended
