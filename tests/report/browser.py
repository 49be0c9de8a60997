# SPDX-License-Identifier: MIT
"""Chromium without a window, by its own protocol over a pipe: no server, no port."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find():
    """Its path, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A browser, and in it a page at a time."""

    def __init__(self, path=None):
        self.folder = tempfile.mkdtemp(prefix="pddgpu-browser-")
        to_read, self.writer = os.pipe()
        self.reader, to_write = os.pipe()
        arguments = [path or find(), "--headless=new", "--no-sandbox", "--disable-gpu",
                     "--hide-scrollbars", "--remote-debugging-pipe", "--no-first-run",
                     "--disable-background-networking", "--disable-extensions",
                     "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
                     "--force-color-profile=srgb", "--user-data-dir=" + self.folder,
                     "about:blank"]
        # The protocol has it that these are descriptors 3 and 4
        line = f'exec "$@" 3<&{to_read} 4>&{to_write}'
        self.child = subprocess.Popen(["bash", "-c", line, "bash", *arguments],
                                      pass_fds=(to_read, to_write), stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                      env={**os.environ, "HOME": self.folder})
        os.close(to_read)
        os.close(to_write)
        self.rest = b""
        self.number = 0
        self.session = None
        self.events = []

    def close(self):
        try:
            self.call("Browser.close", session=False)
        except (EOFError, OSError, TimeoutError):
            pass
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        os.close(self.reader)
        os.close(self.writer)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def message(self, until):
        """The next, which has come by then."""
        while b"\0" not in self.rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.reader], [], [], left)[0]:
                raise TimeoutError("the browser says nothing")
            data = os.read(self.reader, 1 << 20)
            if not data:
                raise EOFError("the browser has ended")
            self.rest += data
        raw, self.rest = self.rest.split(b"\0", 1)
        return json.loads(raw)

    def call(self, method, session=True, seconds=120, **parameters):
        self.number += 1
        number = self.number
        request = {"id": number, "method": method, "params": parameters}
        if session and self.session:
            request["sessionId"] = self.session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.writer, data):]
        until = time.monotonic() + seconds
        while True:
            answer = self.message(until)
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def wait(self, method, seconds=120):
        until = time.monotonic() + seconds
        while not any(event["method"] == method for event in self.events):
            answer = self.message(until)
            if "method" in answer:
                self.events.append(answer)

    def open(self, path, width=1200, height=900, dark=False, scripts=True):
        """A page of its own; what happens there is kept from before it begins."""
        target = self.call("Target.createTarget", session=False, url="about:blank")["targetId"]
        self.session = None
        self.session = self.call("Target.attachToTarget", session=False, targetId=target,
                                 flatten=True)["sessionId"]
        self.events = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"}])
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        self.wait("Page.loadEventFired")
        return Page(self, target, scripts)


class Page:
    """What is open."""

    def __init__(self, browser, target, scripts):
        self.browser, self.target, self.scripts = browser, target, scripts

    def close(self):
        self.browser.call("Target.closeTarget", session=False, targetId=self.target)
        self.browser.session = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def eval(self, expression):
        result = self.browser.call("Runtime.evaluate", expression=expression,
                                   returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(json.dumps(result["exceptionDetails"]))
        return result["result"].get("value")

    def settle(self):
        """Two pictures later all that was to be drawn is."""
        if not self.scripts:
            return
        self.eval("new Promise((done) => requestAnimationFrame(() => "
                  "requestAnimationFrame(() => done(1))))")

    def key(self, name, code=0, text=None):
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38,
                 "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35}
        more = {"windowsVirtualKeyCode": codes.get(name, code)}
        if name == "Enter":
            more["text"] = "\r"
        elif text:
            more["text"] = text
        self.browser.call("Input.dispatchKeyEvent", type="keyDown", key=name, code=name, **more)
        self.browser.call("Input.dispatchKeyEvent", type="keyUp", key=name, code=name)

    def move(self, x, y):
        self.browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def complaints(self):
        """Errors, warnings and violations of the page's policy."""
        self.eval("1")
        said = []
        for event in self.browser.events:
            parameters = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                said.append(json.dumps(parameters["exceptionDetails"]))
            elif event["method"] == "Runtime.consoleAPICalled":
                said.append(json.dumps(parameters["args"]))
            elif event["method"] == "Log.entryAdded":
                said.append(parameters["entry"]["text"])
        return said

    def requests(self):
        """All that was fetched but the page itself."""
        urls = [event["params"]["request"]["url"] for event in self.browser.events
                if event["method"] == "Network.requestWillBeSent"]
        return urls[1:]

    def screenshot(self, path, whole=True):
        self.settle()
        shot = self.browser.call("Page.captureScreenshot", format="png",
                                 captureBeyondViewport=whole)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def pdf(self, path):
        shot = self.browser.call("Page.printToPDF", printBackground=False)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))
