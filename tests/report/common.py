# SPDX-License-Identifier: MIT
"""Runs the command on made-up cards, and opens what it writes."""
import atexit
import json
import os
import re
import shutil
import subprocess
import tempfile

import browser

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.environ.get("BUILD") or os.path.join(TOP, "build/tests/report")
CHECKED = os.path.join(BUILD, "report")
QUICK = os.path.join(BUILD, "quick")
SHOTS = os.path.join(TOP, "build/report")
SCRATCH = tempfile.mkdtemp(prefix="pddgpu-report-")
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
# What a sanitizer finds must not look like an exit code of the command's
SANITIZERS = {"ASAN_OPTIONS": "exitcode=99:detect_leaks=1",
              "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=99"}
MIB = 1 << 20


class Skip(Exception):
    """Why a test cannot run here."""


def scratch(name):
    return os.path.join(SCRATCH, name)


def run(*args, worlds="leaky", program=CHECKED, timeout=120, **more):
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PDDGPU_WORLDS": worlds,
           **SANITIZERS}
    done = subprocess.run([program, *args], env=env, timeout=timeout, check=False,
                          **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                             "stdin": subprocess.DEVNULL, **more})
    err = (done.stderr or b"").decode("utf-8", "replace")
    assert done.returncode != 99 and "Sanitizer" not in err and "runtime error" not in err, err
    done.err = err
    return done


def equal(found, wanted):
    assert found == wanted, f"{found!r}\n is not {wanted!r}"


def document_of(page):
    """The JSON in a page; what there is of markup in it would end it."""
    data = re.search(rb'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(data.group(1)), data.group(1)


PAGES = {}


def page_of(worlds, time="5m", program=CHECKED):
    """The file with a report of such cards; made once."""
    if worlds not in PAGES:
        path = scratch(worlds.replace(",", "-") + ".html")
        done = run("--for", time, "-o", path, worlds=worlds, program=program)
        assert os.path.exists(path), done.err
        PAGES[worlds] = path
    return PAGES[worlds]


def many():
    """100,000 buffers; fast enough only without sanitizers."""
    return page_of("many", "20s", QUICK)


def recording(path, samples=60, tail=b""):
    """As `pddgpu record` writes them: one client that grows, one that goes."""
    lines = [{"schema": "pddgpu.record/1", "start_ms": 1700000000000, "interval_ms": 1000,
              "host": "there"}]
    for i in range(samples):
        card = {"d": "0000:03:00.0", "r": "amdgpu", "k": "card1", "t": [1 << 30, 1 << 30, 0],
                "u": [(100 + i) * MIB, 10 * MIB, 0], "q": 3}
        line = {"t": i * 1000, "cards": [card], "clients": [
            {"i": 0, "m": {"vram": [(64 + i) * MIB], "gtt": [MIB]}}]}
        if not i:
            line["clients"][0].update({"d": "0000:03:00.0", "r": "amdgpu", "c": 7, "p": 41,
                                       "u": 1000, "n": "<b>grows</b>"})
            line["clients"].append({"i": 1, "d": "0000:03:00.0", "r": "amdgpu", "c": 8,
                                    "p": 42, "u": 1000, "n": "goes", "m": {"vram": [8 * MIB]}})
        if i == samples // 2:
            line["gone"] = [1]
        lines.append(line)
    with open(path, "wb") as file:
        for line in lines:
            file.write(json.dumps(line).encode() + b"\n")
        file.write(tail)
    return path


BROWSER = []


def chromium():
    """The browser, begun once; installed where that is possible."""
    if not BROWSER:
        if not browser.find():
            subprocess.run([os.path.join(TOP, "scripts/setup"), "browser"], check=False,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        path = browser.find()
        BROWSER.append(browser.Browser(path) if path else None)
    if not BROWSER[0]:
        raise Skip("there is no chromium, and it cannot be installed")
    return BROWSER[0]


def shot(page, name):
    os.makedirs(SHOTS, exist_ok=True)
    path = os.path.join(SHOTS, name + ".png")
    page.screenshot(path)
    assert os.path.getsize(path) > 10000, f"{path} shows nothing"


def end():
    for one in filter(None, BROWSER):
        one.close()
