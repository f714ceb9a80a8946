"""What the page covers, and for how long, in Node: no face may show for want of a margin or of a moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from node import Node, node  # noqa: F401  (a fixture)

HOLD = """
const { Hold } = await import('./hold.js');
const hold = new Hold();
const face = (x) => ({ box: [x, 0, x + 10, 10], score: 0.9, keypoints: [] });
return given.frames.map(({ time, at }) => hold.faces(at.map(face), time).map(({ box }) => box[0]));
"""


def held(node: Node, *frames: tuple[float, list[float]]) -> Any:  # noqa: F811
    """Left edges of the faces that are covered at each time, from those that were found then."""
    return node.run(HOLD, frames=[{"time": time, "at": at} for time, at in frames])


def test_a_face_that_is_missed_for_a_moment_stays_covered(node: Node) -> None:  # noqa: F811
    assert held(node, (0.0, [5]), (0.2, []), (0.4, [])) == [[5], [5], [5]]


def test_a_face_that_is_gone_is_let_go(node: Node) -> None:  # noqa: F811
    assert held(node, (0.0, [5]), (0.1, []), (5.0, [])) == [[5], [5], []]


def test_the_hold_begins_anew_with_each_sight(node: Node) -> None:  # noqa: F811
    times = [0.1 * i for i in range(30)]
    assert held(node, *[(time, [5]) for time in times], (times[-1] + 0.3, []))[-1] == [5]


def test_a_face_that_moved_on_is_not_covered_twice_and_another_is_kept(node: Node) -> None:  # noqa: F811
    assert held(node, (0.0, [5, 100]), (0.1, [7])) == [[5, 100], [7, 100]]


COVER = """
const { coverFaces } = await import('./draw.js');
const filled = [];
const context = {
  set fillStyle(value) { this.style = value; },
  fillRect(x, y, width, height) { filled.push({ x, y, width, height, style: this.style }); },
  setTransform(...matrix) { filled.push({ matrix }); },
};
const data = new Uint8ClampedArray(fs.readFileSync('pixels'));
const [width, height] = given.size;
coverFaces(context, { data, width, height }, given.boxes.map((box) => ({ box })), given.how, given.mirrored);
return filled;
"""
WIDTH, HEIGHT = 120, 100


def covered(node: Node, box: list[float], how: str, mirrored: bool = False) -> list[dict[str, Any]]:  # noqa: F811
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
    (node.folder / "pixels").write_bytes(pixels.tobytes())
    found: list[dict[str, Any]] = node.run(COVER, size=[WIDTH, HEIGHT], boxes=[box], how=how, mirrored=mirrored)
    return found


def painted(found: list[dict[str, Any]]) -> np.ndarray:
    """Which pixels (HEIGHT, WIDTH) were painted over."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for part in found:
        if "x" in part:
            x, y = part["x"], part["y"]
            mask[y : y + part["height"], x : x + part["width"]] = True
    return mask


@pytest.mark.parametrize("how", ["mosaic", "solid"])
def test_a_face_is_covered_with_a_margin_on_every_side(node: Node, how: str) -> None:  # noqa: F811
    mask = painted(covered(node, [40, 30, 70, 70], how))
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()  # without a gap
    # At least 15 % of the box's sides, which are 30 and 40.
    assert columns[0] <= 40 - 4.5 and columns[-1] + 1 >= 70 + 4.5
    assert rows[0] <= 30 - 6 and rows[-1] + 1 >= 70 + 6


@pytest.mark.parametrize("how", ["mosaic", "solid"])
def test_a_face_at_the_edge_is_covered_up_to_it(node: Node, how: str) -> None:  # noqa: F811
    mask = painted(covered(node, [-10, -10, 20, 20], how))
    assert mask[:20, :20].all()
    mask = painted(covered(node, [100, 80, 130, 110], how))
    assert mask[80:, 100:].all()


def test_a_mosaic_has_too_few_colours_to_tell_a_face(node: Node) -> None:  # noqa: F811
    found = [part for part in covered(node, [20, 10, 90, 90], "mosaic") if "x" in part]
    assert 1 < len(found) <= 36


def test_a_solid_cover_takes_nothing_from_the_picture(node: Node) -> None:  # noqa: F811
    assert len({part["style"] for part in covered(node, [20, 10, 90, 90], "solid") if "x" in part}) == 1


def test_a_mirrored_picture_is_covered_where_its_face_is_shown(node: Node) -> None:  # noqa: F811
    found = covered(node, [10, 30, 40, 70], "solid", mirrored=True)
    assert found[0]["matrix"] == [-1, 0, 0, 1, WIDTH, 0]
    assert found[-1]["matrix"] == [1, 0, 0, 1, 0, 0]
    assert painted(found)[30:70, 10:40].all()
