"""The keys of the window."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_material import RedDetector

from blazeface.detections.draw import BOX
from blazeface.files.pictures import read_picture
from blazeface.sinks.viewer import Viewer
from blazeface.sources.frames import Frame


class Keys:
    """A window whose user presses these keys, one a look; afterwards none."""

    def __init__(self, *keys: str):
        self.keys = list(keys)
        self.shown: list[np.ndarray] = []

    def _next(self) -> str:
        return self.keys.pop(0) if self.keys else ""

    def show(self, image: np.ndarray, seconds: float = 0.0) -> str:
        self.shown.append(image)
        return "" if self.waiting else self._next()

    def wait(self, stop: object) -> str:
        return self._next() or "quit"

    waiting = False


def frame(index: int = 0) -> tuple[Frame, np.ndarray, Any]:
    """A field of two reds, pixel by pixel, which pixelate makes one."""
    image = np.full((300, 400, 3), 90, np.uint8)
    image[100:200, 100 + index : 200 + index] = (0, 0, 255)
    image[100:200:2, 100 + index : 200 + index] = (0, 0, 190)
    return Frame(image, index, Fraction(index, 25), "a.mp4"), image, RedDetector().detect(image)


@pytest.fixture(autouse=True)
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def red(image: np.ndarray) -> int:
    return int(((image[:, :, 2] > 250) & (image[:, :, 1] < 5)).sum())


def test_quit_ends() -> None:
    viewer = Viewer(Keys("", "quit"))  # type: ignore[arg-type]
    assert viewer.show(*frame())
    assert not viewer.show(*frame())


def test_save_writes_what_is_seen_without_the_note(at: Path) -> None:
    said: list[str] = []
    keys = Keys("save")
    viewer = Viewer(keys, say=said.append)  # type: ignore[arg-type]
    assert viewer.show(*frame(7))
    (saved,) = at.iterdir()
    assert saved.name.startswith("blazeface-") and saved.name.endswith("-7.png")
    assert said == [f"saved {saved.name}"]
    picture = read_picture(str(saved))
    assert (picture == BOX).all(axis=2).any()
    assert (keys.shown[0] != picture).any()  # the rate is not in it
    np.testing.assert_array_equal(keys.shown[0][90:], picture[90:])


def test_hide_toggles() -> None:
    keys = Keys("cover", "", "cover", "")
    viewer = Viewer(keys)  # type: ignore[arg-type]
    for _ in range(4):
        assert viewer.show(*frame(20))
    counts = [red(image) for image in keys.shown]
    assert counts[0] > 0 and counts[1] == 0 and counts[2] == 0 and counts[3] == counts[0]


def test_pause_waits_for_the_next_press_and_other_keys_work_meanwhile(at: Path) -> None:
    keys = Keys("pause", "save", "cover", "pause", "")
    viewer = Viewer(keys)  # type: ignore[arg-type]

    def show(image: np.ndarray, seconds: float = 0.0) -> str:
        keys.shown.append(image)
        return "pause" if len(keys.shown) == 1 else ""

    keys.keys.pop(0)
    keys.show = show  # type: ignore[method-assign]
    assert viewer.show(*frame(20))
    assert keys.keys == [""]
    assert len(list(at.iterdir())) == 1
    assert red(keys.shown[-1]) == 0  # hidden while it stood still


def test_quitting_while_paused() -> None:
    keys = Keys("pause")
    viewer = Viewer(keys)  # type: ignore[arg-type]
    keys.wait = lambda stop: "quit"  # type: ignore[method-assign]
    assert not viewer.show(*frame())


def test_the_pace_does_not_hurry_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    waits: list[float] = []
    keys = Keys()

    def show(image: np.ndarray, seconds: float = 0.0) -> str:
        waits.append(seconds)
        return "pause" if len(waits) == 1 else ""

    def wait(stop: object) -> str:
        clock[0] += 60
        return "pause"

    keys.show, keys.wait = show, wait  # type: ignore[method-assign]
    viewer = Viewer(keys, pace=True)  # type: ignore[arg-type]
    viewer.show(*frame(0))
    viewer.show(*frame(5))
    assert waits[-1] == pytest.approx(0.2)


def test_a_held_picture_stays_until_another_key() -> None:
    assert Viewer(Keys("", "save", "other")).hold(*frame())  # type: ignore[arg-type]
    assert not Viewer(Keys("", "cover", "quit")).hold(*frame())  # type: ignore[arg-type]
