"""Files that are dropped on the page, pasted into it or chosen as a video; and the page's address as a QR code."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from page_driver import Tab, open_browser
from page_site import HEIGHT, PORTRAIT, READY, WIDTH, need_browser_and_runtime, serve_page, write_video

from blazeface import FaceDetector
from blazeface.files.pictures import read_picture

ADDRESS = "https://192.168.178.123:8000/"

GIVE = """
const [name, kind, data, how] = arguments;
const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
const given = new DataTransfer();
if (name) given.items.add(new File([bytes], name, { type: kind }));
else given.setData("text/plain", "only words");
const Kind = how === "paste" ? ClipboardEvent : DragEvent;
const options = { bubbles: true, cancelable: true, [how === "paste" ? "clipboardData" : "dataTransfer"]: given };
const event = new Kind(how, options);
document.body.dispatchEvent(event);
return event.defaultPrevented;
"""

STATUS = "document.querySelector('#status').textContent"


@pytest.fixture(scope="module")
def window() -> Iterator[tuple[Tab, str]]:
    need_browser_and_runtime()
    with open_browser("--autoplay-policy=no-user-gesture-required") as tab, serve_page(ADDRESS) as (address, _):
        yield tab, address


@pytest.fixture
def page(window: tuple[Tab, str]) -> Tab:
    tab, address = window
    tab.size(1000, 1000)
    tab.open(address)
    tab.until(READY)
    tab.js("document.querySelector('details').open = true")
    tab.complaints()
    return tab


def give(page: Tab, path: Path | None, kind: str, how: str) -> bool:
    data = base64.b64encode(path.read_bytes()).decode() if path else ""
    return bool(page.js(GIVE, path.name if path else "", kind, data, how))


def faces(page: Tab) -> list[dict[str, Any]]:
    return list(json.loads(page.text("#numbers")))


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(page: Tab, how: str) -> None:
    give(page, PORTRAIT, "image/png", how)
    page.until(f"{STATUS} === '1 face found.'")
    (face,) = faces(page)
    np.testing.assert_allclose(face["box"], FaceDetector().detect(read_picture(str(PORTRAIT))).boxes[0], atol=0.5)
    assert page.complaints() == []


def test_a_drop_without_a_file_leaves_the_page_as_it_is(page: Tab) -> None:
    give(page, PORTRAIT, "image/png", "drop")
    page.until(f"{STATUS} === '1 face found.'")
    assert give(page, None, "", "drop")  # the browser itself must not go to what was dropped
    give(page, None, "", "paste")
    assert page.text("#status") == "1 face found." and len(faces(page)) == 1


def test_the_place_to_drop_is_shown(page: Tab) -> None:
    shown = "return document.querySelector('#frame').classList.contains('over')"
    page.js("document.body.dispatchEvent(new DragEvent('dragover', { bubbles: true, cancelable: true }))")
    assert page.js(shown) is True
    page.js("document.body.dispatchEvent(new DragEvent('dragleave', { bubbles: true }))")
    assert page.js(shown) is False


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "walk.webm"
    write_video(path, 60, lambda n: 0.7 * n)
    return path


def seen_at(page: Tab, seconds: float) -> dict[str, Any]:
    """The one face that the page reports when the video stands at a time."""
    page.js("document.querySelector('#numbers').textContent = '[]'")
    page.js("const at = document.querySelector('#seek'); at.value = arguments[0]; at.oninput();", seconds)
    page.until("JSON.parse(document.querySelector('#numbers').textContent).length === 1")
    return faces(page)[0]


def test_a_video_file_is_played_and_searched(page: Tab, clip: Path) -> None:
    page.give_file("#file", clip)
    page.until(
        "document.querySelector('#frame').dataset.mode === 'video' && document.querySelector('#fps').textContent"
    )
    page.until("document.querySelector('#pause').textContent === 'Play'")  # it has come to its end
    reader = cv2.VideoCapture(str(clip))
    frames = [frame for ok, frame in iter(reader.read, (False, None)) if ok]
    assert len(frames) == 60
    detector = FaceDetector()
    for n in (5, 50, 20):
        face = seen_at(page, n / 20 + 0.025)
        expected = detector.detect(frames[n].astype(np.uint8))
        np.testing.assert_allclose(face["box"], expected.boxes[0], atol=3)  # two decoders, two conversions to RGB
    page.click("#pause")  # on from there
    page.until("document.querySelector('#pause').textContent === 'Pause'")
    page.until("document.querySelector('#pause').textContent === 'Play'")
    assert page.js("return [document.querySelector('#stage').width, document.querySelector('#stage').height]") == [
        WIDTH,
        HEIGHT,
    ]
    assert page.js("return document.querySelector('#player').hidden") is False
    assert page.complaints() == []


def test_a_face_in_a_video_that_stands_still_is_covered(page: Tab, clip: Path) -> None:
    page.give_file("#file", clip)
    page.until(
        "document.querySelector('#pause').textContent === 'Play' && document.querySelector('#fps').textContent"
    )
    page.js("document.querySelector('#cover').value = 'solid'; document.querySelector('#marks').checked = false;")
    face = seen_at(page, 1.0)
    page.choose("#cover", "solid")
    x, y = (face["box"][0] + face["box"][2]) / 2, (face["box"][1] + face["box"][3]) / 2
    page.until(
        f"[...document.querySelector('#stage').getContext('2d').getImageData({x}, {y}, 1, 1).data].join() === '34,37,47,255'"
    )
    page.choose("#cover", "off")


def test_a_picture_after_a_video_ends_it(page: Tab, clip: Path) -> None:
    page.give_file("#file", clip)
    page.until("document.querySelector('#frame').dataset.mode === 'video'")
    give(page, PORTRAIT, "image/png", "paste")
    page.js(
        "const at = document.querySelector('#small'); if (at.checked) at.click()"
    )  # a test before may have asked for it
    page.until(f"{STATUS} === '1 face found.'")
    assert page.js(
        "return [document.querySelector('#frame').dataset.mode, document.querySelector('#player').hidden]"
    ) == [
        "picture",
        True,
    ]


@pytest.mark.parametrize("name", ["broken.mp4", "empty.webm"])
def test_what_is_no_video_is_said(page: Tab, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"hello" if name.startswith("b") else b"")
    page.give_file("#file", tmp_path / name)
    page.until("!document.querySelector('#trouble').hidden")
    assert page.text("#trouble") == f"{name}: this is no video that the browser can read."
    assert page.js("return document.querySelector('#frame').dataset.mode") == "idle"


def test_the_address_is_offered_as_a_qr_code(page: Tab) -> None:
    pytest.importorskip("segno")
    page.click("#phone")
    page.until("document.querySelector('#phone-qr').complete && document.querySelector('#phone-dialog').open")
    text, _, _ = cv2.QRCodeDetector().detectAndDecode(page.screenshot())
    assert text == ADDRESS == page.text("#phone-address")
    assert page.js("return document.querySelector('#phone-qr').alt") == f"QR code of {ADDRESS}"
    page.click("#phone-dialog button")
    page.until("!document.querySelector('#phone-dialog').open")
    assert page.complaints() == []


@pytest.mark.parametrize("width", [320, 360])
def test_a_narrow_screen_needs_no_sideways_scrolling(page: Tab, width: int, clip: Path) -> None:
    page.size(width, 740, 2.0, touch=True)
    page.give_file("#file", clip)
    page.until("document.querySelector('#fps').textContent")
    assert page.js("return [document.documentElement.scrollWidth, innerWidth]") == [width, width]
