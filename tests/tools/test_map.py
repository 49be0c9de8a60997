# SPDX-License-Identifier: MIT
"""pddgpu map: the picture, the figures, SVG."""
import os
import re
import subprocess
import tempfile
import xml.etree.ElementTree

from command import SCRATCH, Skip, equal, jq, on_terminal, plain, run
from world import GONE, KIB, MIB, Owner, card, user

SVG = "{http://www.w3.org/2000/svg}"


def rows(text):
    """The pictures' rows, without what is before them."""
    return [match.group(1) for match in
            re.finditer(r"^[ \d.KMGTiB]{9} (\S+)$", plain(text), re.M)]


def block(offset, size, state, pid=0, comm=""):
    return {"offset": offset, "size": size, "state": state, "pid": pid, "comm": comm}


def two_owners():
    return [Owner(1, GONE, "big", [("vram", "LIVE", 64 * MIB), ("gtt", "ORPHAN", 16 * MIB)]),
            Owner(2, GONE + 1, "small", [("vram", "ZOMBIE", 32 * MIB)])]


def test_the_picture():
    done = run("map", "--region=vram", "-n8", cards=[card(two_owners(), kernel=32 * MIB)])
    equal((done.rc, done.err), (0, ""))
    assert done.lines[1] == "VRAM  128 MiB of 256 MiB used; a cell is 512 KiB", done.lines[1]
    found = "".join(rows(done.out)).replace("·", ".")
    equal(len(found), 512)
    equal(found[:192], "#" * 64 + "A" * 128)
    # A page that is free is between them; a cell that is less than half used is small
    equal(found[192:257], "B" * 64 + "b")
    equal(set(found[257:]), {"."})
    assert f"  A big (pid {GONE}), 64 MiB, exited" in done.lines
    assert f"  B small (pid {GONE + 1}), 32 MiB, exited" in done.lines
    assert "  # kernel, 32 MiB" in done.lines


def test_by_state():
    done = run("map", "--by=state", "-r", "vram", "-n8", cards=[card(two_owners(),
                                                                    kernel=32 * MIB)])
    found = "".join(rows(done.out))
    equal(found[:257], "#" * 64 + "L" * 128 + "Z" * 64 + "z")
    assert "  Z zombie, 32 MiB" in done.lines


def test_figures():
    blocks = [block(0, 4 * MIB, "LIVE", 1, "a"), block(4 * MIB, 4 * MIB, "FREE"),
              block(8 * MIB, 8 * MIB, "FREE"), block(16 * MIB, 4096, "KERNEL"),
              block(16 * MIB + 4096, 4096, "CLEARING"),
              block(16 * MIB + 8192, 4 * MIB - 8192, "ORPHAN", 1, "a"),
              block(20 * MIB, 4 * MIB, "FREE")]
    done = run("map", "--json", "--blocks", cards=[card(vram_blocks=blocks)])
    found = done.json["devices"][0]["vram"]
    equal((found["size"], found["live"], found["orphan"], found["kernel"], found["free"],
           found["clearing"]), (24 * MIB, 4 * MIB, 4 * MIB - 8192, 4096, 16 * MIB, 4096))
    equal((found["free_blocks"], found["largest_free_block"], found["largest_free_run"]),
          (4, 8 * MIB, 12 * MIB))
    equal(found["free_by_size"], [{"bytes": 4096, "blocks": 1}, {"bytes": 4 * MIB, "blocks": 2},
                                  {"bytes": 8 * MIB, "blocks": 1}])
    wanted = 1 - 12 * MIB / (16 * MIB + 4096)
    assert abs(found["fragmentation"] - wanted) < 1e-9
    equal(len(found["blocks"]), 7)
    equal(found["blocks"][5], {"offset": 16 * MIB + 8192, "size": 4 * MIB - 8192,
                               "state": "orphan", "owner": 0})
    equal(jq(done.raw, ".devices[0].owners"),
          f'[{{"pid":1,"comm":"a","bytes":{8 * MIB - 8192}}}]')
    lines = run("map", cards=[card(vram_blocks=blocks)]).lines
    assert ("  free 16.0 MiB in 4 blocks; the largest 8 MiB, in one piece 12 MiB; "
            "fragmentation 25.0 %") in lines, lines
    assert "  free blocks by size: 4 KiB: 1, 4 MiB: 2, 8 MiB: 1" in lines


def test_full_and_empty():
    full = card(vram_blocks=[block(0, 256 * MIB, "LIVE", 1, "a")], gtt_blocks=[])
    done = run("map", cards=[full])
    equal(done.rc, 0)
    assert "fragmentation 0.0 %" in done.out
    equal(set("".join(rows(done.out))), {"A"})
    equal(run("map", "-o", "-", cards=[full]).rc, 0)


def test_blocks_that_make_no_sense():
    for blocks in ([block(4096, 4096, "LIVE"), block(0, 4096, "LIVE")],
                   [block(0, 0, "LIVE")],
                   [block(2 ** 63 - 1, 2 ** 63 - 1, "LIVE"), block(2 ** 63 - 1, 4096, "FREE")],
                   [block(0, 2 ** 63 - 1, "FREE"), block(2 ** 63 - 1, 2 ** 63 - 1, "LIVE")]):
        for args in ([], ["-o", "-"]):
            done = run("map", *args, cards=[card(vram_blocks=blocks)], timeout=20)
            assert done.rc == 4 or done.rc == 5, done.rc
            assert "what lies where" in done.err, done.err
    odd = card(vram_blocks=[block(0, 4096, "WHATEVER"), block(4096, 4096, "FREE")])
    done = run("map", "-r", "vram", cards=[odd])
    equal(rows(done.out), ["?·"])


def test_more_owners_than_colours():
    many = [Owner(n, GONE + n, f"p{n}", [("vram", "LIVE", (20 - n) * MIB)]) for n in range(15)]
    done = run("map", cards=[card(many)])
    assert "  L p11 " in done.out and "  M p12" not in done.out
    assert f"  + 3 others, {8 + 7 + 6} MiB" in done.lines, done.out
    assert "+" in "".join(rows(done.out))
    svg = run("map", "-o", "-", cards=[card(many)]).out
    assert f">3 others, {8 + 7 + 6} MiB<" in svg


def test_colours():
    cards = [card(two_owners())]
    shown = on_terminal("map", cards=cards)
    assert "\x1b[38;5;39m\u2588" in shown.out, shown.out
    shown = on_terminal("map", cards=cards, env={"TERM": "xterm"})
    assert "\x1b[36m\u2588" in shown.out and "38;5" not in shown.out
    shown = on_terminal("map", cards=cards, env={"LC_ALL": "C"})
    assert "\x1b[38;5;39mA" in shown.out and shown.out.isascii()
    shown = on_terminal("map", cards=cards, env={"LC_ALL": "C", "NO_COLOR": "1"})
    assert shown.out.isascii() and "\x1b" not in shown.out


def test_rows_fit():
    for columns in (20, 40, 80, 81, 133, 200):
        shown = on_terminal("map", cards=[card(two_owners())], columns=columns, rows=40)
        found = rows(shown.out)
        assert found and len(shown.lines) <= 40, (columns, len(shown.lines))
        for row in found:
            assert len(row) + 10 <= columns
    equal(len(rows(run("map", "-r", "vram", "--rows=4", cards=[card(two_owners())]).out)), 4)


def test_svg():
    path = os.path.join(SCRATCH, "map.svg")
    done = run("map", "-o", path, cards=[card(two_owners()), card(number=1)])
    equal((done.rc, done.out, done.err), (0, "", ""))
    root = xml.etree.ElementTree.parse(path).getroot()
    equal(root.tag, SVG + "svg")
    width, height = int(root.get("width")), int(root.get("height"))
    used = {}
    for rect in root.iter(SVG + "rect"):
        if rect.get("width") == "100%":
            continue
        x, y, w, h = (int(rect.get(key)) for key in ("x", "y", "width", "height"))
        assert 0 <= x and x + w <= width and 0 <= y and y + h <= height, rect.attrib
        title = rect.find(SVG + "title")
        if title is not None:
            name = title.text.split(",")[0]
            used[name] = used.get(name, 0) + w
    # A pixel is 8 KiB of VRAM, 16 KiB of the GTT
    assert 8192 + 1024 <= used[f"big (pid {GONE})"] <= 8192 + 1024 + 3, used
    equal([e.text for e in root.iter(SVG + "text") if e.get("class") == "h"],
          ["PDD1000 at 0000:00:04.0", "VRAM", "GTT", "PDD1000 at 0000:00:05.0", "VRAM", "GTT"])
    os.unlink(path)


def test_svg_is_drawn():
    """By a program that nobody here wrote, and not as an empty page."""
    svg = run("map", "-o", "-", cards=[card(two_owners())]).raw
    with tempfile.NamedTemporaryFile(dir=SCRATCH, suffix=".json") as png:
        try:
            done = subprocess.run(["rsvg-convert", "-f", "png", "-o", png.name], input=svg,
                                  check=False, stderr=subprocess.PIPE)
        except FileNotFoundError as error:
            raise Skip("there is no rsvg-convert") from error
        equal((done.returncode, done.stderr), (0, b""))
        assert os.path.getsize(png.name) > 10000


def test_svg_stays_small():
    dust = card(vram=1 << 30)
    dust["vram_blocks"] = {"made": 100000, "size": 8 * KIB}
    equal(run("map", "-o", "-", cards=[dust]).rc, 0)
    assert len(run("map", "-o", "-", cards=[dust]).raw) < 8 << 20


def test_an_ordinary_user():
    done = run("map", cards=[user(card())])
    equal((done.rc, done.err), (4, "pddgpu: only root may see what lies where\n"))
    done = run("map", "--json", cards=[user(card())])
    equal(done.rc, 4)
    equal(jq(done.raw, ".devices[0] | [.vram, .gtt]"), "[null,null]")
    done = run("map", cards=[card(vram_blocks="ENOENT", gtt_blocks="ENOENT")])
    equal(done.rc, 5)
    assert "mount -t debugfs" in done.err
