# SPDX-License-Identifier: MIT
"""What holds for all commands: usage, odd names, pipes, terminals, cards that go."""
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import xml.etree.ElementTree

from command import (COMMAND, QUICK, SCRATCH, TOP, Skip, environment, equal, jq, machine,
                     on_terminal, plain, run)
from drm import Machine
from world import GONE, KIB, MIB, Owner, card, leak, user

NAMES = ("list", "status", "stats", "leaks", "map")
ODD = (b"\x1b[31mred", b"new\nline", b"\xff\xfe\x80", "日本語".encode(), "\u202egnp.exe".encode(),
       b"<&>\"'", b"tab\there", b"back\\slash", b"\x7f\x01", "\x9b31m".encode(), b"a b", b"%s%n",
       "\uffff".encode(), b"\xed\xa0\x80")


def odd_card():
    owners = [Owner(n + 1, GONE + n, name, [("vram", "LIVE", MIB), ("gtt", "ORPHAN", MIB)])
              for n, name in enumerate(ODD)]
    leaks = [leak(MIB, 40000, comm_hex=name.hex(), label_hex=name.hex(), pid=GONE,
                  stack="a\x1b[1m < b") for name in ODD]
    return card(owners, leaks=leaks)


def harmless(text, newlines=True):
    for c in text:
        assert (c == "\n" and newlines) or (c.isprintable() and c not in "\u202e\u200b"), repr(c)


def test_install():
    made = ["bin/pddgpu", "bin/pddgpu-export", "include/libpddgpu/pddgpu.h", "lib/libpddgpu.so",
            "lib/pkgconfig/libpddgpu.pc", "lib/systemd/system/pddgpu-exporter.service",
            "share/bash-completion/completions/pddgpu", "share/man/man1/pddgpu.1",
            "share/pddgpu/grafana/pddgpu.json", "share/pddgpu/prometheus/pddgpu.rules.yml",
            "share/zsh/site-functions/_pddgpu", "src/pddgpu-0.2.0/dkms.conf",
            "src/pddgpu-0.2.0/Kbuild", "src/pddgpu-0.2.0/include/uapi/drm/pddgpu_drm.h"]
    for number, (root, prefix) in enumerate((("", "/opt/card"), ("/staged", "/usr"))):
        place = os.path.join(SCRATCH, f"install{number}")
        prefix = prefix if root else place + prefix
        root = place + root if root else ""
        # Without PREFIX and DESTDIR of whoever runs the tests
        done = subprocess.run(["make", "-s", "-C", TOP, "install", f"DESTDIR={root}",
                               f"PREFIX={prefix}"], check=False, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE,
                              env={"PATH": os.environ["PATH"], "HOME": place})
        equal((done.returncode, done.stderr), (0, b""))
        for name in made:
            assert os.path.isfile(root + prefix + "/" + name), name
        with open(root + prefix + "/lib/systemd/system/pddgpu-exporter.service",
                  encoding="utf-8") as f:
            assert f"\nExecStart={prefix}/bin/pddgpu export" in f.read()


def test_export_is_another_program():
    """What speaks HTTP takes long to load, so that only who needs it does."""
    alone = tempfile.mkdtemp(dir=SCRATCH)
    shutil.copy(COMMAND, alone)
    done = subprocess.run([alone + "/pddgpu", "export"], check=False, capture_output=True)
    equal((done.returncode, done.stdout, done.stderr.decode()),
          (5, b"", f"pddgpu: export: {alone}/pddgpu-export: No such file or directory\n"))
    with open(alone + "/pddgpu-export", "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\nprintf '%s\\n' \"$0\" \"$@\"\nexit 7\n")
    done = subprocess.run([alone + "/pddgpu", "export"], check=False, capture_output=True)
    equal(done.returncode, 4)
    os.chmod(alone + "/pddgpu-export", 0o755)
    done = subprocess.run([alone + "/pddgpu", "export", "--listen", "a b"], check=False,
                          capture_output=True)
    equal((done.returncode, done.stdout.decode()),
          (7, f"{alone}/pddgpu-export\n--listen\na b\n"))
    needed = subprocess.run(["ldd", COMMAND], check=True, capture_output=True).stdout
    assert b"libc.so" in needed and b"libmicrohttpd" not in needed, needed


def test_packages_are_built_where_one_says():
    place = os.path.join(SCRATCH, "packages")
    os.makedirs(place)
    builder = os.path.join(place, "dpkg-buildpackage")
    with open(builder, "w", encoding="ascii") as f:
        f.write('#!/bin/sh\necho "$PWD|$*|$OUT|$PREFIX|$MAKEFLAGS"\n')
    os.chmod(builder, 0o755)
    done = subprocess.run(["make", "-s", "--no-print-directory", "-C",
                           os.path.join(TOP, "packaging"), "deb", f"OUT={place}", "PREFIX=/x"],
                          check=True, stdout=subprocess.PIPE,
                          env={"PATH": place + ":" + os.environ["PATH"]})
    # The packages' own makes must not take it for theirs.
    equal(done.stdout.decode(), f"{place}/pddgpu-0.2.0|-us -uc -b|||\n")
    assert os.path.isfile(f"{place}/pddgpu-0.2.0/debian/rules")


def test_usage():
    for name in NAMES:
        for wrong in (["--nonsense"], ["-Z"], ["--device"], ["--json=1"], ["extra"],
                      ["--color=blue"], ["--unit=MB"], ["-"]):
            if name == "list" and wrong[0] == "--unit=MB":
                continue
            done = run(name, *wrong, cards=[card()])
            equal((name, wrong, done.rc, done.out), (name, wrong, 2, ""))
            assert re.fullmatch(rf"pddgpu: {name}: .* \(see pddgpu {name} --help\)\n", done.err), \
                done.err
    for wrong in ([], ["nonsense"], ["help", "nonsense"], ["help", "list", "x"], ["--nonsense"],
                  ["status", "--query=nonsense"], ["status", "--query="], ["status", "-q", "pci,"],
                  ["status", "--query=pci pci"], ["status", "--format=csv"],
                  ["status", "-q", "pci", "--format=xml"], ["status", "-q", "pci", "-f", "nounits"],
                  ["status", "-q", "pci", "--json"], ["status", "-n", "x"], ["status", "-n", "-1"],
                  ["stats", "-n", "1"], ["stats", "-i", "0"], ["stats", "-i", "1x"],
                  ["stats", "-i", "1ms"], ["stats", "-i", "nan"], ["stats", "-i", "0x10"],
                  ["leaks", "--fail-on=all"], ["leaks", "--fail-on=confirmed:"],
                  ["leaks", "--fail-on=confirmed:1Q"], ["leaks", "--pid=0"],
                  ["leaks", "--min-size=-1"], ["leaks", "--min-size=99999999999G"],
                  ["leaks", "--clear", "--json"], ["map", "--blocks"], ["map", "-n", "0"],
                  ["map", "-o", "x", "--json"]):
        done = run(*wrong, cards=[card()])
        equal((wrong, done.rc), (wrong, 2))
        equal(done.out, "")
        assert "pddgpu" in done.err


def test_help_and_version():
    for args in (["--help"], ["-h"], ["help"]):
        done = run(*args)
        equal((done.rc, done.err), (0, ""))
        for name in NAMES:
            assert f"\n  {name} " in done.out
    for name in NAMES:
        equal(run("help", name).out, run(name, "--help").out)
        assert run(name, "-h").out.startswith(f"Usage: pddgpu {name} ")
    assert re.fullmatch(r"pddgpu \d+\.\d+\.\d+ \(libpddgpu [0-9.]+\)\n", run("--version").out)


def test_odd_names_as_text():
    for name in NAMES:
        for env in ({}, {"LC_ALL": "C"}):
            done = run(name, cards=[odd_card()], env=env)
            equal(done.rc, 0)
            harmless(done.out)
            if env:
                assert done.out.isascii(), done.out
        done = on_terminal(name, cards=[odd_card()])
        harmless(plain(done.out))
    assert "\\x1b[31mred" in run("status", cards=[odd_card()]).out
    assert "日本語" in run("status", cards=[odd_card()]).out
    assert "\\u{65e5}" in run("status", cards=[odd_card()], env={"LC_ALL": "C"}).out


def test_odd_names_as_csv():
    for args in (["status", "--query-processes=comm,pid"], ["leaks", "--query=comm,label"]):
        done = run(*args, cards=[odd_card()])
        equal(len(done.lines), 1 + len(ODD))
        harmless(done.out)


def test_odd_names_as_json():
    for args in (["status"], ["leaks"], ["leaks", "--by=none"], ["map"], ["map", "--blocks"],
                 ["stats"], ["list"]):
        done = run(*args, "--json", cards=[odd_card()])
        equal(done.rc, 0)
        # jq takes nothing that is no JSON, Python nothing that is no UTF-8
        equal(jq(done.raw, ".devices | length"), "1")
        equal(done.json["schema"], f"pddgpu.{args[0]}/1")
    comms = {p["comm"] for p in
             run("status", "--json", cards=[odd_card()]).json["devices"][0]["processes"]}
    assert {"\x1b[31mred", "new\nline", "日本語", "\ufffd\ufffd\ufffd"} <= comms, comms


def test_json_on_a_terminal():
    for name in NAMES:
        shown = on_terminal(name, "--json", cards=[odd_card()])
        # Which is nothing to a terminal
        harmless(shown.out.replace("\x7f", ""))
        equal(shown.json, run(name, "--json", cards=[odd_card()]).json)


def test_odd_names_as_svg():
    done = run("map", "-o", "-", cards=[odd_card()])
    root = xml.etree.ElementTree.fromstring(done.raw)
    texts = [e.text for e in root.iter() if e.text]
    assert any("日本語" in t for t in texts)
    assert any("<&>\"'" in t for t in texts)


def test_json_is_the_same_each_time():
    path = machine(odd_card())
    for name in NAMES:
        equal(run(name, "--json", cards=path).raw, run(name, "--json", cards=path).raw)


def test_json_has_integers():
    def look(value, path=""):
        if isinstance(value, float):
            assert "per_second" in path or path.endswith("fragmentation"), path
        for key, part in (value.items() if isinstance(value, dict) else
                          enumerate(value) if isinstance(value, list) else ()):
            look(part, f"{path}.{key}")
    for args in (["status"], ["leaks"], ["map", "--blocks"], ["stats"], ["list"]):
        look(run(*args, "--json", cards=[odd_card()]).json)


def test_what_root_would_add_is_one_line():
    for cards in ([user(card())], [user(card()), user(card(number=1))]):
        for name, lines in (("list", 0), ("status", 1), ("stats", 0), ("leaks", 1), ("map", 1)):
            for more in ([], ["--json"]):
                equal((name, run(name, *more, cards=cards).err.count("\n")), (name, lines))


def test_units():
    equal(run("list", "-u", "KiB", cards=[card()]).lines[1].split()[2:4], ["262144", "KiB"])
    equal(run("list", "-u", "GiB", cards=[card()]).lines[1].split()[2:4], ["0.2", "GiB"])
    equal(run("list", "-u", "B", cards=[card()]).lines[1].split()[2:4], ["268435456", "B"])


def test_a_card_that_vanishes():
    """After any number of questions, in the middle of anything."""
    for name in NAMES:
        for calls in range(12):
            for more in ([], ["--json"]):
                done = run(name, *more, cards=[card(vanish_after=calls), card(number=1)])
                assert done.rc in (0, 3), (name, calls, done.rc, done.err)
                if done.rc:
                    assert "0000:00:04.0" in done.err
                if more:
                    equal(jq(done.raw, ".schema"), f'"pddgpu.{name}/1"')
                assert "0000:00:05.0" in done.out, (name, calls)
        equal(run(name, cards=[card(vanish_after=0)]).rc, 3)


def test_a_reader_that_has_seen_enough():
    for name in NAMES:
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([COMMAND, name], env=environment([odd_card()], {}), stdout=writer,
                              stderr=subprocess.PIPE, check=False)
        os.close(writer)
        equal(done.stderr, b"")
        assert done.returncode in (-13, 0), done.returncode


def test_a_disk_that_is_full():
    with open("/dev/full", "wb") as full:
        for name in NAMES:
            for more in ([], ["--json"]):
                done = run(name, *more, cards=[odd_card()], stdout=full)
                equal((name, done.rc), (name, 5))
                assert "No space left" in done.err, done.err
        for args in (["--help"], ["--version"], ["help", "map"], ["status", "--help-query"],
                     ["map", "-o", "-"]):
            equal(run(*args, cards=[card()], stdout=full).rc, 5)
        done = run("top", "-n", "1", "-i", "0.1", *Machine().args(), stdout=full)
        equal((done.rc, done.err),
              (5, "pddgpu: cannot write the output: No space left on device\n"))
    done = run("map", "-o", "/dev/full", cards=[card()])
    equal(done.rc, 5)
    assert "/dev/full: No space left" in done.err
    done = run("map", "-o", "/nowhere/x.svg", cards=[card()])
    equal(done.rc, 5)


def test_a_folder_that_is_not_ones_own():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        # Root, but without what makes modes of no matter
        less = [] if os.geteuid() else ["setpriv", "--bounding-set=-dac_override"]
        program, *args = [*less, COMMAND, "map", "-o", f"{folder}/x.svg"]
        done = run(*args, program=program, cards=[card()])
    equal((done.rc, done.err), (4, f"pddgpu: {folder}/x.svg: Permission denied\n"))


def test_stdout_that_is_closed():
    for name in NAMES:
        done = subprocess.run(["sh", "-c", '"$0" "$1" >&-', COMMAND, name], check=False,
                              env=environment([card()], {}), stderr=subprocess.PIPE)
        equal((done.returncode, done.stderr),
              (5, b"pddgpu: cannot write the output: Bad file descriptor\n"))


def test_small_terminals():
    for columns, rows in ((20, 5), (1, 1), (10, 2), (300, 100)):
        for name in NAMES:
            done = on_terminal(name, cards=[odd_card()], columns=columns, rows=rows)
            equal((name, done.rc), (name, 0))
    # The picture itself fits
    done = on_terminal("map", cards=[odd_card()], columns=20, rows=5)
    for line in plain(done.out).splitlines():
        if re.match(r" *\d.*B [^a-z]+$", line):
            assert len(line) <= 20, line


def test_a_hundred_thousand_blocks():
    """Every one of them is in the picture; the time it takes is shown, `make bench` tells
    what it is on a card."""
    many = [Owner(n + 1, GONE + n, f"p{n}", []) for n in range(1000)]
    cards = card(many, vram=100000 * 4 * KIB)
    cards["vram_blocks"] = {"made": 100000, "size": 4 * KIB}
    cards["gtt_blocks"] = []
    path = machine(cards)
    for args in (["map"], ["map", "-o", "/dev/null"]):
        start = time.monotonic()
        equal(run(*args, cards=path, program=QUICK).rc, 0)
        took = time.monotonic() - start
        print(f"# {' '.join(args)}: {took * 1000:.0f} ms for 100,000 blocks")
    found = run("map", "--json", "--blocks", cards=path, program=QUICK).json["devices"][0]
    equal(len(found["vram"]["blocks"]), 100000)
    equal(found["vram"]["size"], 100000 * 4 * KIB)


def options_of(name):
    """Long options, with the words that they take, from --help."""
    found = {}
    for line in run(name, "--help").lines:
        match = re.match(r"  (?:-(\w), |    )--([\w-]+)(?:=(\S+))?", line)
        if match:
            found[match.group(2)] = (match.group(1), match.group(3))
    return found


def manual(name):
    page = "pddgpu" if name is None else f"pddgpu-{name}"
    with open(os.path.join(TOP, f"tools/man/{page}.1"), encoding="utf-8") as f:
        return f.read()


def test_manuals_have_every_option():
    for name in NAMES + ("top", "watch", "record", "replay", "report", "export"):
        text = manual(name).replace("\\-", "-")
        for option, (letter, _) in options_of(name).items():
            assert re.search(rf"(Fl|,) -{option}\b", text), f"{name}: --{option}"
            if letter:
                assert f"Fl {letter}" in text, f"{name}: -{letter}"


def test_manuals_have_every_member():
    """Of JSON, as far as it has a name that is not a figure's of the statistics."""
    def names(value):
        if isinstance(value, dict):
            for key, part in value.items():
                if key not in ("stats", "health", "delta", "per_second"):
                    yield key
                    yield from names(part)
        elif isinstance(value, list):
            for part in value:
                yield from names(part)
    for args in (["list"], ["status"], ["leaks"], ["map", "--blocks"], ["stats", "-i0.1", "-n1"]):
        text = manual(args[0])
        if args[0] == "stats":
            lines = run(*args, "--json", cards=[odd_card()]).lines
            found = {name for line in lines for name in names(json.loads(line))}
        else:
            found = set(names(run(*args, "--json", cards=[odd_card()]).json))
        for member in found - {"schema"}:
            assert re.search(rf"\b{member}\b", text), f"{args[0]}: {member}"


def test_manuals_are_well_formed():
    pages = sorted(glob.glob(os.path.join(TOP, "tools/man/*.1")))
    assert pages
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", *pages], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    equal(done.stdout.decode(), "")
    for page in pages:
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page],
                              check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              env={**os.environ, "MANROFFSEQ": "", "MANWIDTH": "80"})
        equal(done.stderr.decode(), "")


COMPLETE = """
source "$1"
compopt() { :; }
COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=("$3")
_pddgpu
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(line):
    done = subprocess.run(["bash", "-c", COMPLETE, "bash",
                           os.path.join(TOP, "tools/completion/pddgpu.bash"), line, COMMAND],
                          env=environment([card()], {}), check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    equal((done.returncode, done.stderr), (0, b""))
    return done.stdout.decode().split()


def test_bash_completion():
    equal(complete("pddgpu st"), ["status", "stats"])
    equal(complete("pddgpu help m"), ["map"])
    for name in NAMES:
        found = complete(f"pddgpu {name} --")
        equal([word.rstrip("=") for word in found],
              [f"--{option}" for option in options_of(name)])
    equal(complete("pddgpu leaks --by="), ["stack", "owner", "label", "none"])
    equal(complete("pddgpu leaks -b o"), ["owner"])
    equal(complete("pddgpu leaks --fail-on=c"), ["confirmed"])
    equal(complete("pddgpu status --query=pci,vram.us"), ["pci,vram.used"])
    equal(complete("pddgpu status -d "), ["0000:00:04.0"])
    equal(complete("pddgpu status --format=csv,nou"), ["csv,nounits"])


def test_completion_of_files():
    wanted = {option for name in NAMES + ("top", "watch", "record", "replay", "report", "export")
              for option, (_, operand) in options_of(name).items()
              if operand and re.match("FILE|DIR", operand)}
    for shell, found in (("pddgpu.bash", r"^\t(--.*)\)$"), ("_pddgpu", r"^\t\t\t(.*)\).*_files")):
        with open(os.path.join(TOP, "tools/completion", shell), encoding="utf-8") as f:
            cases = re.findall(found, f.read(), re.M)
        known = {option for case in cases for option in re.findall(r"[a-z]+", case)}
        equal((shell, wanted - known), (shell, set()))


def test_zsh_completion():
    path = os.path.join(TOP, "tools/completion/_pddgpu")
    with open(path, encoding="utf-8") as f:
        equal(f.readline(), "#compdef pddgpu\n")
    try:
        done = subprocess.run(["zsh", "-n", path], check=False, stderr=subprocess.PIPE)
    except FileNotFoundError as error:
        raise Skip("there is no zsh") from error
    equal((done.returncode, done.stderr), (0, b""))
