"""Chromium led by chromedriver: clicks, keys, files, screenshots. Spoken over plain HTTP; no other package is needed.

with open_browser(*CAMERA, f"--use-file-for-fake-video-capture={clip}") as tab:
    tab.open(address)
    tab.click("#camera")
    picture = tab.screenshot()
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from browser import FLAGS, absent, chromium

from blazeface.geometry import Image

CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
"""A camera that is not there, given to the page without a question."""

HEADLESS = [flag.replace("--headless", "--headless=new") for flag in FLAGS]
"""The new one draws as a window does; the old one knows neither service workers nor cameras well."""

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key by which the WebDriver protocol names an element."""

KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Space": "\ue00d", "Right": "\ue014", "Down": "\ue015"}


class Tab:
    """One page of the browser."""

    def __init__(self, driver: str, flags: list[str]):
        options: dict[str, Any] = {"args": flags, "binary": chromium()}
        expected = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._root = driver
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": expected}})
        self._root = f"{driver}/session/{made['sessionId']}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._root + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode('utf-8', 'replace')[:400]}") from error

    def open(self, address: str) -> None:
        self._ask("POST", "/url", {"url": address})

    def reload(self) -> None:
        self._ask("POST", "/refresh", {})

    def close(self) -> None:
        self._ask("DELETE", "")

    def js(self, body: str, *given: Any) -> Any:
        """What the body of a function returns; a promise is awaited. It sees `given` as `arguments`."""
        return self._ask("POST", "/execute/sync", {"script": body, "args": list(given)})

    def until(self, expression: str, seconds: float = 60) -> None:
        """Wait until a JavaScript expression is true; AssertionError with the page's words when it stays false."""
        deadline = time.monotonic() + seconds
        while not self.js(f"return !!({expression})"):
            if time.monotonic() > deadline:
                words = self.js("return document.body.innerText")
                raise AssertionError(f"{expression} is not so after {seconds:g} s; the page says: {words}")
            time.sleep(0.1)

    def text(self, selector: str) -> str:
        return str(self.js("return document.querySelector(arguments[0]).textContent", selector))

    def click(self, selector: str) -> None:
        self._ask("POST", f"/element/{self._find(selector)}/click", {})

    def give_file(self, selector: str, path: Path) -> None:
        self._ask("POST", f"/element/{self._find(selector)}/value", {"text": str(path)})

    def choose(self, selector: str, value: str) -> None:
        """Set a control as a person's choice would."""
        program = """const control = document.querySelector(arguments[0]);
            control.value = arguments[1];
            for (const kind of ["input", "change"]) control.dispatchEvent(new Event(kind, { bubbles: true }));"""
        self.js(program, selector, value)

    def press(self, *names: str) -> None:
        """Keys, one after the other, to whatever has the focus."""
        steps = [{"type": kind, "value": KEYS[name]} for name in names for kind in ("keyDown", "keyUp")]
        self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": steps}]})

    def size(self, width: int, height: int, pixels: float = 1, touch: bool = False) -> None:
        """The window, in CSS pixels, each of them `pixels` wide on the screen; touch: as on a phone."""
        given = {"width": width, "height": height, "deviceScaleFactor": pixels, "mobile": touch}
        self.command("Emulation.setDeviceMetricsOverride", **given)

    def command(self, name: str, **given: Any) -> Any:
        """One of the DevTools protocol."""
        return self._ask("POST", "/goog/cdp/execute", {"cmd": name, "params": given})

    def screenshot(self) -> Image:
        """What is seen, BGR."""
        coded = np.frombuffer(base64.b64decode(self._ask("GET", "/screenshot")), np.uint8)
        picture = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        assert picture is not None
        return picture.astype(np.uint8)

    def complaints(self) -> list[str]:
        """What the browser's console had to say since the last time."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})]

    def _find(self, selector: str) -> str:
        found = self._ask("POST", "/element", {"using": "css selector", "value": selector})
        return str(found[ELEMENT])


@contextmanager
def open_browser(*flags: str) -> Iterator[Tab]:
    """A browser of its own, with an empty profile; it ends with the block, whatever happens."""
    chromium()
    driver = shutil.which("chromedriver")
    if driver is None:
        absent("chromedriver is not installed (Debian: chromium-driver)")
    with (
        tempfile.TemporaryDirectory(prefix="blazeface-browser-", ignore_cleanup_errors=True) as profile,
        open(Path(profile) / "log", "wb") as log,
    ):
        # A session of its own, so that the browser's many processes can be ended with it.
        process = subprocess.Popen([driver, "--port=0"], stdout=log, stderr=log, start_new_session=True)
        try:
            port = _port(Path(profile) / "log", process)
            tab = Tab(f"http://127.0.0.1:{port}", [*HEADLESS, f"--user-data-dir={profile}/profile", *flags])
            try:
                yield tab
            finally:
                tab.close()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _port(log: Path, process: subprocess.Popen[bytes]) -> int:
    """The port that chromedriver says it has taken."""
    deadline = time.monotonic() + 30
    words = ""
    while time.monotonic() < deadline and process.poll() is None:
        words = log.read_text("utf-8", "replace")
        if found := re.search(r"started successfully on port (\d+)", words):
            return int(found[1])
        time.sleep(0.05)
    raise AssertionError(f"chromedriver does not start: {words}")
