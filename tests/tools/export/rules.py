# SPDX-License-Identifier: MIT
"""Tests of what packaging/ has for Prometheus and Grafana: rules that are right, that
know only what the exporter tells, and that fire in Debian's prometheus."""
import contextlib
import json
import os
import re
import socket
import subprocess
import tempfile
import urllib.parse

from common import TOP, Cards, Exporter, Metrics, parse, read_all, tool, wait_for

PROMETHEUS = os.path.join(TOP, "packaging/prometheus")
RULES = os.path.join(PROMETHEUS, "pddgpu.rules.yml")
DASHBOARD = os.path.join(TOP, "packaging/grafana/pddgpu.json")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def promtool(*args):
    done = subprocess.run([tool("promtool"), *args], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def known_names():
    """All names that the exporter may tell, and those of the tests' own making."""
    with Cards() as cards:
        cards.card()
        cards.put("0000:00:04.0", "owners", "1 1 x 1 0 0 0 0 0 0 0 0 1 0 0\n")
        done = cards.run("--textfile=-", "--per-process=5")
    return Metrics(done.stdout.decode()).names()


def test_rules():
    promtool("check", "rules", RULES)
    promtool("test", "rules", os.path.join(PROMETHEUS, "pddgpu.tests.yml"))


def test_every_alert_is_tested():
    """Each one fires in a test of promtool, and docs/operator.md says what to do."""
    tests = read(os.path.join(PROMETHEUS, "pddgpu.tests.yml"))
    guide = read(os.path.join(TOP, "docs/operator.md"))
    alerts = re.findall(r"- alert: (\w+)", read(RULES))
    assert len(alerts) > 8
    for alert in alerts:
        assert re.search(rf"\b{alert}\b", tests), f"{alert} is in no test"
        assert f"`{alert}`" in guide, f"docs/operator.md does not know {alert}"


def expressions(dashboard):
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for note in dashboard["annotations"]["list"]:
        yield note["name"], note["expr"]


def variables_of(dashboard):
    for variable in dashboard["templating"]["list"]:
        yield variable["name"], variable["query"]["query"] if variable["type"] == "query" else ""


def test_names():
    """No rule and no panel asks for what nobody tells."""
    known = known_names()
    texts = [("rules", re.sub(r"#.*|`[^`]*`", "", read(RULES)))]
    dashboard = json.loads(read(DASHBOARD))
    texts += [*expressions(dashboard), *variables_of(dashboard)]
    asked = set()
    for where, text in texts:
        for name in re.findall(r"\bpddgpu_\w+", text):
            assert name in known, f"{where}: {name}"
            asked.add(name)
    assert len(asked) > 15, asked


def test_dashboard():
    dashboard = json.loads(read(DASHBOARD))
    panels = dashboard["panels"]
    assert dashboard["uid"] == "pddgpu" and dashboard["schemaVersion"] >= 36
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
    variables = {v["name"] for v in dashboard["templating"]["list"]}
    rules = []
    for number, (where, expression) in enumerate(expressions(dashboard)):
        used = set(re.findall(r"\$\{?(\w+)", expression)) - {"__rate_interval"}
        assert used <= variables, (where, used)
        expression = expression.replace("$__rate_interval", "5m")
        expression = re.sub(r"\$\w+", ".*", expression)
        rules.append({"record": f"panel:{number}", "expr": expression})
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
        # JSON is YAML
        json.dump({"groups": [{"name": "panels", "rules": rules}]}, f)
        f.flush()
        promtool("check", "rules", f.name)


class Prometheus:
    """A real one, which scrapes every half a second; alerts fire at once."""

    def __init__(self, folder, port):
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.port = s.getsockname()[1]
        # They would fire in minutes, and that is tested by promtool
        rules = re.sub(r"^(\s+for: ).*", r"\g<1>1s", read(RULES), flags=re.M)
        self.write("rules.yml", rules)
        self.write("prometheus.yml", f"""
global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: pddgpu
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
""")
        promtool("check", "config", os.path.join(folder, "prometheus.yml"))
        with open(os.path.join(folder, "log"), "w", encoding="utf-8") as log:
            self.child = subprocess.Popen(
                [tool("prometheus"), f"--config.file={folder}/prometheus.yml",
                 f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as f:
            f.write(text)

    def api(self, path):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                s.sendall(f"GET /api/v1/{path} HTTP/1.0\r\n\r\n".encode())
                status, _, body = parse(read_all(s))
        except ConnectionRefusedError:
            return None
        return json.loads(body)["data"] if status == 200 else None

    def query(self, expression):
        found = self.api("query?query=" + urllib.parse.quote(expression))
        return [(r["metric"], float(r["value"][1])) for r in (found or {}).get("result", [])]

    def firing(self):
        found = self.api("alerts") or {"alerts": []}
        return {a["labels"]["alertname"] for a in found["alerts"] if a["state"] == "firing"}

    def end(self):
        self.child.terminate()
        self.child.wait(10)


@contextlib.contextmanager
def prometheus(port):
    with tempfile.TemporaryDirectory() as folder:
        server = Prometheus(folder, port)
        try:
            yield server
        except AssertionError as error:
            raise AssertionError(f"{error}\n{read(os.path.join(folder, 'log'))[-3000:]}") \
                from error
        finally:
            server.end()


def test_prometheus():
    """The leak alert fires in the real one, and ends; so does that of a dead exporter."""
    with Cards() as cards:
        cards.card(leak_suspicious=0, leak_suspicious_bytes=0)
        with Exporter(cards, "--per-process=5") as exporter:
            with prometheus(exporter.port) as server:
                wait_for("a scrape", lambda: server.query("pddgpu_up == 1"))
                found = server.query("pddgpu_memory_used_bytes{region='vram'}")
                assert found[0][1] == exporter.metrics().get("pddgpu_memory_used_bytes",
                                                             region="vram")
                assert found[0][0]["pdev"] == "0000:00:04.0"
                # It asks for OpenMetrics, and understands all of it
                meta = server.api("metadata")
                assert meta["pddgpu_move_duration_seconds"][0]["type"] == "histogram"
                assert meta["pddgpu_card"][0]["type"] == "info"
                assert not server.firing(), server.firing()
                cards.card(leak_confirmed=10, leak_confirmed_bytes=100 << 20)
                wait_for("the leak alert", lambda: "PddgpuLeak" in server.firing())
                cards.card()
                wait_for("its end", lambda: "PddgpuLeak" not in server.firing())
                cards.put("0000:00:04.0", "error", 5)
                wait_for("wedged", lambda: "PddgpuWedged" in server.firing())
                exporter.end()
                wait_for("a dead exporter",
                         lambda: "PddgpuExporterDown" in server.firing())
