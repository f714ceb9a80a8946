"""Chromium without a window, for tests of what runs in a browser.

    found = run_page(folder, "check.html")      # serves the folder, opens the page, waits for its answer

The page answers by fetch("/report", {method: "POST", body: JSON.stringify(...)}); that is what run_page gives. Nothing
else is needed: no driver, no other package. Chromium and the server end with the call, whatever happens.
"""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from typing import Any, NoReturn

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--mute-audio"),
)
"""No window, and no request of the browser's own."""

TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm"}

SECONDS = 120


class PageFailed(AssertionError):
    """The page gave no answer, or an error."""


def chromium() -> str:
    """The browser's path: $BLAZEFACE_CHROMIUM, or the first of NAMES that is installed."""
    named = os.environ.get("BLAZEFACE_CHROMIUM")
    found = named or next((path for name in NAMES if (path := shutil.which(name))), None)
    if not found:
        absent(f"no browser: none of {', '.join(NAMES)} is installed")
    return str(found)


def absent(reason: str) -> NoReturn:
    """Skip the test for want of something; fail it where BLAZEFACE_BROWSER=required, as in `make browser-check`."""
    if os.environ.get("BLAZEFACE_BROWSER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


def run_page(folder: Path, page: str, flags: Sequence[str] = (), seconds: float = SECONDS) -> Any:
    """What a page reports, as said above. folder: served whole at a port of this machine only, with the headers that
    threads in WebAssembly need. flags: more of Chromium's. Raises PageFailed for silence, or {"error": ...}."""
    answers: Queue[Any] = Queue()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, answers, str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        return open_page(f"http://127.0.0.1:{server.server_address[1]}/{page}", answers, flags, seconds)
    finally:
        server.shutdown()
        server.server_close()


def open_page(address: str, answers: Queue[Any], flags: Sequence[str] = (), seconds: float = SECONDS) -> Any:
    """Open an address and wait until something puts the page's answer into `answers`."""
    with tempfile.TemporaryDirectory(prefix="blazeface-browser-", ignore_cleanup_errors=True) as profile:
        command = [chromium(), *FLAGS, *flags, f"--user-data-dir={profile}", "--remote-debugging-port=0", address]
        # A session of its own, so that its many processes can be ended together.
        with open(Path(profile) / "log", "wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            answer = answers.get(timeout=seconds)
        except Empty:
            words = (Path(profile) / "log").read_text("utf-8", "replace")[-2000:]
            raise PageFailed(f"{address}: no answer within {seconds:g} s; Chromium said: {words}") from None
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if isinstance(answer, dict) and "error" in answer:
        raise PageFailed(f"{address}: {answer['error']}")
    return answer


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, answers: Queue[Any], folder: str, *rest: Any):
        self._answers = answers
        super().__init__(*rest, directory=folder)

    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, **TYPES}  # noqa: RUF012

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(204)
        self.end_headers()
        try:
            self._answers.put(json.loads(text))
        except ValueError:
            self._answers.put({"error": f"the page reported what is no JSON: {text[:200]!r}"})

    def log_message(self, *words: Any) -> None:
        """Silent."""
