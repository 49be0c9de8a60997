# SPDX-License-Identifier: MIT
"""Tests of `pddgpu export --textfile`: files for node_exporter, and pipes."""
import fcntl
import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
import time

from common import PROGRAM, Cards, parse, read_all, tool, wait_for
from tests import check_metrics


def test_textfile():
    with Cards() as cards, tempfile.TemporaryDirectory() as folder:
        cards.card()
        path = os.path.join(folder, "pddgpu.prom")
        done = cards.run(f"--textfile={path}", umask=0o077)
        assert done.returncode == 0 and not done.stdout + done.stderr, done
        assert os.listdir(folder) == ["pddgpu.prom"]
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
        with open(path, encoding="utf-8") as f:
            check_metrics(f.read())
        # A name without a folder is in this one
        done = cards.run("--textfile=other.prom", cwd=folder)
        assert done.returncode == 0 and "other.prom" in os.listdir(folder), done


def test_textfile_errors():
    with Cards() as cards, tempfile.TemporaryDirectory() as folder:
        for path, rc in ((f"{folder}/no/such", 5), (folder, 5), ("/dev/full", 5),
                         ("/proc/pddgpu.prom", 5)):
            done = cards.run(f"--textfile={path}")
            assert done.returncode == rc and path in done.stderr.decode(), done
        with open("/dev/full", "w") as full:
            done = subprocess.run([PROGRAM, "--textfile=-"], env=cards.environment(),
                                  stdout=full, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 5 and b"space" in done.stderr, done
        assert os.stat("/dev/full").st_rdev
        assert os.listdir(folder) == []


def test_textfile_pipe():
    """Nobody reads any more, or not yet: it ends as others do, when it is told to."""
    with Cards() as cards:
        cards.card()
        for closed, signals in ((True, ()), (False, (signal.SIGTERM,))):
            ours, its = os.pipe()
            fcntl.fcntl(its, fcntl.F_SETPIPE_SZ, 4096)
            if closed:
                os.close(ours)
            child = subprocess.Popen([PROGRAM, "--textfile=-"], env=cards.environment(),
                                     stdout=its, stderr=subprocess.PIPE)
            os.close(its)
            for number in signals:
                time.sleep(1)
                assert child.poll() is None
                child.send_signal(number)
            _, said = child.communicate(timeout=20)
            assert said == b"" and child.returncode == -(signals or (signal.SIGPIPE,))[0], \
                (child.returncode, said)
            if not closed:
                os.close(ours)


def test_textfile_interval():
    """Whole at any moment; goes on when it could not be written for a while."""
    with Cards() as cards, tempfile.TemporaryDirectory() as top:
        cards.card()
        folder = os.path.join(top, "metrics")
        os.mkdir(folder)
        path = os.path.join(folder, "pddgpu.prom")
        with subprocess.Popen([PROGRAM, f"--textfile={path}", "--interval=100ms"],
                              env=cards.environment(), stderr=subprocess.PIPE) as child:
            wait_for("the file", lambda: os.path.exists(path))
            nodes, end = set(), time.monotonic() + 1.5
            while time.monotonic() < end:
                with open(path, encoding="utf-8") as f:
                    nodes.add((os.fstat(f.fileno()).st_ino, os.fstat(f.fileno()).st_mtime_ns))
                    assert f.read().rstrip().splitlines()[-1].startswith(
                        "pddgpu_move_duration_seconds_count")
            assert len(nodes) > 5, nodes
            os.rename(folder, folder + ".away")
            time.sleep(0.5)
            assert child.poll() is None
            os.mkdir(folder)
            wait_for("the file", lambda: os.path.exists(path))
            child.terminate()
            said = child.communicate(timeout=5)[1].decode()
            assert child.returncode == 0, said
            assert said.count("No such file") == 1, said
        assert os.listdir(folder) == ["pddgpu.prom"]


def test_node_exporter():
    with Cards() as cards, tempfile.TemporaryDirectory() as folder:
        cards.card()
        assert cards.run(f"--textfile={folder}/pddgpu.prom").returncode == 0
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        with subprocess.Popen(
                [tool("prometheus-node-exporter"), f"--web.listen-address=127.0.0.1:{port}",
                 "--collector.disable-defaults", "--collector.textfile",
                 f"--collector.textfile.directory={folder}"],
                stderr=subprocess.DEVNULL) as child:
            try:
                text = []

                def scraped():
                    try:
                        with socket.create_connection(("127.0.0.1", port), 1) as s:
                            s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                            text[:] = [parse(read_all(s))[2]]
                    except ConnectionRefusedError:
                        return False
                    return True

                wait_for("node_exporter", scraped)
            finally:
                child.terminate()
    assert "node_textfile_scrape_error 0" in text[0], text[0][:2000]
    assert re.search(r'^pddgpu_up\{card="card0",pdev="0000:00:04.0"\} 1$', text[0], re.M)
    assert "pddgpu_move_duration_seconds_bucket" in text[0]
