"""The page with a camera, in Chromium: what it draws, what it reports, how fast, and what it says without one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from page_driver import CAMERA, Tab, open_browser
from page_site import ACCENT, READY, still, sway, write_camera

from blazeface.detector import FaceDetector
from blazeface.geometry import Image

PATCH = (0x2F, 0x25, 0x22)
"""The colour that covers a face, BGR."""

FRAMES_A_SECOND = 20
"""With a camera that gives 30; asserted in `make browser-check` alone, since other work on the machine decides it."""


@pytest.fixture(scope="module")
def camera_on(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A page whose camera shows one picture that stands still."""
    clip = tmp_path_factory.mktemp("camera") / "still.y4m"
    write_camera(clip, 2)
    with open_browser(*CAMERA, f"--use-file-for-fake-video-capture={clip}") as tab:
        tab.size(1000, 800)
        tab.open(address)
        tab.until(READY)
        tab.js("document.querySelector('details').open = true")
        start(tab)
        tab.until("document.getElementById('numbers').textContent.length > 2")
        yield tab


def start(tab: Tab) -> None:
    tab.click("#camera")
    tab.until("!document.getElementById('meter').hidden")


def settings(tab: Tab, mirrored: bool, cover: str) -> None:
    """Set both, and wait until a frame has been drawn with them; no small faces, which a cover would look for."""
    program = """const mirror = document.getElementById("mirror");
        if (mirror.checked !== arguments[0]) mirror.click();"""
    tab.js(program, mirrored)
    tab.choose("#cover", cover)
    tab.js("const small = document.getElementById('small'); if (small.checked) small.click();")
    time.sleep(0.5)


def faces(tab: Tab) -> list[dict[str, Any]]:
    return list(json.loads(tab.text("#numbers")))


def photograph(tab: Tab) -> tuple[Image, np.ndarray[Any, Any]]:
    """The canvas as the screen shows it, and the reported box in its pixels; turned round where it is mirrored."""
    program = """const { left, top, width, height } = document.getElementById("stage").getBoundingClientRect();
        const { width: columns, height: rows } = document.getElementById("stage");
        const scale = Math.min(width / columns, height / rows);
        return [left + (width - columns * scale) / 2, top + (height - rows * scale) / 2, columns * scale, rows * scale];"""
    left, top, width, height = tab.js(program)
    seen = tab.screenshot()[round(top) : round(top + height), round(left) : round(left + width)]
    (face,) = faces(tab)
    box = np.array(face["box"]) * width / 640
    if tab.js("return document.getElementById('mirror').checked"):
        box[[0, 2]] = width - box[[2, 0]]
    return seen, box


def near(picture: Image, colour: tuple[int, int, int], far: int = 40) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.asarray(np.abs(picture.astype(int) - colour).max(axis=2) < far)


def sides(drawn: np.ndarray[Any, np.dtype[np.bool_]], box: np.ndarray[Any, Any]) -> dict[str, float]:
    """How much of each side of a box is drawn, from 0 to 1, but for the rounded corners."""
    x1, y1, x2, y2 = box.round().astype(int)
    edge, corner = 3, 18
    found = {
        "left": drawn[y1 + corner : y2 - corner, x1 - edge : x1 + edge].any(axis=1),
        "right": drawn[y1 + corner : y2 - corner, x2 - edge : x2 + edge].any(axis=1),
        "top": drawn[y1 - edge : y1 + edge, x1 + corner : x2 - corner].any(axis=0),
        "bottom": drawn[y2 - edge : y2 + edge, x1 + corner : x2 - corner].any(axis=0),
    }
    return {name: float(side.mean()) for name, side in found.items()}


WHOLE = {"left": 1.0, "right": 1.0, "top": 1.0, "bottom": 1.0}


def test_a_camera_s_face_is_reported_as_python_finds_it(camera_on: Tab) -> None:
    (expected,) = FaceDetector().detect(still()).to_dict()
    (found,) = faces(camera_on)
    # The camera's colours went through YUV at half the resolution.
    assert found["box"] == pytest.approx(expected["box"], abs=3)
    assert np.allclose(found["keypoints"], expected["keypoints"], atol=3)
    assert found["score"] == pytest.approx(expected["score"], abs=0.02)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_face_is_drawn_where_it_is_reported(camera_on: Tab, mirrored: bool) -> None:
    settings(camera_on, mirrored, "off")
    seen, box = photograph(camera_on)
    drawn = near(seen, ACCENT)
    assert sides(drawn, box) == WHOLE
    x1, y1, x2, y2 = box.round().astype(int)
    (face,) = faces(camera_on)
    width = seen.shape[1]
    for x, y in np.array(face["keypoints"]) * width / 640:
        column, row = round(width - x if mirrored else x), round(y)
        assert drawn[row - 1 : row + 2, column - 1 : column + 2].any(), (x, y)
    assert 0 < drawn[y1 + 8 : y2 - 8, x1 + 8 : x2 - 8].mean() < 0.05  # the points, and nothing else


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_covered_face_cannot_be_seen(camera_on: Tab, mirrored: bool) -> None:
    settings(camera_on, mirrored, "off")
    bare, box = photograph(camera_on)
    x1, y1, x2, y2 = box.round().astype(int)
    inside = np.s_[y1 + 8 : y2 - 8, x1 + 8 : x2 - 8]
    settings(camera_on, mirrored, "solid")
    seen, _ = photograph(camera_on)
    assert near(seen, PATCH, 3)[inside].all()
    assert sides(near(seen, ACCENT), box) == WHOLE
    # Whole pixels within the margin of a certain face, which is .05 and .2, below the box's line.
    dx, dy = int((box[2] - box[0]) * 0.045), int((box[3] - box[1]) * 0.18)
    assert near(seen, PATCH, 3)[y2 + 4 : y2 + dy, x1 - dx : x2 + dx].all()
    settings(camera_on, mirrored, "mosaic")
    seen, _ = photograph(camera_on)
    assert len(np.unique(seen[inside].reshape(-1, 3), axis=0)) < 400  # 36 colours and the seams between them
    assert len(np.unique(bare[inside].reshape(-1, 3), axis=0)) > 4000
    assert not near(seen, ACCENT, 20)[inside].any()  # no points
    middle = np.s_[(y1 * 3 + y2) // 4 : (y1 + 3 * y2) // 4, (x1 * 3 + x2) // 4 : (x1 + 3 * x2) // 4]
    assert seen[middle].mean(axis=(0, 1)) == pytest.approx(
        bare[middle].mean(axis=(0, 1)), abs=25
    )  # its own colours


def test_the_camera_stops_when_told(camera_on: Tab) -> None:
    assert camera_on.text("#camera") == "Stop camera"
    camera_on.click("#camera")
    camera_on.until("document.getElementById('frame').dataset.mode === 'idle'")
    assert camera_on.text("#status") == "The camera is off."
    start(camera_on)


def test_twenty_frames_a_second(address: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    if os.environ.get("BLAZEFACE_BROWSER") != "required":
        pytest.skip("time is measured in `make browser-check` only")
    clip = tmp_path_factory.mktemp("camera") / "sway.y4m"
    write_camera(clip, 60, sway)
    with open_browser(*CAMERA, f"--use-file-for-fake-video-capture={clip}") as tab:
        tab.size(1000, 800)
        tab.open(address)
        tab.until(READY)
        tab.choose("#engine", "wasm")
        tab.until("document.getElementById('engine-used').textContent === 'front-128 · WebAssembly'")
        tab.js("document.querySelector('details').open = true")
        start(tab)
        rates: list[float] = []
        places: list[Any] = []
        deadline = time.monotonic() + 60
        # The best of several spans of two seconds: other work on the machine makes it slower, never faster.
        while time.monotonic() < deadline and max(rates, default=0) < FRAMES_A_SECOND:
            for _ in range(10):
                time.sleep(0.25)
                places += [face["box"][0] for face in faces(tab)]
            rates.append(int(tab.text("#fps").split()[0]))
        print(f"\n{tab.text('#engine-used')}: {tab.text('#meter').strip()}; spans of two seconds: {rates}")
    assert max(rates) >= FRAMES_A_SECOND
    assert max(places) - min(places) == pytest.approx(80, abs=20)  # it was a moving face that was followed
