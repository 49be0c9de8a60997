# SPDX-License-Identifier: MIT
"""What the exporter's tests share: recorded cards, an exporter, HTTP by hand."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
PROGRAM = os.path.join(TOP, "build/tests/tools/export/export")
PCI = "0000:00:04.0"


def recorded():
    """leak.memory_stats: figures as the driver has them while memory_leak_test leaks. They
    were put together by hand; `run-vm --record` takes a driver's own."""
    stats = {}
    with open(os.path.join(HERE, "leak.memory_stats"), encoding="utf-8") as f:
        for line in f:
            name, _, value = line.partition(": ")
            stats[name] = [int(word) for word in value.split()]
    return stats


class Cards:
    """A folder of cards, for PDDGPU_FAKE_CARDS."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="pddgpu-cards.")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def put(self, pci, name, text):
        """A file of a card, exchanged at once."""
        path = os.path.join(self.path, pci, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "wb") as f:
            f.write(text if isinstance(text, bytes) else str(text).encode())
        os.rename(path + ".new", path)

    def card(self, pci=PCI, number=0, **changed):
        """A card as it was recorded, but for some figures."""
        stats = recorded()
        for name, value in changed.items():
            assert name in stats, name
            stats[name] = value if isinstance(value, list) else [value]
        self.put(pci, "card", number)
        self.put(pci, "memory_stats", "".join(
            f"{name}: {' '.join(map(str, value))}\n" for name, value in stats.items()))

    def drop(self, pci, name=None):
        path = os.path.join(self.path, pci)
        if name:
            os.unlink(os.path.join(path, name))
        else:
            os.rename(path, os.path.join(self.path, ".gone"))
            shutil.rmtree(os.path.join(self.path, ".gone"))

    def environment(self):
        return {**os.environ, "PDDGPU_FAKE_CARDS": self.path,
                "UBSAN_OPTIONS": "print_stacktrace=1"}

    def run(self, *args, **options):
        """The exporter, to its end."""
        return subprocess.run([PROGRAM, *args], env=self.environment(),
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=30, check=False, **options)


class Exporter:
    """An exporter that serves, at a port of its own."""

    def __init__(self, cards, *args, listen="127.0.0.1:0"):
        self.child = subprocess.Popen(
            [PROGRAM, f"--listen={listen}", *args], env=cards.environment(),
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.said = []
        while True:
            line = self.child.stderr.readline()
            self.said.append(line)
            match = re.search(r"serving http://(.*):(\d+)/metrics", line)
            if match:
                break
            if not line:
                raise AssertionError(f"it does not serve: {''.join(self.said)}")
        self.host, self.port = match.group(1).strip("[]"), int(match.group(2))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        said = self.end()
        if kind is None:
            assert self.child.returncode == 0, (self.child.returncode, said)

    def end(self):
        """As systemd would end it."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            _, said = self.child.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.communicate()
            raise AssertionError("SIGTERM did not end it") from None
        return "".join(self.said) + (said or "")

    def connect(self, timeout=10):
        return socket.create_connection((self.host, self.port), timeout)

    def send(self, data, timeout=10):
        """Sends bytes; returns all that come back until the other side ends it."""
        with self.connect(timeout) as s:
            try:
                s.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return read_all(s)

    def get(self, path="/metrics", method="GET", headers=(), timeout=10):
        """Status, headers and body."""
        lines = [f"{method} {path} HTTP/1.1", "Host: test", *headers, "", ""]
        answer = self.send("\r\n".join(lines).encode("latin-1"), timeout)
        return parse(answer)

    def metrics(self, *headers):
        status, _, body = self.get(headers=headers)
        assert status == 200, (status, body)
        return Metrics(body)


def read_all(s):
    data = b""
    while True:
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            return data
        if not more:
            return data
        data += more


def parse(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    match = re.fullmatch(r"HTTP/1\.[01] (\d{3}) .*", lines[0])
    assert match, answer[:200]
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return int(match.group(1)), headers, body.decode()


SAMPLE = re.compile(r'([a-z_]+)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"(?:,|$)')


class Metrics:
    """A text, taken apart."""

    def __init__(self, text):
        self.text = text
        self.types = {}
        self.samples = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name not in self.types, f"{name} begins twice"
                self.types[name] = kind
            elif not line.startswith("#"):
                match = SAMPLE.fullmatch(line)
                assert match, line
                labels = tuple(sorted(LABEL.findall(match.group(2) or "")))
                key = match.group(1), labels
                assert key not in self.samples, f"{line}: twice"
                self.samples[key] = float(match.group(3))

    def get(self, name, **labels):
        """The one sample that has these labels, among others."""
        found = [value for (other, have), value in self.samples.items()
                 if other == name and set(labels.items()) <= set(have)]
        assert len(found) == 1, (name, labels, found)
        return found[0]

    def count(self, name, **labels):
        return sum(other == name and set(labels.items()) <= set(have)
                   for other, have in self.samples)

    def names(self):
        return {name for name, _ in self.samples}


_tools = []


def tool(name):
    """Debian's prometheus, promtool or prometheus-node-exporter."""
    if not _tools:
        done = subprocess.run([os.path.join(TOP, "scripts/fetch-prometheus")],
                              stdout=subprocess.PIPE, text=True, check=True)
        _tools.append(done.stdout.strip())
    return os.path.join(_tools[0], name)


def wait_for(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.1)
