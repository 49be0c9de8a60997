# SPDX-License-Identifier: MIT
"""Temporary folders that the next run removes when their owner was killed."""
import fcntl
import os
import shutil
import tempfile


class Scratch:
    """A new folder, locked while its owner lives; remove() or a later
    Scratch of the same prefix removes it."""

    def __init__(self, prefix):
        parent = tempfile.gettempdir()
        _sweep(parent, prefix)
        # It gets its name when it is locked: before, a sweep would take it.
        new = tempfile.mkdtemp(prefix="new." + prefix, dir=parent)
        self._lock = os.open(new, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.path = os.path.join(parent, os.path.basename(new)[len("new."):])
        os.rename(new, self.path)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    def keep(self):
        """Leaves it for good, and returns the name it has then."""
        parent, name = os.path.split(self.path)
        kept = os.path.join(parent, "kept-" + name)
        os.rename(self.path, kept)
        os.close(self._lock)
        return kept


def _sweep(parent, prefix):
    for name in os.listdir(parent):
        if name.startswith(prefix):
            _remove_stale(os.path.join(parent, name))


def _remove_stale(path):
    try:
        if os.lstat(path).st_uid != os.getuid():
            return
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return      # another run was faster, or it is no folder
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        pass        # in use
    finally:
        os.close(lock)
