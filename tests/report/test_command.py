# SPDX-License-Identifier: MIT
"""The command line, and the file that is written."""
import json
import os
import resource
import signal
import stat
import subprocess

from common import SCRATCH, Skip, document_of, equal, page_of, recording, run, scratch


def read(path):
    with open(path, "rb") as file:
        return file.read()


def no_rest(folder=SCRATCH):
    """Nothing is left beside the file."""
    equal([name for name in os.listdir(folder) if name.startswith(".")], [])


def test_usage():
    for args, why in [((), "where to? --output"),
                      (("-o", "x", "--json"), "excludes --json"),
                      (("-o", "x", "--from", "f", "--for", "3"), "--for looks at cards"),
                      (("-o", "x", "--for", "soon"), "--for"),
                      (("-o", "x", "--interval", "1ms"), "--interval"),
                      (("-o", "x", "y"), "y")]:
        done = run(*args)
        equal(done.returncode, 2)
        assert why in done.err and done.err.count("\n") == 1, done.err
    assert not os.path.exists("x")


def test_help_names_all():
    out = run("--help").stdout.decode()
    for option in ("--output=FILE.html", "--for=TIME", "--interval=TIME", "--from=FILE",
                   "--json", "--device=NAME"):
        assert option in out, option


def test_the_file():
    path = scratch("new.html")
    mask = os.umask(0o027)
    try:
        equal(run("--for", "3s", "-o", path).returncode, 0)
    finally:
        os.umask(mask)
    equal(stat.S_IMODE(os.stat(path).st_mode), 0o640)
    page = read(path)
    assert page.startswith(b"<!DOCTYPE html>") and page.rstrip().endswith(b"</html>")
    no_rest()


def test_it_is_replaced_whole():
    path = scratch("old.html")
    with open(path, "w", encoding="ascii") as file:
        file.write("before")
    os.chmod(path, 0o604)
    before = os.stat(path).st_ino
    kept = open(path, encoding="ascii")
    equal(run("--for", "1s", "-o", path).returncode, 0)
    # Who has the old one open sees it unchanged: it was not written over
    equal(kept.read(), "before")
    kept.close()
    assert os.stat(path).st_ino != before
    equal(stat.S_IMODE(os.stat(path).st_mode), 0o604)
    no_rest()


def test_a_link_stays():
    target, link = scratch("target.html"), scratch("link.html")
    with open(target, "w", encoding="ascii") as file:
        file.write("before")
    os.symlink("target.html", link)
    equal(run("--for", "1s", "-o", link).returncode, 0)
    assert os.path.islink(link)
    assert read(target).startswith(b"<!DOCTYPE")


def test_stdout():
    done = run("--for", "1s", "-o", "-")
    equal((done.returncode, done.err), (0, ""))
    document_of(done.stdout)


def test_what_is_no_file_stays():
    equal(run("--for", "1s", "-o", "/dev/null").returncode, 0)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    fifo = scratch("fifo")
    os.mkfifo(fifo)
    with subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE) as reader:
        equal(run("--for", "1s", "-o", fifo).returncode, 0)
        page = reader.stdout.read()
    assert stat.S_ISFIFO(os.stat(fifo).st_mode)
    document_of(page)


def test_a_full_disk():
    done = run("--for", "1s", "-o", "/dev/full")
    equal((done.returncode, done.err),
          (5, "pddgpu: report: /dev/full: No space left on device\n"))
    with open("/dev/full", "wb") as full:
        equal(run("--for", "1s", "-o", "-", stdout=full).returncode, 5)
    path = scratch("limited.html")
    with open(path, "w", encoding="ascii") as file:
        file.write("before")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

    done = run("--for", "1s", "-o", path, preexec_fn=limit)
    equal((done.returncode, done.err), (5, f"pddgpu: report: {path}: File too large\n"))
    equal(read(path), b"before")
    no_rest()


def test_where_nothing_can_be():
    for path, why in [("/nowhere/x.html", "No such file or directory"),
                      ("", "No such file or directory"), (SCRATCH, "Is a directory"),
                      (scratch("none/"), "Is a directory"),
                      (scratch("new.html") + "/x.html", "Not a directory"),
                      ("/" + "n" * 300 + ".html", "File name too long")]:
        done = run("--for", "1s", "-o", path)
        equal(done.returncode, 5)
        assert why in done.err and done.err.count("\n") == 1, done.err


def test_without_rights():
    if os.geteuid():
        raise Skip("needs root, to be somebody else")
    os.chmod(SCRATCH, 0o755)
    done = run("--for", "1s", "-o", scratch("denied.html"), user=65534, group=65534,
               extra_groups=[])
    equal(done.returncode, 4)
    assert "Permission denied" in done.err, done.err
    # It is found out before the time is spent, and nothing is looked at
    assert done.err.count("\n") == 1, done.err


def test_an_ordinary_user():
    if os.geteuid():
        raise Skip("needs root, to be somebody else")
    done = run("--for", "5s", "--json", worlds="user", user=65534, group=65534, extra_groups=[])
    equal(done.returncode, 0)
    assert done.err.startswith("pddgpu: This is what an ordinary user may know"), done.err
    equal(done.err.count("\n"), 1)
    document = json.loads(done.stdout)
    card = document["cards"][0]
    equal(card["map"], [])
    equal({owner["comm"] for owner in card["owners"]}, {"game"})
    equal(len(document["notes"]), 1)


def test_no_card():
    done = run("-o", scratch("none.html"), worlds="")
    equal((done.returncode, done.err), (3, "pddgpu: no PDDGPU card\n"))
    assert not os.path.exists(scratch("none.html"))
    done = run("-o", scratch("none.html"), "-d", "card9")
    equal(done.returncode, 3)


def test_one_that_may_not_be_opened():
    done = run("--for", "1s", "--json", worlds="clean,denied")
    equal(done.returncode, 4)
    first, second = json.loads(done.stdout)["cards"]
    equal((first["error"], second["error"]), (None, "Permission denied"))
    assert first["time"]["ms"] and not second["time"]["ms"]
    done = run("--for", "1s", "-o", scratch("denied.html"), worlds="denied")
    equal(done.returncode, 4)
    assert not os.path.exists(scratch("denied.html"))


def test_one_that_goes():
    done = run("--for", "5m", "--json", worlds="gone")
    equal(done.returncode, 3)
    assert "no more looks: No such device" in done.err, done.err
    card = json.loads(done.stdout)["cards"][0]
    assert card["gone"]
    # What was seen until then is there
    equal(card["time"]["ms"][-1], 94000)
    equal(card["log"][-1]["event"], "removed")
    assert card["groups"]


def test_one_of_several():
    document = json.loads(run("--for", "1s", "--json", "-d", "0000:00:05.0",
                              worlds="clean,leaky").stdout)
    equal([card["device"] for card in document["cards"]], ["0000:00:05.0"])


def test_a_recording():
    path = recording(scratch("night.rec"))
    done = run("--from", path, "-o", scratch("night.html"), worlds="")
    equal((done.returncode, done.err), (0, ""))
    document, _ = document_of(read(scratch("night.html")))
    equal((document["looks"], document["duration_ms"], document["recording"]),
          (60, 59000, path))
    card = document["cards"][0]
    equal((card["device"], card["driver"], card["judged"]), ("0000:03:00.0", "amdgpu", False))
    grows, goes = card["owners"]
    equal((grows["comm"], grows["first"], grows["peak"]),
          ("<b>grows</b>", 65 << 20, 124 << 20))
    equal((goes["comm"], goes["first"], goes["vram"]), ("goes", 8 << 20, 0))
    equal(card["time"]["series"][0]["vram"][-1], 123 << 20)
    equal(card["time"]["used"]["vram"][-1], 159 << 20)
    with open(path, "rb") as file:
        done = run("--from", "-", "--json", worlds="", stdin=file)
    equal(json.loads(done.stdout)["cards"], document["cards"])


def test_a_recording_that_is_damaged():
    path = recording(scratch("cut.rec"), tail=b'{"t":60000,"cards"')
    done = run("--from", path, "-o", scratch("cut.html"), worlds="")
    equal(done.returncode, 5)
    assert done.err.endswith("line 62: cut off\n") and done.err.count("\n") == 1, done.err
    # What is before that is worth to be seen
    equal(document_of(read(scratch("cut.html")))[0]["looks"], 60)
    for text, why in [(b"", "nothing in it"), (b"{}\n", "no recording"), (b"\0\xff\n", "JSON")]:
        with open(path, "wb") as file:
            file.write(text)
        done = run("--from", path, "-o", scratch("none.html"), worlds="")
        equal(done.returncode, 5)
        assert why in done.err, done.err
        assert not os.path.exists(scratch("none.html"))
    equal(run("--from", scratch("nothing"), "--json").returncode, 5)
    done = run("--from", recording(path), "--json", "-d", "card7")
    equal(done.returncode, 3)
    assert "there is no card 'card7'" in done.err, done.err


def test_a_recording_with_very_many_cards():
    path = scratch("cards.rec")
    lines = [{"schema": "pddgpu.record/1", "start_ms": 1, "interval_ms": 1000, "host": "h"},
             {"t": 0, "cards": [{"d": f"card{i}", "t": [1, 1, 1], "u": [1, 1, 1], "q": 7}
                                for i in range(100)], "clients": [
              {"i": i, "d": f"other{i}", "r": "x", "c": i, "p": 1, "u": 0, "n": "x",
               "m": {"vram": [2 ** 63 - 1]}} for i in range(100)]}]
    with open(path, "w", encoding="ascii") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    done = run("--from", path, "--json")
    equal(done.returncode, 0)
    equal(len(json.loads(done.stdout)["cards"]), 16)
    assert "more cards" in done.err


def test_nothing_of_others_is_markup():
    page = read(page_of("hostile"))
    document, raw = document_of(page)
    for byte in b"<>&":
        assert byte not in raw
    assert all(byte < 0x80 for byte in raw)
    names = {owner["comm"] for owner in document["cards"][0]["owners"]}
    assert {"</script><scrip", "<!--<script>", "\u202elive\u202c", "\x1b[31mred\x07\x7f"} <= names
    # Nor in the tables for those without scripts
    start, end = page.index(b"<noscript>"), page.index(b"</noscript>")
    equal(page.count(b"</noscript>"), 1)
    equal(page.count(b"</script>"), 2)
    for bad in (b"<script>", b"<img", b"\x1b", b"\x07", b"\xff", "\u202e".encode(),
                "\u2028".encode()):
        assert bad not in page[start:end], bad
    page.decode("utf-8")
