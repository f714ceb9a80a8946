"""A path, a PIL picture, an array: the same pixels; and the one sentence for everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blazeface.errors import BlazeFaceError
from blazeface.files.picture_input import as_bgr
from blazeface.files.pictures import write_picture

BGR = np.random.default_rng(1).integers(0, 255, (12, 20, 3), np.uint8)


def test_an_array_is_taken_as_it_is() -> None:
    assert as_bgr(BGR) is BGR
    np.testing.assert_array_equal(as_bgr(np.ascontiguousarray(BGR[:, :, ::-1]), rgb=True), BGR)
    np.testing.assert_array_equal(as_bgr(BGR[:, :, ::-1], rgb=True), BGR)  # a view


def test_a_file_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_picture(path, BGR)
    for name in (path, str(path)):
        np.testing.assert_array_equal(as_bgr(name), BGR)
        np.testing.assert_array_equal(as_bgr(name, rgb=True), BGR)  # a file says its order itself
    with pytest.raises(BlazeFaceError, match=r"missing\.png"):
        as_bgr(tmp_path / "missing.png")


def test_a_pil_picture_in_any_mode() -> None:
    image = pytest.importorskip("PIL.Image")
    picture = image.fromarray(np.ascontiguousarray(BGR[:, :, ::-1]))
    np.testing.assert_array_equal(as_bgr(picture), BGR)
    np.testing.assert_array_equal(as_bgr(picture, rgb=True), BGR)
    alpha = picture.convert("RGBA")
    alpha.putalpha(7)
    np.testing.assert_array_equal(as_bgr(alpha), BGR)  # the colours under it stay
    grey = np.arange(12 * 20, dtype=np.uint8).reshape(12, 20)
    np.testing.assert_array_equal(as_bgr(image.fromarray(grey)), np.repeat(grey[:, :, None], 3, axis=2))
    sixteen = image.fromarray(grey.astype(np.uint16) << 8 | 0x7F)
    assert sixteen.mode.startswith("I;16")
    np.testing.assert_array_equal(as_bgr(sixteen), np.repeat(grey[:, :, None], 3, axis=2))
    assert as_bgr(image.new("P", (5, 4))).shape == (4, 5, 3)
    with pytest.raises(BlazeFaceError, match="mode F, whose range is unknown: convert it to RGB"):
        as_bgr(image.new("F", (5, 4)))
    with pytest.raises(BlazeFaceError, match="without pixels: 0 x 4"):
        as_bgr(image.new("RGB", (0, 4)))


def test_a_pil_picture_that_is_cut_off(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    write_picture(tmp_path / "a.png", BGR)
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
    with image.open(tmp_path / "cut.png") as picture, pytest.raises(BlazeFaceError, match="cannot be decoded"):
        as_bgr(picture)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, r"None \(cv2.imread gives None for a file that it cannot read\)"),
        ([[[0, 0, 0]]], "list"),
        (b"bytes", "bytes"),
        (3, "int"),
        (BGR.astype(np.float32), r"float32 of shape \(12, 20, 3\)"),
        (BGR / 255, "float64"),
        (BGR[:, :, 0], r"uint8 of shape \(12, 20\)"),
        (np.dstack([BGR, BGR[:, :, :1]]), r"uint8 of shape \(12, 20, 4\)"),
        (BGR[None], r"uint8 of shape \(1, 12, 20, 3\)"),
        (BGR[:0], r"uint8 of shape \(0, 20, 3\)"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(value: Any, found: str) -> None:
    sentence = rf"image must be a BGR uint8 array of shape \(H, W, 3\), a path or a PIL picture, not {found}"
    with pytest.raises(BlazeFaceError, match=sentence) as caught:
        as_bgr(value)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)
    with pytest.raises(BlazeFaceError, match=r"faces\[2\] must be an RGB uint8 array"):
        as_bgr(value, rgb=True, name="faces[2]")
