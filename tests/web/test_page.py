"""The page in Chromium as a person uses it: pictures, keys, a narrow screen, no network, no camera.

`make browser-check` demands what these tests otherwise skip for want of: Chromium with its driver, onnxruntime-web.
The camera's pictures are test_camera.py's matter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from page_driver import CAMERA, Tab, open_browser
from page_site import ACCENT, PORTRAIT, READY, need_browser_and_runtime, serve_page

from blazeface import FaceDetector
from blazeface.files.pictures import read_picture


@pytest.fixture(scope="module")
def window(address: str) -> Iterator[Tab]:
    with open_browser(*CAMERA) as tab:
        yield tab


@pytest.fixture
def page(window: Tab, address: str) -> Tab:
    """The page, loaded anew, with the settings as they are at first."""
    window.command("Storage.clearDataForOrigin", origin=address, storageTypes="local_storage")
    window.size(1000, 1000)
    begin(window, address)
    window.complaints()
    return window


def begin(tab: Tab, address: str) -> None:
    tab.open(address)
    tab.until(READY)
    tab.js("document.querySelector('details').open = true")


def faces(tab: Tab) -> list[dict[str, Any]]:
    return list(json.loads(tab.text("#numbers")))


def upload(tab: Tab, path: Path) -> list[dict[str, Any]]:
    """Open a picture by the file dialogue, and wait for its faces."""
    tab.js("document.querySelector('#status').textContent = ''")
    tab.give_file("#file", path)
    tab.until("document.querySelector('#status').textContent.endsWith('found.')")
    return faces(tab)


def pictures(folder: Path) -> list[Path]:
    """The portrait; its head off centre in a wide picture, twice, and in a tall one; no face; a photograph that lies on
    its side, as its Exif says; a JPEG."""
    portrait = read_picture(str(PORTRAIT))
    head = portrait[20:240, 110:330]
    wide = np.full((360, 801, 3), 90, np.uint8)
    wide[40:340, 30:330] = cv2.resize(head, (300, 300))
    two = wide.copy()
    two[10:350, 450:790] = cv2.resize(head[:, ::-1], (340, 340))
    tall = np.full((900, 401, 3), 30, np.uint8)
    tall[450:851] = cv2.resize(head, (401, 401))
    paths = [PORTRAIT]
    for name, image in {"wide": wide, "two": two, "tall": tall, "none": np.full_like(wide, 128)}.items():
        paths.append(folder / f"{name}.png")
        cv2.imwrite(str(paths[-1]), image)
    lying = cv2.imencode(".jpg", np.ascontiguousarray(np.rot90(portrait)), [cv2.IMWRITE_JPEG_QUALITY, 95])[
        1
    ].tobytes()
    # Exif, big-endian, with one entry: the orientation, 6: to be turned clockwise by a quarter.
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    for name, data in {
        "lying.jpg": lying[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + lying[2:],
        "plain.jpg": cv2.imencode(".jpg", two, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes(),
    }.items():
        paths.append(folder / name)
        paths[-1].write_bytes(data)
    return paths


@pytest.mark.parametrize("model", ["front-128", "back-256"])
def test_page_and_python_agree_on_pictures(page: Tab, model: str, tmp_path: Path) -> None:
    page.choose("#model", model)
    page.until(f"{READY} && document.querySelector('#engine-used').textContent.startsWith('{model}')")
    detector = FaceDetector(model)
    counts = {}
    for path in pictures(tmp_path):
        shown = upload(page, path)
        expected = detector.detect(read_picture(str(path)))
        counts[path.name] = len(shown)
        assert len(shown) == len(expected), path.name
        for n, face in enumerate(shown):
            np.testing.assert_allclose(face["box"], expected.boxes[n], atol=0.5, err_msg=path.name)
            np.testing.assert_allclose(face["keypoints"], expected.keypoints[n], atol=0.5, err_msg=path.name)
            assert face["score"] == pytest.approx(float(expected.scores[n]), abs=0.01)
    assert counts == {"astronaut.png": 1, "wide.png": 1, "two.png": 2, "tall.png": 1, "none.png": 0,
                      "lying.jpg": 1, "plain.jpg": 2}  # fmt: skip


def crowd(folder: Path) -> Path:
    """A wide picture with the portrait's face at sides of 33 to 166 pixels."""
    head = read_picture(str(PORTRAIT))[20:240, 110:330]
    image = np.full((1080, 1920, 3), 90, np.uint8)
    left = 20
    for n, side in enumerate((80, 90, 100, 120, 160, 200, 300, 400)):
        left, top = left + 40, 60 + 80 * n
        image[top : top + side, left : left + side] = cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA)
        left += side
    cv2.imwrite(str(folder / "crowd.png"), image)
    return folder / "crowd.png"


@pytest.mark.parametrize("model", ["front-128", "back-256"])
def test_small_faces_are_searched_for_as_in_python(page: Tab, model: str, tmp_path: Path) -> None:
    page.choose("#model", model)
    page.until(f"{READY} && document.querySelector('#engine-used').textContent.startsWith('{model}')")
    path = crowd(tmp_path)
    without = upload(page, path)
    page.click("#small")
    found = upload(page, path)
    expected = FaceDetector(model, min_face="auto").detect(read_picture(str(path)))
    assert len(without) < len(found) == len(expected) >= 7
    order = np.argsort(expected.boxes[:, 0])  # sure faces have one score, 1, and no order
    for n, face in zip(order, sorted(found, key=lambda face: face["box"][0]), strict=True):
        np.testing.assert_allclose(face["box"], expected.boxes[n], atol=0.5)
        np.testing.assert_allclose(face["keypoints"], expected.keypoints[n], atol=0.5)
        assert face["score"] == pytest.approx(float(expected.scores[n]), abs=0.01)
    page.reload()
    page.until(READY)
    assert page.js("return document.querySelector('#small').checked") is True  # kept for the next time


def test_who_covers_faces_has_small_ones_covered_too(page: Tab, tmp_path: Path) -> None:
    path = crowd(tmp_path)
    expected = FaceDetector(min_face="auto").detect(read_picture(str(path))).boxes
    upload(page, path)
    page.choose("#cover", "solid")
    page.until(f"document.querySelector('#status').textContent === '{len(expected)} faces found.'")
    assert page.js("return document.querySelector('#small').checked") is True
    middles = ((expected[:, :2] + expected[:, 2:]) / 2).astype(int).tolist()
    page.click("#marks")
    page.until("document.querySelector('#status').textContent.endsWith('found.')")
    colours = page.js(
        "const context = document.querySelector('#stage').getContext('2d');"
        "return arguments[0].map(([x, y]) => [...context.getImageData(x, y, 1, 1).data])",
        middles,
    )
    assert len(colours) >= 7 and all(colour == [34, 37, 47, 255] for colour in colours)


def test_a_slider_that_moves_on_ends_at_its_last_place(page: Tab, tmp_path: Path) -> None:
    page.click("#small")
    found = upload(page, crowd(tmp_path))
    page.js(
        "const at = document.querySelector('#threshold'); at.step = 'any'; at.max = 1;"
        "for (const value of [0.1, 1, 0.3, 0.7, 1, 0.5]) { at.value = value;"
        "at.dispatchEvent(new Event('input')); }"
    )
    page.until(f"document.querySelector('#status').textContent === '{len(found)} faces found.'")
    page.choose("#threshold", "1")
    page.choose("#model", "tiny-96")  # while the search goes on; its scores do not reach 1
    page.until(f"{READY} && document.querySelector('#engine-used').textContent.startsWith('tiny-96')")
    page.until("document.querySelector('#status').textContent === 'No face found.'")
    assert page.js("return document.querySelector('#trouble').hidden") is True


def test_a_picture_shows_its_face_and_the_threshold_holds(page: Tab) -> None:
    (face,) = upload(page, PORTRAIT)
    left, top, scale = page.js(
        "const at = document.querySelector('#stage'); const box = at.getBoundingClientRect();"
        "const scale = Math.min(box.width / at.width, box.height / at.height);"
        "return [box.left + (box.width - at.width * scale) / 2, box.top + (box.height - at.height * scale) / 2, scale]"
    )
    drawn = np.abs(page.screenshot().astype(int) - ACCENT).max(axis=2) < 60
    x1, y1, x2, y2 = (round(v * scale + (left, top)[n % 2]) for n, v in enumerate(face["box"]))
    corner = (x2 - x1) // 4
    for side in (
        drawn[y1 + corner : y2 - corner, x1 - 3 : x1 + 3].any(axis=1),
        drawn[y1 + corner : y2 - corner, x2 - 3 : x2 + 3].any(axis=1),
        drawn[y2 - 3 : y2 + 3, x1 + corner : x2 - corner].any(axis=0),
    ):
        assert side.mean() > 0.95
    page.click("#marks")  # the photograph has pixels of nearly the same colour
    plain = np.abs(page.screenshot().astype(int) - ACCENT).max(axis=2) < 60
    page.click("#marks")
    assert not (drawn & ~plain)[round(top) : y1 - 60, round(left) : round(left + 512 * scale)].any()
    assert page.text("#fps") == "" and page.text("#milliseconds").endswith(" ms")
    dot = page.js("return getComputedStyle(document.querySelector('#fps + span'), '::before').content")
    assert dot in ("none", "normal")  # which parts two figures, and here is one
    page.js("document.querySelector('#threshold').step = 'any'; document.querySelector('#threshold').max = 1")
    page.choose("#threshold", "1")
    page.until("document.querySelector('#status').textContent === 'No face found.'")
    assert faces(page) == []


def test_what_is_no_picture_is_said(page: Tab, tmp_path: Path) -> None:
    (tmp_path / "no.png").write_bytes(b"hello")
    page.give_file("#file", tmp_path / "no.png")
    page.until("!document.querySelector('#trouble').hidden")
    assert page.text("#trouble") == "no.png: this is no picture that the browser can read."


TAB_ORDER = (
    *("camera", "open", "save", "model", "threshold", "cover", "engine"),
    *("small", "mirror", "marks", "summary", "numbers"),
)


def test_everything_is_within_reach_of_the_keyboard(page: Tab) -> None:
    upload(page, PORTRAIT)
    page.js("document.activeElement.blur(); scrollTo(0, 0)")
    for expected in TAB_ORDER:
        page.press("Tab")
        name, outline = page.js(
            "const at = document.activeElement;"
            "return [at.id || at.tagName.toLowerCase(), getComputedStyle(at).outlineStyle]"
        )
        assert (name, outline) == (expected, "solid")
    page.js("document.querySelector('#threshold').focus()")
    page.press("Right")
    page.until("document.querySelector('#threshold-shown').textContent === '55 %'")
    page.js("document.querySelector('#mirror').focus()")
    page.press("Space")
    assert page.js("return document.querySelector('#mirror').checked") is True
    page.js("document.querySelector('#camera').focus()")
    page.press("Enter")
    page.until("document.querySelector('#fps').textContent")
    assert page.js("return document.activeElement.id") == "camera"  # not lost on the way
    page.press("Enter")
    page.until("document.querySelector('#status').textContent === 'The camera is off.'")


def test_a_screen_reader_is_told_what_everything_is(page: Tab) -> None:
    upload(page, PORTRAIT)
    nodes = page.command("Accessibility.getFullAXTree")["nodes"]
    heard = [
        (node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]
    ]
    controls = ("button", "combobox", "slider", "checkbox", "image", "DisclosureTriangle")
    assert all(name for role, name in heard if role in controls), heard
    assert {("image", "Picture with 1 face found"), ("button", "Start camera"), ("checkbox", "Mirrored")} <= set(
        heard
    )
    assert {"status", "main", "banner", "contentinfo"} <= {role for role, _ in heard}


@pytest.mark.parametrize("width", [320, 360])
def test_a_narrow_screen_needs_no_sideways_scrolling(page: Tab, width: int) -> None:
    page.size(width, 740, 2.0, touch=True)

    def check() -> None:
        assert page.js("return [document.documentElement.scrollWidth, innerWidth]") == [width, width]
        small = page.js(
            "return [...document.querySelectorAll('button, select, summary, .checks label')].filter((at) =>"
            "at.offsetParent && at.getBoundingClientRect().height < 44).map((at) => at.outerHTML)"
        )
        assert small == []  # large enough for a thumb

    check()
    upload(page, PORTRAIT)
    check()
    page.click("#camera")
    page.until("document.querySelector('#fps').textContent")
    check()


CONTRASTS = """
const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
const light = (text) => {
  const [red, green, blue] = text.match(/[0-9.]+/g).map(Number).map(part);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const ground = (at) => {
  while (at && /, 0\\)$/.test(getComputedStyle(at).backgroundColor)) at = at.parentElement;
  return at ? getComputedStyle(at).backgroundColor : "rgb(255, 255, 255)";
};
document.querySelector("#trouble").hidden = false;
return Object.fromEntries(arguments[0].map((name) => {
  const at = document.querySelector(name);
  const [more, less] = [light(getComputedStyle(at).color), light(ground(at))].sort((a, b) => b - a);
  return [name, (more + 0.05) / (less + 0.05)];
}));
"""
"""WCAG 2.2, "contrast ratio" and "relative luminance"."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_in_light_and_dark(page: Tab, scheme: str) -> None:
    page.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    words = ["h1", "#status", "#camera", "#open", "label[for=model]", "#model", "footer p", "#trouble", "pre"]
    try:
        ratios = page.js(CONTRASTS, words)
        paper = page.screenshot()[-1, 0].mean()
    finally:
        page.command("Emulation.setEmulatedMedia", features=[])
    assert min(ratios.values()) >= 4.5, ratios
    assert (paper < 60) == (scheme == "dark")


def test_it_can_be_installed_and_asks_nobody_else(page: Tab, address: str) -> None:
    assert page.command("Page.getInstallabilityErrors")["installabilityErrors"] == []
    upload(page, PORTRAIT)
    asked = page.js("return performance.getEntriesByType('resource').map(({ name }) => name)")
    assert asked and all(name.startswith((address, f"blob:{address}")) for name in asked)
    assert page.js("return crossOriginIsolated") is True
    assert [line for line in page.complaints() if "No available adapters" not in line] == []
    refused = page.js("return fetch('http://127.0.0.1:9/').then(() => 'went', (error) => error.name)")
    assert refused == "TypeError"
    assert "Content Security Policy" in "".join(page.complaints())  # the browser itself sees to it


def test_it_works_without_a_network_once_loaded() -> None:
    need_browser_and_runtime()
    with open_browser() as tab, serve_page() as (address, end):
        begin(tab, address)
        tab.until("document.body.dataset.offline === 'yes'")
        assert tab.text("#offline") == "Ready to be used without a network."
        end()
        tab.reload()
        tab.until(READY)
        tab.js("document.querySelector('details').open = true")
        assert len(upload(tab, PORTRAIT)) == 1


NO_CAMERA = ("--use-fake-device-for-media-stream=device-count=0", "--use-fake-ui-for-media-stream")


@pytest.mark.parametrize(
    ("flags", "words"),
    [(NO_CAMERA, "No camera was found"), (CAMERA[:1], "The camera was refused. Allow it")],
    ids=["missing", "refused"],
)
def test_no_camera_is_said_in_words(address: str, flags: tuple[str, ...], words: str) -> None:
    with open_browser(*flags) as tab:
        begin(tab, address)
        if len(flags) == 1:
            tab.command("Browser.setPermission", permission={"name": "camera"}, setting="denied")
        tab.click("#camera")
        tab.until("!document.querySelector('#trouble').hidden")
        assert tab.text("#trouble").startswith(words)
        assert tab.text("#status") == "No camera."
        assert tab.js("return document.querySelector('#trouble').getAttribute('role')") == "alert"
        assert tab.text("#camera") == "Start camera"
        assert len(upload(tab, PORTRAIT)) == 1  # and pictures can still be opened
        assert tab.js("return document.querySelector('#trouble').hidden") is True


def test_cameras_are_switched(address: str) -> None:
    with open_browser("--use-fake-device-for-media-stream=device-count=2", CAMERA[1]) as tab:
        begin(tab, address)
        tab.js(
            "window.given = []; const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
            "navigator.mediaDevices.getUserMedia = async (wish) => { const stream = await real(wish);"
            "given.push(stream.getVideoTracks()[0].getSettings().deviceId); return stream; }"
        )
        tab.click("#camera")
        tab.until("!document.querySelector('#switch').hidden")
        tab.click("#switch")
        tab.until("given.length === 2 && document.activeElement.id === 'switch'")
        first, second = tab.js("return given")
        assert first != second
        assert tab.text("#camera") == "Stop camera"
