# SPDX-License-Identifier: MIT
"""Made-up DRM clients: folders as /proc and /sys have them, that change while they are
watched."""
import os
import shutil
import tempfile

from command import COMMAND, SANITIZERS, SCRATCH, machine
from screen import Terminal

HERE = os.path.dirname(os.path.realpath(__file__))
RECORDED = os.path.join(HERE, "proc")
MIB = 1 << 20
CARD = "0000:00:04.0"


def put(path, text):
    """At once: whoever reads it gets the one or the other."""
    with open(path + ".new", "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.rename(path + ".new", path)


class Machine:
    """A folder with proc and sys."""

    def __init__(self, recorded=None):
        self.path = tempfile.mkdtemp(prefix="drm-", dir=SCRATCH)
        self.proc = os.path.join(self.path, "proc")
        self.sys = os.path.join(self.path, "sys")
        os.makedirs(os.path.join(self.sys, "class/drm"))
        if recorded:
            shutil.copytree(os.path.join(RECORDED, recorded), self.proc, symlinks=True)
        else:
            os.makedirs(self.proc)

    def args(self, sysfs=True):
        return ["--proc", self.proc, *(["--sys", self.sys] if sysfs else [])]

    def card(self, number=0, device=CARD, driver="pddgpu", **sizes):
        """sizes: vram_total=, gtt_used= and so on, as files mem_info_*"""
        folder = os.path.join(self.sys, "devices", device)
        drivers = os.path.join(self.sys, "bus/drivers", driver)
        os.makedirs(folder, exist_ok=True)
        os.makedirs(drivers, exist_ok=True)
        for link, target in ((os.path.join(folder, "driver"), drivers),
                             (os.path.join(self.sys, f"class/drm/card{number}/device"),
                              folder)):
            os.makedirs(os.path.dirname(link), exist_ok=True)
            if not os.path.lexists(link):
                os.symlink(target, link)
        for name, value in sizes.items():
            put(os.path.join(folder, f"mem_info_{name}"), f"{value}\n")

    def no_card(self, number=0):
        shutil.rmtree(os.path.join(self.sys, f"class/drm/card{number}"))

    def process(self, pid, comm):
        folder = os.path.join(self.proc, str(pid))
        for name in ("fd", "fdinfo"):
            os.makedirs(os.path.join(folder, name), exist_ok=True)
        put(os.path.join(folder, "comm"), comm + (b"\n" if isinstance(comm, bytes) else "\n"))

    def file(self, pid, fd, text, node="/dev/dri/renderD128"):
        folder = os.path.join(self.proc, str(pid))
        put(os.path.join(folder, f"fdinfo/{fd}"), "pos:\t0\nflags:\t02100002\n" + text)
        link = os.path.join(folder, f"fd/{fd}")
        if not os.path.lexists(link):
            os.symlink(node, link)

    def client(self, pid, comm, client, vram=0, gtt=0, copy_ns=0, evictions=0, fd=5,
               device=CARD, driver="pddgpu"):
        self.process(pid, comm)
        text = (f"drm-driver:\t{driver}\ndrm-client-id:\t{client}\ndrm-pdev:\t{device}\n"
                f"drm-total-vram:\t{vram}\ndrm-resident-vram:\t{vram}\n"
                f"drm-total-gtt:\t{gtt}\ndrm-resident-gtt:\t{gtt}\n"
                f"drm-engine-copy:\t{copy_ns} ns\n")
        if driver == "pddgpu":
            text += f"pddgpu-evictions:\t{evictions}\n"
        self.file(pid, fd, text)

    def no_process(self, pid):
        shutil.rmtree(os.path.join(self.proc, str(pid)))


def on_screen(argv, rows=24, columns=80, cards=(), env=None):
    """A command of pddgpu on a terminal."""
    more = {**SANITIZERS, "PDDGPU_FAKE": machine(*cards), **(env or {})}
    return Terminal([COMMAND, *argv], rows, columns, more)
