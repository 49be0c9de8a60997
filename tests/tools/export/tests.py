# SPDX-License-Identifier: MIT
"""Tests of `pddgpu export`: what it says of recorded cards, and to whom."""
import os
import re
import socket
import subprocess
import threading
import time

from common import (PCI, PROGRAM, Cards, Exporter, Metrics, parse, read_all, recorded,
                    tool, wait_for)

OTHER = "0000:00:05.0"
OPENMETRICS = ("Accept: application/openmetrics-text;version=1.0.0,"
               "application/openmetrics-text;version=0.0.1;q=0.75,"
               "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")


def owner(client, comm, vram=0, gtt=0):
    return f"{client} 100 {comm} {vram} 0 0 {gtt} 0 0 0 0 0 1 0 0\n"


def check_metrics(text):
    done = subprocess.run([tool("promtool"), "check", "metrics"], input=text.encode(),
                          capture_output=True, check=False)
    assert done.returncode == 0 and not done.stdout + done.stderr, done


def text_of(cards, *args):
    done = cards.run("--textfile=-", *args)
    assert done.returncode == 0, done
    return done.stdout.decode()


# ------------------------------------------------------------ what it says --

def test_figures():
    with Cards() as cards:
        cards.card(orphan_bytes=1 << 20, orphan_objects=1)
        text = text_of(cards)
    check_metrics(text)
    m, stats = Metrics(text), recorded()
    card = {"card": "card0", "pdev": PCI}
    assert m.get("pddgpu_up", **card) == 1
    assert m.get("pddgpu_memory_size_bytes", region="vram", **card) == stats["vram_total"][0]
    used = m.get("pddgpu_memory_used_bytes", region="vram", **card)
    assert used == stats["vram_used"][0]
    assert used == sum(m.get("pddgpu_memory_owned_bytes", region="vram", state=state)
                       for state in ("live", "orphan", "zombie", "kernel"))
    assert m.get("pddgpu_memory_owned_bytes", region="vram", state="orphan") == 1 << 20
    assert m.get("pddgpu_leak_bytes", state="suspicious") == stats["leak_suspicious_bytes"][0]
    for name, member in (("allocations", "total_allocations"), ("evictions", "evictions"),
                         ("moved_bytes", "bytes_moved"), ("moves", "moves")):
        assert m.get(f"pddgpu_{name}_total") == stats[member][0], name
        assert m.types[f"pddgpu_{name}_total"] == "counter"
    assert m.get("pddgpu_state", state="ready") == 1
    assert m.count("pddgpu_state") == 7
    assert not re.search("pid|comm", text)


def test_sums_while_busy():
    """The parts sum to the whole, also when somebody allocates between two questions."""
    with Cards() as cards:
        cards.card()
        cards.put(PCI, "skew", 4096)
        m = Metrics(text_of(cards))
    assert m.get("pddgpu_memory_used_bytes", region="vram") == sum(
        m.get("pddgpu_memory_owned_bytes", region="vram", state=state)
        for state in ("live", "orphan", "zombie", "kernel"))


def test_histogram():
    buckets = [0] * 32
    buckets[3], buckets[10], buckets[31] = 5, 2, 1
    with Cards() as cards:
        cards.card(move_histogram=buckets, avg_move_time=1000)
        m = Metrics(text_of(cards))
    name = "pddgpu_move_duration_seconds"
    # What took 2^10 to 2^11-1 ns is not more than 2.048 us
    assert m.get(f"{name}_bucket", le="1.024e-06") == 5
    assert m.get(f"{name}_bucket", le="2.048e-06") == 7
    assert m.get(f"{name}_bucket", le="2.147483648") == 7
    assert m.get(f"{name}_bucket", le="+Inf") == m.get(f"{name}_count") == 8
    assert abs(m.get(f"{name}_sum") - 8e-6) < 1e-12


def test_sum_never_falls():
    """An average is rounded; the sum made of it must not go back for that."""
    def moves(count):
        return [0] * 10 + [count] + [0] * 21

    with Cards() as cards:
        cards.card(move_histogram=moves(1000), avg_move_time=1001)
        with Exporter(cards) as exporter:
            first = exporter.metrics().get("pddgpu_move_duration_seconds_sum")
            cards.card(move_histogram=moves(1000), avg_move_time=1000)
            second = exporter.metrics().get("pddgpu_move_duration_seconds_sum")
            cards.card(move_histogram=moves(1), avg_move_time=1000)
            third = exporter.metrics().get("pddgpu_move_duration_seconds_sum")
    assert first == second > third, (first, second, third)


def test_no_card():
    with Cards() as cards:
        text = text_of(cards)
    check_metrics(text)
    assert Metrics(text).get("pddgpu_cards") == 0
    assert not Metrics(text).count("pddgpu_up")


def test_states():
    """A card that cannot be asked has no figures, and one that says why."""
    for error, state in ((5, "wedged"), (13, "denied"), (19, "gone"), (12, "error")):
        with Cards() as cards:
            cards.card()
            cards.card(OTHER, 1)
            cards.put(PCI, "error", error)
            done = cards.run("--textfile=-")
        assert done.returncode == 0 and PCI in done.stderr.decode(), done
        check_metrics(done.stdout.decode())
        m = Metrics(done.stdout.decode())
        assert m.get("pddgpu_up", pdev=PCI) == 0
        assert m.get("pddgpu_state", pdev=PCI, state=state) == 1
        assert m.get("pddgpu_up", pdev=OTHER, card="card1") == 1
        assert m.count("pddgpu_memory_used_bytes", pdev=PCI) == 0
    with Cards() as cards:
        cards.card()
        cards.put(PCI, "wedged", 1)
        assert Metrics(text_of(cards)).get("pddgpu_state", state="wedged") == 1


def test_older_driver():
    with Cards() as cards:
        cards.card()
        cards.put(PCI, "no_ownership", 1)
        text = text_of(cards)
    check_metrics(text)
    m = Metrics(text)
    assert m.get("pddgpu_up") == 1
    assert not m.count("pddgpu_memory_owned_bytes")
    assert m.get("pddgpu_memory_used_bytes", region="vram")


def test_processes():
    with Cards() as cards:
        cards.card()
        cards.put(PCI, "owners", "client pid comm ...\n" + owner(1, "small", 1)
                  + owner(2, "big", 4 << 20, 1 << 20) + owner(3, "big", 1 << 20)
                  + owner(4, "middle", 3 << 20) + owner(5, "tiny", 0, 2) + owner(6, "-", 3))
        text = text_of(cards, "--per-process=2")
    check_metrics(text)
    m = Metrics(text)
    name = "pddgpu_process_memory_bytes"
    assert m.get(name, comm="big", region="vram") == 5 << 20
    assert m.get(name, comm="big", region="gtt") == 1 << 20
    assert m.get(name, comm="middle", region="vram") == 3 << 20
    assert m.count(name) == 6
    assert m.get("pddgpu_other_processes_memory_bytes", region="vram") == 4
    assert m.get("pddgpu_other_processes_memory_bytes", region="gtt") == 2
    assert m.get("pddgpu_process_up") == 1
    assert "pid=" not in text


def test_hostile_names():
    """Whatever a process is called: a text that is valid, and no two the same."""
    names = ['"', "\\\\134", "\\\\134x0a", "\\012", "\\033[31m", "\\377\\376", "a\\000b", "}",
             '{le="x"}', "#", "\\303\\244", "\\302\\205", "\\355\\240\\200", "\\360\\237\\230\\200",
             "\\360\\237", "-", "\\055"]
    with Cards() as cards:
        cards.card()
        cards.put(PCI, "owners", "".join(owner(n, name.replace("\\\\", "\\"), 10 + n)
                                         for n, name in enumerate(names)))
        text = text_of(cards, "--per-process=100")
        openmetrics = text_of(cards, "--per-process=100", "--openmetrics")
    check_metrics(text)
    m = Metrics(text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    assert m.get("pddgpu_process_memory_bytes", comm="\u00e4", region="vram")
    assert m.get("pddgpu_process_memory_bytes", comm="\U0001f600", region="vram")
    assert m.get("pddgpu_process_memory_bytes", comm=r"\\x0a", region="vram")
    assert m.get("pddgpu_process_memory_bytes", comm=r"\\x5cx0a", region="vram")
    assert m.count("pddgpu_process_memory_bytes", region="vram") == len(names)
    assert Metrics(openmetrics).count("pddgpu_process_memory_bytes", region="vram") == len(names)


def test_processes_denied():
    with Cards() as cards:
        cards.card()
        done = cards.run("--textfile=-", "--per-process=5")
    m = Metrics(done.stdout.decode())
    assert done.returncode == 0
    assert "who has memory" in done.stderr.decode(), done
    assert m.get("pddgpu_process_up") == 0
    assert m.get("pddgpu_up") == 1
    assert not m.count("pddgpu_process_memory_bytes")
    check_metrics(done.stdout.decode())


def test_many_processes():
    with Cards() as cards:
        cards.card()
        cards.put(PCI, "owners", "".join(owner(n, f"name{n % 5000}", 4096)
                                         for n in range(10000)))
        with Exporter(cards, "--per-process=20") as exporter:
            m = exporter.metrics()
    assert m.count("pddgpu_process_memory_bytes") == 60
    total = sum(value for (name, labels), value in m.samples.items()
                if name.endswith("process_memory_bytes") or name.endswith("processes_memory_bytes"))
    assert total == 10000 * 4096


def test_openmetrics():
    with Cards() as cards:
        cards.card()
        text = text_of(cards, "--openmetrics")
        plain = text_of(cards)
    assert text.endswith("\n# EOF\n") and text.count("# EOF") == 1
    m, p = Metrics(text), Metrics(plain)
    assert m.types["pddgpu_evictions"] == "counter"
    assert m.types["pddgpu_card"] == "info"
    assert set(m.samples) == set(p.samples)
    assert "# EOF" not in plain


# ----------------------------------------------------------------- options --

def test_usage():
    with Cards() as cards:
        for args in (["--interval=1"], ["--openmetrics"], ["--textfile=a", "--listen=:0"],
                     ["--textfile=-", "--interval=1"], ["--textfile=a", "--interval=0"],
                     ["--per-process=0"], ["--per-process=1001"], ["--listen=21110"],
                     ["--listen=127.0.0.1"], ["--listen=127.0.0.1:65536"],
                     ["--listen=127.0.0.1:-1"], ["--listen=::1:80"], ["--listen=[::1:80"],
                     ["--listen=]:80"], ["--listen=["], ["--listen="], ["--listen=:"],
                     ["--listen=" + "a" * 300 + ":1"],
                     ["operand"], ["--nonsense"]):
            done = cards.run(*args)
            said = done.stderr.decode()
            assert done.returncode == 2 and said.count("\n") == 1, (args, done)
            assert "--help" in said, said


def test_host_that_nobody_knows():
    """Where no name server answers that is no usage error, which would be one for ever."""
    with Cards() as cards:
        alone = subprocess.run(["unshare", "-rn", PROGRAM, "--listen=no.such.host.invalid:1"],
                               env=cards.environment(), stdin=subprocess.DEVNULL,
                               capture_output=True, timeout=60, check=False)
        if b"unshare" in alone.stderr:
            alone = cards.run("--listen=no.such.host.invalid:1")
    said = alone.stderr.decode()
    assert said.count("\n") == 1 and "no.such.host.invalid:1: " in said, said
    assert alone.returncode == (2 if "not known" in said else 5), alone


def test_port_taken():
    with Cards() as cards, Exporter(cards) as exporter:
        done = cards.run(f"--listen=127.0.0.1:{exporter.port}")
        assert done.returncode == 5 and b"in use" in done.stderr, done


def test_addresses():
    with Cards() as cards:
        with Exporter(cards, listen=":0") as exporter:
            exporter.host = "127.0.0.1"
            exporter.metrics()
        with Exporter(cards, listen="localhost:0") as exporter:
            exporter.metrics()
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            return
        with Exporter(cards, listen="[::1]:0") as exporter:
            assert exporter.host == "::1"
            exporter.metrics()


# -------------------------------------------------------------------- HTTP --

def test_paths():
    with Cards() as cards, Exporter(cards) as exporter:
        status, headers, body = exporter.get("/")
        assert status == 200 and "/metrics" in body and "html" in headers["content-type"]
        status, _, body = exporter.get("/healthz")
        assert (status, body) == (200, "ok\n")
        assert exporter.get("/metrics?collect=x")[0] == 200
        for path in ("/metricsx", "/metrics/", "//metrics", "/../metrics", "*"):
            assert exporter.get(path)[0] == 404, path
        status, headers, body = exporter.get(method="HEAD")
        assert status == 200 and not body and int(headers["content-length"]) > 100
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"):
            status, headers, _ = exporter.get(method=method)
            assert status == 405 and headers["allow"] == "GET, HEAD", method


def test_accept():
    with Cards() as cards, Exporter(cards) as exporter:
        _, headers, body = exporter.get(headers=[OPENMETRICS])
        assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert body.endswith("# EOF\n")
        _, headers, body = exporter.get()
        assert headers["content-type"].startswith("text/plain; version=0.0.4")
        check_metrics(body)
    om = "application/openmetrics-text"
    for accept, format_ in (
            ("", "text"), ("*/*", "text"), ("text/plain", "text"), (om, "openmetrics"),
            (f"{om};q=0.5,text/plain;q=0.4", "openmetrics"),
            (f"{om};q=0.5,text/plain;q=0.6", "text"), (f"{om};q=0.5,*/*;q=0.6", "text"),
            (f"{om};q=0", "text"), (f"{om};version=0.0.1", "text"),
            (f"{om};version=2.0.0,text/plain;q=0.1", "text"), (f"{om} ; version=1.0.0 ; q=1.0",
                                                               "openmetrics"),
            (f"{om};q=x", "text"), (f"{om};q=-1", "text"), (f"{om};q=99", "text"),
            (f",,;;,{om}", "openmetrics"), (f"{om.upper()}", "openmetrics"),
            ("a" * 300 + f",{om}", "openmetrics"), (f"{om};{'x' * 300}", "text")):
        with Cards() as cards:
            done = cards.run("--accept", accept)
        assert done.stdout.decode().strip() == format_, (accept, done)


def test_hostile_requests():
    big = b"x" * 100000
    hostile = [
        b"", b"\0", b"\r\n\r\n", b"GET", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET " + big + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nA: " + big + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20000 + b"\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + big,
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /metrics\0 HTTP/1.1\r\nHost: a\r\n\r\n", b"GET \xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n\r\n", b"GET /metrics HTTP/1.1\nHost: a\n\n",
        b"GET http://x/metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 50,
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: " + b",;q=" * 1000 + b"\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text" + b";" * 900
        + b"\r\n\r\n",
    ]
    with Cards() as cards:
        cards.card()
        with Exporter(cards) as exporter:
            for data in hostile:
                with exporter.connect() as s:
                    try:
                        s.sendall(data)
                        s.shutdown(socket.SHUT_WR)
                        read_all(s)
                    except (BrokenPipeError, ConnectionResetError, OSError):
                        pass
                assert exporter.get("/healthz")[0] == 200, data[:60]
            assert exporter.metrics().get("pddgpu_up") == 1


def test_gone_before_the_answer():
    """Clients that leave while their answer is made."""
    with Cards() as cards:
        cards.card()
        cards.put(PCI, "delay_ms", 300)
        with Exporter(cards) as exporter:
            for _ in range(20):
                with exporter.connect() as s:
                    s.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            assert exporter.metrics().get("pddgpu_up") == 1


def test_slow_clients():
    """A hundred that dawdle: others are served at once, and those cut off in the end."""
    with Cards() as cards:
        cards.card()
        with Exporter(cards) as exporter:
            idle = [exporter.connect() for _ in range(50)]
            for n, s in enumerate(idle):
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: "[:n % 20])
            deaf = []
            for _ in range(50):
                s = socket.socket()
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                s.connect((exporter.host, exporter.port))
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
                deaf.append(s)
            start = time.monotonic()
            exporter.metrics()
            assert time.monotonic() - start < 8
            trickle = exporter.connect(1)
            trickle.sendall(b"GET /metrics HTTP/1.1\r\nA: ")
            while time.monotonic() - start < 25:
                try:
                    trickle.sendall(b"x")
                except (BrokenPipeError, ConnectionResetError):
                    break
                time.sleep(0.5)
            took = time.monotonic() - start
            assert 10 < took < 24, took
            for s in idle:
                s.settimeout(5)
                read_all(s)
            for s in idle + deaf + [trickle]:
                s.close()
            exporter.metrics()


def test_crowd():
    """More connections than there may be, then as many scrapers as may be."""
    with Cards() as cards:
        cards.card()
        with Exporter(cards) as exporter:
            crowd = [exporter.connect() for _ in range(300)]
            for s in crowd:
                s.close()
            # Until it has noticed there is no room for others of this address
            wait_for("its end", lambda: len(os.listdir(
                f"/proc/{exporter.child.pid}/fd")) < 30)
            results = []

            def scrape():
                for _ in range(4):
                    results.append(exporter.get()[0])

            threads = [threading.Thread(target=scrape) for _ in range(60)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert results == [200] * 240, results


# ------------------------------------------------------ cards come and go --

def test_come_and_go():
    with Cards() as cards, Exporter(cards) as exporter:
        assert exporter.metrics().get("pddgpu_cards") == 0
        cards.card()
        assert exporter.metrics().get("pddgpu_up") == 1
        for n in range(70):
            cards.drop(PCI)
            cards.card(f"0000:{n:02x}:00.0", n)
            assert exporter.metrics().get("pddgpu_cards") == 1, n
            cards.drop(f"0000:{n:02x}:00.0")
            cards.card()
        assert exporter.metrics().get("pddgpu_up", pdev=PCI) == 1
        # As many threads as cards, and not those of cards that were
        assert len(os.listdir(f"/proc/{exporter.child.pid}/task")) < 8


def test_card_that_hangs():
    with Cards() as cards:
        cards.card()
        cards.card(OTHER, 1)
        with Exporter(cards) as exporter:
            exporter.metrics()
            cards.put(PCI, "delay_ms", 6000)
            start = time.monotonic()
            waiting = exporter.connect()
            waiting.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            assert exporter.get("/healthz")[0] == 200
            assert time.monotonic() - start < 1.9
            m = Metrics(parse(read_all(waiting))[2])
            waiting.close()
            assert 1.5 < time.monotonic() - start < 5.9
            for _ in range(3):
                assert m.get("pddgpu_up", pdev=PCI) == 0
                assert m.get("pddgpu_state", pdev=PCI, state="hung") == 1
                assert m.get("pddgpu_up", pdev=OTHER) == 1
                # It is known by now: nobody waits for it again
                start = time.monotonic()
                m = exporter.metrics()
                assert time.monotonic() - start < 1.9
            cards.drop(PCI, "delay_ms")
            wait_for("an answer", lambda: exporter.metrics().get("pddgpu_up", pdev=PCI) == 1)
            cards.put(PCI, "delay_ms", 8000)
            # SIGTERM while it hangs, with a client that waits for it
            waiting = exporter.connect()
            waiting.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            time.sleep(0.3)
            start = time.monotonic()
            exporter.end()
            assert time.monotonic() - start < 7
            waiting.close()


def test_sigterm():
    with Cards() as cards:
        cards.card()
        exporter = Exporter(cards)
        held = [exporter.connect() for _ in range(5)]
        held[0].sendall(b"GET / HT")
        start = time.monotonic()
        said = exporter.end()
        assert exporter.child.returncode == 0, said
        assert time.monotonic() - start < 5
        assert "ERROR" not in said, said
        for s in held:
            s.close()
