"""The page with a camera, in Chromium: what it draws, what it reports, how fast, and what it says without one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from page_driver import CAMERA, Tab, open_browser
from page_site import need_browser_and_runtime, serve_page, still, write_camera

from blazeface.detector import FaceDetector
from blazeface.geometry import Image

ACCENT = (0x4C, 0x8A, 0xFF)
"""The colour of boxes and points, BGR."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    need_browser_and_runtime()
    with serve_page() as found:
        yield found


@pytest.fixture(scope="module")
def still_camera(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    clip = tmp_path_factory.mktemp("camera") / "still.y4m"
    write_camera(clip, 2)
    with open_browser(*CAMERA, f"--use-file-for-fake-video-capture={clip}") as tab:
        tab.size(1000, 800)
        tab.open(address)
        tab.until("document.body.dataset.ready === 'yes'")
        tab.js("document.querySelector('details').open = true")
        tab.click("#camera")
        tab.until(
            "document.getElementById('numbers').textContent.length > 2 && !document.getElementById('meter').hidden"
        )
        yield tab


def faces(tab: Tab) -> list[dict[str, Any]]:
    return list(json.loads(tab.text("#numbers")))


def on_screen(tab: Tab) -> tuple[float, float, float]:
    """Where the canvas is in the window, and how many of the window's pixels one of its own takes."""
    program = """const canvas = document.getElementById("stage"), { left, top, width, height } = canvas.getBoundingClientRect();
        const scale = Math.min(width / canvas.width, height / canvas.height);
        return [left + (width - canvas.width * scale) / 2, top + (height - canvas.height * scale) / 2, scale];"""
    left, top, scale = tab.js(program)
    return left, top, scale


def accent(picture: Image) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.asarray(np.abs(picture.astype(int) - ACCENT).max(axis=2) < 40)


def test_a_face_is_drawn_where_it_is_reported(still_camera: Tab) -> None:
    tab = still_camera
    tab.js("const box = document.getElementById('mirror'); if (box.checked) box.click()")
    tab.until("!document.getElementById('mirror').checked")
    expected = FaceDetector().detect(still()).to_dict()
    found = faces(tab)
    assert len(found) == len(expected) == 1
    # The camera's colours went through YUV with half the resolution.
    assert found[0]["box"] == pytest.approx(expected[0]["box"], abs=3)
    assert np.allclose(found[0]["keypoints"], expected[0]["keypoints"], atol=3)
    left, top, scale = on_screen(tab)
    x1, y1, x2, y2 = (np.array(found[0]["box"]) * scale + [left, top, left, top]).round().astype(int)
    drawn = accent(tab.screenshot())
    edge = max(3, round(3 * scale))
    corner = round(14 * scale)  # rounded
    sides = {
        "left": drawn[y1 + corner : y2 - corner, x1 - edge : x1 + edge].any(axis=1),
        "right": drawn[y1 + corner : y2 - corner, x2 - edge : x2 + edge].any(axis=1),
        "top": drawn[y1 - edge : y1 + edge, x1 + corner : x2 - corner].any(axis=0),
        "bottom": drawn[y2 - edge : y2 + edge, x1 + corner : x2 - corner].any(axis=0),
    }
    assert {name: float(side.mean()) for name, side in sides.items()} == dict.fromkeys(sides, 1.0)
    for x, y in np.array(found[0]["keypoints"]) * scale + [left, top]:
        assert drawn[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2].any(), (x, y)
    inside = drawn[y1 + edge : y2 - edge, x1 + edge : x2 - edge]
    assert 0 < inside.mean() < 0.05  # points, and nothing else
