"""A browser that is driven as a person would: keys, clicks, uploads, screenshots. Through chromedriver, which comes
with Chromium, by its own protocol (W3C WebDriver); no other package is needed."""

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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from browser import FLAGS, PageFailed, absent, chromium

SECONDS = 60


class Browser:
    """One window. Elements are named by CSS selectors."""

    def __init__(self, driver: str, session: str):
        self._driver, self._path = driver, f"/session/{session}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        return request(self._driver, method, self._path + path, body)

    def open(self, address: str) -> None:
        self._ask("POST", "/url", {"url": address})

    def reload(self) -> None:
        self._ask("POST", "/refresh", {})

    def js(self, script: str, *arguments: Any) -> Any:
        """What a function with this body returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, expression: str, seconds: float = SECONDS) -> Any:
        """The first value of a JavaScript expression that is true; PageFailed when there is none in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.js(f"return {expression}"):
                return value
            time.sleep(0.1)
        state = self.js("return document.body.innerText")
        raise PageFailed(f"not within {seconds:g} s: {expression}; the page: {state}; {self.log()}")

    def text(self, selector: str) -> str:
        return str(self.js("return document.querySelector(arguments[0]).textContent", selector))

    def click(self, selector: str) -> None:
        self._ask("POST", f"/element/{self._find(selector)}/click", {})

    def upload(self, selector: str, path: Path) -> None:
        self._ask("POST", f"/element/{self._find(selector)}/value", {"text": str(path)})

    def press(self, key: str) -> None:
        """One key, to whatever has the focus; special ones by WebDriver's code points, see KEYS."""
        steps = [{"type": kind, "value": KEYS.get(key, key)} for kind in ("keyDown", "keyUp")]
        self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": steps}]})

    def choose(self, selector: str, value: str) -> None:
        """Another option of a <select>."""
        script = "const at = document.querySelector(arguments[0]); at.value = arguments[1];"
        self.js(f"{script} at.dispatchEvent(new Event('change'))", selector, value)

    def screenshot(self) -> np.ndarray:
        """What is seen, BGR."""
        png = base64.b64decode(self._ask("GET", "/screenshot"))
        image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        return image

    def command(self, name: str, **parameters: Any) -> Any:
        """A command of the DevTools protocol."""
        return self._ask("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def resize(self, width: int, height: int, scale: float = 1.0, mobile: bool = False) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile}
        self.command("Emulation.setDeviceMetricsOverride", **size)

    def log(self) -> list[str]:
        """What the console has said since it was last asked."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})]

    def _find(self, selector: str) -> str:
        found = self._ask("POST", "/element", {"using": "css selector", "value": selector})
        return str(next(iter(found.values())))


KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Space": " ", "Left": "\ue012", "Right": "\ue014", "Down": "\ue015"}


@contextmanager
def browsing(flags: Sequence[str] = ()) -> Iterator[Browser]:
    """A browser with these flags besides FLAGS; it and its driver end with the block."""
    binary, driver = chromium(), os.environ.get("BLAZEFACE_CHROMEDRIVER") or shutil.which("chromedriver")
    if not driver:
        absent("no driver of the browser: chromedriver is not installed")
    with tempfile.TemporaryDirectory(prefix="blazeface-browser-", ignore_cleanup_errors=True) as profile:
        with open(Path(profile) / "driver.log", "wb") as log:
            process = subprocess.Popen(
                [str(driver), "--port=0"], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            address = _address(Path(profile) / "driver.log", process)
            options = {"binary": binary, "args": [*FLAGS, f"--user-data-dir={profile}/profile", *flags]}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            answer = request(address, "POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            browser = Browser(address, answer["sessionId"])
            try:
                yield browser
            finally:
                browser._ask("DELETE", "")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def request(driver: str, method: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(
        driver + path, method=method, data=data, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(asked, timeout=2 * SECONDS) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise PageFailed(json.load(error)["value"]["message"][:500]) from None


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Where the driver listens, as it says when it does."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"successfully on port (\d+)", log.read_text("utf-8", "replace")):
            return f"http://127.0.0.1:{found[1]}"
        time.sleep(0.05)
    raise PageFailed(f"chromedriver did not begin: {log.read_text('utf-8', 'replace')[-500:]}")
