# SPDX-License-Identifier: MIT
"""pddgpu top: what is on the screen, at several sizes, while things change."""
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time

from command import COMMAND, SANITIZERS, TOP, Skip, environment, equal, run
from drm import CARD, MIB, RECORDED, Machine, on_screen
from world import Owner, card

DRIVERS = {"amdgpu": ("VRAM", "llama-server", "8.5G"), "xe": ("VRAM", "gnome-shell", "256M"),
           "i915": ("SYS", "Xorg", "150M"), "panthor": ("SYS", "glmark2-es2-wl", "38.0M"),
           "msm": ("SYS", "com.example.app", "68.5M"), "v3d": ("SYS", "labwc", "36.2M"),
           "pddgpu": ("VRAM", "trainer", "96.0M")}


def recorded(driver, *args):
    return run("top", "--proc", os.path.join(RECORDED, driver), "-n", "1", "-i", "0.1", *args)


def by_client(document):
    return {(c["device"], c["client_id"]): c for c in document["clients"]}


def test_every_driver_as_text_and_on_the_screen():
    for driver, (title, name, size) in DRIVERS.items():
        done = recorded(driver)
        equal(done.rc, 0)
        assert re.search(rf"\b{size} .*{name}", done.out), done.out
        top = on_screen(["top", "--proc", os.path.join(RECORDED, driver)], 24, 100)
        text = top.wait(name, driver)
        head = next(line for line in text.splitlines() if " PID " in line)
        assert title in head and driver in text and size in text, text
        equal(top.end("q"), 0)


def test_json_of_a_card_with_own_memory():
    document = recorded("amdgpu", "--json").json
    equal(document["schema"], "pddgpu.top/1")
    clients = by_client(document)
    # Four clients: one is there twice in a process, and one in two processes.
    equal(sorted(c for _, c in clients), [41, 57, 60, 66])
    equal(clients["0000:03:00.0", 41]["files"], 2)
    equal(clients["0000:03:00.0", 57]["files"], 2)
    equal(clients["0000:03:00.0", 57]["pid"], 812)
    equal(clients["0000:03:00.0", 41]["vram_bytes"], 143360 << 10)
    equal(clients["0000:03:00.0", 41]["regions"]["vram"]["shared_bytes"], 98304 << 10)
    newer = clients["0000:03:00.0", 66]
    # resident, not what it would like to have, and once
    equal(newer["vram_bytes"], 8704 << 20)
    equal(newer["regions"]["vram"]["total_bytes"], 9216 << 20)
    equal(newer["label"], "rocm")
    equal(newer["evictions"], None)
    equal(newer["engines"]["compute"]["busy_ns"], 918273645000)
    used = document["cards"][0]["regions"]["vram"]
    equal(used["used_bytes"], sum(c["vram_bytes"] for c in clients.values()))
    equal(used["total_bytes"], None)


def test_the_manual_has_every_member():
    def members(value, above=None):
        if isinstance(value, dict):
            for key, part in value.items():
                if above not in ("regions", "engines", "busy_percent"):
                    yield key
                yield from members(part, key)
        elif isinstance(value, list):
            for part in value:
                yield from members(part)

    machine, entry = owned_world()
    found = set(members(run("top", "--json", "-n", "1", "-i", "0.1", *machine.args(),
                            cards=[entry]).json))
    for driver in ("xe", "i915", "amdgpu"):
        found |= set(members(recorded(driver, "--json").json))
        found |= set(members(recorded(driver, "--json", "-g", "processes").json))
    assert len(found) > 40, found
    with open(os.path.join(TOP, "tools/man/pddgpu-top.1"), encoding="utf-8") as f:
        text = f.read()
    for member in found - {"schema"}:
        assert re.search(rf"\b{member}\b", text), member


def test_json_of_cards_without_addresses():
    for driver in ("panthor", "msm", "v3d"):
        document = recorded(driver, "--json").json
        equal([c["device"] for c in document["cards"]], [driver])
        assert all(c["vram_bytes"] == 0 < c["system_bytes"] for c in document["clients"])


def test_json_of_several_cards_and_evictions():
    document = recorded("pddgpu", "--json").json
    clients = by_client(document)
    equal(len(document["cards"]), 2)
    equal(document["silent_files"], 1)
    equal(clients[CARD, 4]["evictions"], 340)
    equal(clients[CARD, 4]["pid"], clients["0000:00:05.0", 9]["pid"])
    names = [c["name"] for c in document["clients"]]
    assert "worker\x1b[31m\x07\ufffd" in names, names


def test_hostile_files():
    done = recorded("hostile", "--json")
    equal(done.rc, 0)
    clients = done.json["clients"]
    assert 2 <= len(clients) <= 4, clients
    assert all(len(c["device"]) <= 47 and len(c["name"]) <= 16 for c in clients)
    equal([c["vram_bytes"] for c in clients if c["client_id"] == 7], [5 << 10])
    for columns, rows in ((80, 24), (20, 5), (300, 60)):
        top = on_screen(["top", "--proc", os.path.join(RECORDED, "hostile")], rows, columns)
        top.wait("xxxx")
        equal(top.end("q"), 0)


def test_rates_by_difference():
    machine = Machine()
    machine.client(10, "busy", 1, vram=8 * MIB, copy_ns=0)
    child = subprocess.Popen([COMMAND, "top", "--json", "-n", "3", "-i", "1", *machine.args()],
                             stdout=subprocess.PIPE, env=environment((), None))
    first = json.loads(child.stdout.readline())
    # Half of the time, and a MiB more
    begun = time.monotonic()
    while time.monotonic() < begun + 1.5:
        spent = time.monotonic() - begun
        machine.client(10, "busy", 1, vram=int((8 + spent) * MIB), copy_ns=int(spent * 5e8))
        time.sleep(0.02)
    document = [json.loads(line) for line in child.stdout][-1]
    equal(child.wait(), 0)
    equal(first["clients"][0]["busy_percent"], 0)
    one = document["clients"][0]
    assert 15 < one["busy_percent"] < 60, one
    assert 30 * MIB < one["growth_bytes_per_minute"] < 70 * MIB, one


def owned_world():
    """A card with a program that lives, and memory of two that have exited."""
    machine = Machine()
    machine.card(0, vram_total=256 * MIB, vram_used=100 * MIB, gtt_total=512 * MIB, gtt_used=0)
    machine.client(100, "alive", 1, vram=64 * MIB)
    owners = [Owner(1, 100, "alive", [("vram", "LIVE", 64 * MIB)]),
              Owner(7, 4242, "sloppy", [("vram", "ORPHAN", 24 * MIB)]),
              Owner(8, 4343, b"od\x1bd", [("vram", "ZOMBIE", 8 * MIB)])]
    return machine, card(owners, kernel=4 * MIB)


def test_owners_and_sums_of_a_pddgpu():
    machine, entry = owned_world()
    document = run("top", "--json", "-n", "1", "-i", "0.1", *machine.args(), cards=[entry]).json
    vram = document["cards"][0]["regions"]["vram"]
    equal(vram, {"total_bytes": 256 * MIB, "used_bytes": 100 * MIB, "live_bytes": 64 * MIB,
                 "orphan_bytes": 24 * MIB, "zombie_bytes": 8 * MIB, "kernel_bytes": 4 * MIB})
    exited = {c["name"]: c["vram_bytes"] for c in document["clients"] if c["exited"]}
    equal(exited, {"sloppy": 24 * MIB, "od\x1bd": 8 * MIB})
    equal(document["exited_known"], True)
    top = on_screen(["top", *machine.args()], 24, 100, cards=[entry])
    text = top.wait("sloppy (exited)")
    assert "VRAM 100M = live 64.0M + orphaned 24.0M + zombie 8.0M + kernel 4.0M" in text, text
    assert "od\\x1bd (exited)" in text, text
    assert "100M/256M  39.1%" in text, text
    # The bar: alive has a quarter of it, and its colour is that of its line.
    row = next(i for i, line in enumerate(top.lines()) if line.startswith("VRAM["))
    colours = [top.background(row, x) for x in range(5, 5 + 73)]
    equal(colours.count(colours[0]), round(73 / 4))
    line = next(i for i, text in enumerate(top.lines()) if text.endswith("alive"))
    spot = top.lines()[line].index("alive") - 2
    assert colours[0] in {top.background(line, spot), "green"}
    equal(colours.count("red"), round(73 * 24 / 256))
    top.press("o")
    top.wait(lambda text: "sloppy (exited)" not in text)
    equal(top.end("q"), 0)


def test_what_an_ordinary_user_sees():
    machine, entry = owned_world()
    entry["owners"] = None
    entry = {key: value for key, value in entry.items() if value is not None}
    document = run("top", "--json", "-n", "1", "-i", "0.1", *machine.args(), cards=[entry]).json
    equal(document["exited_known"], False)
    equal([c["name"] for c in document["clients"]], ["alive"])
    top = on_screen(["top", *machine.args()], 24, 120, cards=[entry])
    top.wait("root sees who exited, too")
    equal(top.end("q"), 0)


def test_sorting():
    machine = Machine()
    machine.client(10, "beta", 3, vram=MIB, gtt=9 * MIB, evictions=5)
    machine.client(20, "alpha", 2, vram=5 * MIB, gtt=MIB, evictions=1)
    machine.client(30, "gamma", 1, vram=3 * MIB, gtt=2 * MIB, evictions=9)
    top = on_screen(["top", *machine.args()])
    order = lambda text: re.findall(r"\b(alpha|beta|gamma)$", text, re.M)  # noqa: E731

    def wait(*names):
        top.wait(lambda text: order(text) == list(names), names)

    wait("alpha", "gamma", "beta")
    top.press("G")
    wait("beta", "gamma", "alpha")
    top.press("P")
    wait("beta", "alpha", "gamma")
    top.press("P")
    wait("gamma", "alpha", "beta")
    top.press("N")
    wait("alpha", "beta", "gamma")
    top.press("E")
    wait("gamma", "beta", "alpha")
    # By the menu: client is the last
    top.press("f6")
    top.wait("Sort by")
    top.press(*["down"] * 5, "enter")
    wait("gamma", "alpha", "beta")
    for key, rows in (("vram", "alpha gamma beta"), ("name", "alpha beta gamma")):
        done = run("top", "-n", "1", "-i", "0.1", "--sort", key, *machine.args())
        equal(order(done.out), rows.split())
    equal(top.end("q"), 0)


def test_sorting_by_user():
    if os.geteuid():
        raise Skip("only root can make files of others")
    machine = Machine()
    # Users without a name
    for pid, uid in ((10, 600064), (20, 600000), (30, 600128)):
        machine.client(pid, f"of{uid}", pid, vram=MIB)
        os.chown(os.path.join(machine.proc, str(pid)), uid, -1)
    done = run("top", "-n", "1", "-i", "0.1", "--sort", "user", *machine.args())
    equal(re.findall(r"of(\d+)$", done.out, re.M), ["600000", "600064", "600128"])


def test_filter():
    top = on_screen(["top", "--proc", os.path.join(RECORDED, "amdgpu")])
    top.wait("llama-server")
    top.press("/", "X", "o")
    top.wait(lambda text: "Xorg" in text and "Xwayland" not in text.split("Filter")[0])
    top.press("backspace")
    top.wait("Xwayland")
    top.press("z", "z", "z")
    top.wait("Nothing matches the filter")
    top.press("esc")
    top.wait("llama-server")
    top.press("/", *"2290", "enter")
    top.wait(lambda text: "Xwayland" in text and "llama" not in text.split("PID")[1])
    assert "Filter: 2290" in top.text(), top.text()
    top.press("esc")
    top.wait("llama-server")
    equal(top.end("f10"), 0)
    done = recorded("amdgpu", "--filter", "KWIN")
    assert "kwin" not in done.out and "Xorg" not in done.out
    assert "Xwayland" in recorded("amdgpu", "--filter", "xWAY").out


def test_processes_and_tree():
    top = on_screen(["top", "--proc", os.path.join(RECORDED, "amdgpu")])
    top.wait("4 clients")
    top.press("t")
    text = top.wait("3 processes")
    assert "Xorg (2)" in text and "148M" in text, text
    top.press("t")
    text = top.wait("├─ client 41")
    assert "└─ client 57" in text, text
    equal(top.end("q"), 0)
    document = recorded("amdgpu", "--json", "--group", "processes").json
    equal([c["clients"] for c in document["clients"] if c["name"] == "Xorg"], [2])


def test_details():
    top = on_screen(["top", "--proc", os.path.join(RECORDED, "i915")])
    top.wait("Xorg")
    top.press("enter")
    text = top.wait("region")
    assert "i915 0000:00:02.0  Xorg, pid 950  client 2" in text, text
    assert re.search(r"system0 +150M +196M +120M +0 +3\.0M", text), text
    assert "video 0.0%" in text, text
    top.press("down")
    top.wait("firefox, pid 1700")
    top.press("enter")
    top.wait(lambda text: "region" not in text)
    equal(top.end("q"), 0)


def test_pause():
    machine = Machine()
    machine.client(10, "one", 1, vram=MIB)
    top = on_screen(["top", "-i", "0.2", *machine.args()])
    top.wait("one")
    top.press("p")
    top.wait("PAUSED")
    machine.client(20, "two", 2, vram=MIB)
    top.read(0.8)
    assert "two" not in top.text()
    top.press("space")
    top.wait("two")
    equal(top.end("q"), 0)


def test_help_fits_any_height():
    top = on_screen(["top", "--proc", os.path.join(RECORDED, "xe")], 6, 60)
    top.wait("vkcube")
    top.press("?")
    top.wait("quit")
    top.press(*["down"] * 18)
    top.wait("z freed")
    top.press("x")
    top.wait("vkcube")
    equal(top.end("q"), 0)


def test_sizes_and_resize():
    top = on_screen(["top", "--proc", os.path.join(RECORDED, "pddgpu")], 24, 80)
    top.wait(lambda text: "F1Help" in text and "60 s" in text and "trainer" in text)
    for rows, columns in ((40, 120), (5, 20), (1, 1), (2, 3), (3, 200), (200, 10), (10, 40),
                          (4, 300), (24, 80)):
        top.resize(rows, columns)
        top.read(0.15)
    top.wait(lambda text: "F1Help" in text and "60 s" in text and "trainer" in text)
    top.resize(5, 20)
    text = top.wait(lambda text: re.search(r"^ *VRAM NAME$", text, re.M))
    lines = text.splitlines()
    equal(len(lines), 5)
    assert lines[0].startswith("pddgpu top") and "VRAM" in lines[1], text
    assert re.search(r"96\.0M .*trainer", lines[3]), text
    equal(top.end("q"), 0)


def test_every_size_from_the_start():
    for rows, columns in ((5, 20), (1, 1), (2, 80), (24, 9), (60, 250)):
        top = on_screen(["top", "--proc", os.path.join(RECORDED, "pddgpu")], rows, columns)
        top.read(0.4)
        assert any(top.lines()) or columns == 1, (rows, columns)
        for key in ("enter", "f6", "down", "esc", "?", "x", "/", "a", "esc"):
            top.press(key)
        equal(top.end("q"), 0)


def test_without_utf8_and_colours():
    plain = {"LC_ALL": "C", "NO_COLOR": "1"}
    machine, entry = owned_world()
    machine.client(101, "日本".encode(), 9, vram=20 * MIB)
    entry["ownership"][0]["live"] += 20 * MIB
    top = on_screen(["top", *machine.args()], 24, 100, cards=[entry], env=plain)
    text = top.wait("sloppy (exited)")
    assert text.isascii(), text
    assert not re.search(rb"\x1b\[[0-9;]*[34]\dm", top.raw)
    bar = next(line for line in text.splitlines() if line.startswith("VRAM["))
    assert re.match(r"VRAM\[alive#+.*(orphan|X{5})", bar), bar
    assert "\\u{65e5}\\u{672c}" in text, text
    top.press("t", "t")
    equal(top.end("q"), 0)
    # Colours without UTF-8, and the reverse
    for env in ({"LC_ALL": "C"}, {"NO_COLOR": "1"}, {"TERM": "vt100"}):
        top = on_screen(["top", *machine.args()], 24, 100, cards=[entry], env=env)
        top.wait("sloppy (exited)")
        equal(top.end("q"), 0)


def test_graphs():
    machine = Machine()
    stop = threading.Event()

    def grow():
        step = 0
        while not stop.is_set():
            step += 1
            machine.client(10, "grower", 1, vram=step * MIB, copy_ns=step * 50_000_000)
            stop.wait(0.1)

    thread = threading.Thread(target=grow)
    machine.client(10, "grower", 1)
    thread.start()
    try:
        top = on_screen(["top", "-i", "0.5", *machine.args()], 30, 100)
        top.wait(lambda text: len(re.findall("[▁▂▃▄▅▆▇█]", text)) > 12, "a graph")
        text = top.wait(lambda text: re.search(r"\+\d+M .*grower", text), "growth")
        assert re.search(r"VRAM, 60 s +busiest engine, 60 s", text), text
        busy = float(re.search(r" (\d+\.\d) +\d+ +grower", text).group(1))
        assert 20 < busy < 80, text
        equal(top.end("q"), 0)
    finally:
        stop.set()
        thread.join()


def test_processes_and_cards_that_vanish():
    machine, entry = owned_world()
    machine.card(1, "0000:00:05.0", "amdgpu", vram_total=64 * MIB, vram_used=MIB)
    machine.client(200, "second", 1, vram=MIB, device="0000:00:05.0", driver="amdgpu")
    top = on_screen(["top", "-i", "0.2", *machine.args()], 24, 100, cards=[entry])
    top.wait("second")
    top.press("end")
    machine.no_process(200)
    top.wait(lambda text: "second" not in text)
    machine.no_card(1)
    top.wait(lambda text: re.search(r"0000:00:05.0 +has gone", text))
    machine.no_process(100)
    machine.no_card(0)
    top.wait(lambda text: re.search(CARD + r" +has gone", text))
    machine.card(0)
    machine.client(300, "back", 5, vram=MIB)
    top.wait("back")
    equal(top.end("q"), 0)


def test_a_card_that_vanishes_while_it_is_asked():
    machine, entry = owned_world()
    entry["vanish_after"] = 3
    top = on_screen(["top", "-i", "0.1", *machine.args()], 24, 100, cards=[entry])
    top.wait("alive")
    top.read(1)
    top.wait("alive")
    equal(top.end("q"), 0)


def test_nothing_at_all():
    machine = Machine()
    top = on_screen(["top", *machine.args()])
    top.wait("No DRM device")
    top.press("tab", "t", "enter", "f6", "enter", "end", "up", "I")
    equal(top.end("q"), 0)
    done = run("top", "--proc", "/nonexistent")
    assert done.rc == 5 and "No such file" in done.err, done.err
    equal(run("top", "-n", "1", *machine.args(), "-i", "0.1").rc, 0)


def test_one_card_of_several():
    machine = Machine("pddgpu")
    machine.card(0, CARD)
    machine.card(1, "0000:00:05.0")
    for name in ("0000:00:05.0", "00:05.0", "card1"):
        done = run("top", "--json", "-n", "1", "-i", "0.1", "-d", name, *machine.args())
        equal([c["client_id"] for c in done.json["clients"]], [9])
    done = run("top", "-n", "1", "-d", "card7", *machine.args())
    equal(done.rc, 3)
    top = on_screen(["top", *machine.args()])
    top.wait("compositor")
    top.press("tab")
    top.wait(lambda text: "compositor" in text and "0000:00:05.0" not in text)
    top.press("tab")
    top.wait(lambda text: "compositor" not in text and "trainer" in text)
    top.press("tab")
    top.wait("compositor")
    equal(top.end("q"), 0)


def test_many_cards():
    machine = Machine()
    for number in range(12):
        machine.card(number, f"0000:00:{number:02x}.0", "xe", vram_total=MIB, vram_used=0)
    top = on_screen(["top", *machine.args()], 24, 80)
    text = top.wait("more cards: Tab")
    assert "PID" in text, text
    equal(top.end("q"), 0)


def test_no_terminal():
    tree = os.path.join(RECORDED, "xe")
    done = run("top", "--proc", tree)
    equal(done.rc, 0)
    assert "vkcube" in done.out and "\x1b" not in done.out
    top = on_screen(["top", "--proc", tree], env={
        "TERM": "dumb-nonsense", "ASAN_OPTIONS": "detect_leaks=0"})
    top.wait("try --batch")
    equal(top.end(), 5)


def test_signals_and_a_terminal_that_goes():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        top = on_screen(["top", "--proc", os.path.join(RECORDED, "xe")])
        top.wait("vkcube")
        os.kill(top.pid, number)
        equal(top.end(), 0)
        # The terminal is as it was.
        assert b"\x1b[?25h" in top.raw[-40:], top.raw[-80:]
    child = subprocess.Popen([COMMAND, "top", "--proc", os.path.join(RECORDED, "xe"), "-b",
                              "-i", "0.1"], stdout=subprocess.PIPE,
                             env={**os.environ, **SANITIZERS})
    child.stdout.read(200)
    child.stdout.close()
    equal(child.wait(20), -signal.SIGPIPE)


def test_a_terminal_that_goes_without_a_signal():
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    # Not its controlling terminal
    top = subprocess.Popen([COMMAND, "top", "--proc", os.path.join(RECORDED, "xe")],
                           stdin=slave, stdout=slave, start_new_session=True,
                           env={**os.environ, "TERM": "linux", **SANITIZERS})
    os.close(slave)
    shown = b""
    while b"vkcube" not in shown:
        shown += os.read(master, 65536)
    os.close(master)
    try:
        equal(top.wait(10), 0)
    finally:
        top.kill()


def test_ten_thousand_clients():
    machine = Machine()
    for pid in range(1000, 1100):
        machine.process(pid, f"many{pid}")
        for fd in range(100):
            machine.file(pid, fd, f"drm-driver:\tpddgpu\ndrm-client-id:\t{pid * 100 + fd}\n"
                         f"drm-pdev:\t{CARD}\ndrm-resident-vram:\t{fd} KiB\n")
    document = run("top", "--json", "-n", "1", "-i", "0.1", *machine.args(False)).json
    equal(len(document["clients"]), 10000)
    equal(document["cards"][0]["regions"]["vram"]["used_bytes"], 100 * sum(range(100)) << 10)
    top = on_screen(["top", *machine.args(False)])
    top.wait("10000 clients")
    top.press("end", "pageup", "t")
    top.wait("100 processes")
    equal(top.end("q"), 0)
