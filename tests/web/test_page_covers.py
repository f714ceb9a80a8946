"""What the page covers, and for how long, in Node: no face may show for want of a margin or of a moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from node import Node, node  # noqa: F401  (a fixture)
from walking_faces import walking

from blazeface.detections import Detections
from blazeface.privacy.coverer import Coverer

WIDTH, HEIGHT = 120, 100

COVERS = """
const { Covers } = await import('./blazeface/covers.js');
return given.clips.map(({ width, height, frames }) => {
  const covers = new Covers();
  return frames.map(({ time, faces }) => covers.update(faces, time, width, height));
});
"""


def page_covers(node: Node, *clips: list[tuple[float, Detections]]) -> Any:  # noqa: F811
    """What the page covers in each frame of some clips, (time, candidates) a frame."""
    given = [
        {
            "width": WIDTH,
            "height": HEIGHT,
            "frames": [
                {
                    "time": time,
                    "faces": [
                        {"box": box, "score": score, "keypoints": []}
                        for box, score in zip(faces.boxes.tolist(), faces.scores.tolist(), strict=True)
                    ],
                }
                for time, faces in clip
            ],
        }
        for clip in clips
    ]
    return node.run(COVERS, clips=given)


def python_covers(clip: list[tuple[float, Detections]]) -> list[list[dict[str, Any]]]:
    """The same by Python, of a camera."""
    coverer, found = Coverer(keep=False), []
    for n, (time, faces) in enumerate(clip):
        coverer.add(n, time, WIDTH, HEIGHT, faces)
        covers = coverer.covers(n, time, WIDTH, HEIGHT)
        assert covers is not None
        found.append([{"box": list(cover.box), "kind": cover.kind} for cover in covers])
    return found


def test_the_same_detections_give_the_same_covers_as_in_python(node: Node) -> None:  # noqa: F811
    clips = [[(time, faces) for time, _, _, faces in walking(seed, grows=False)] for seed in range(20)]
    for found, clip in zip(page_covers(node, *clips), clips, strict=True):
        expected = python_covers(clip)
        assert sum(len(covers) for covers in expected) > 100
        for one, other in zip(found, expected, strict=True):
            key = lambda cover: (cover["kind"], *np.round(cover["box"], 3))  # noqa: E731
            one, other = sorted(one, key=key), sorted(other, key=key)
            assert [cover["kind"] for cover in one] == [cover["kind"] for cover in other]
            for a, b in zip(one, other, strict=True):
                assert a["box"] == pytest.approx(b["box"], abs=1e-6)


def test_moments_slabs_and_long_faces_are_treated_as_in_python(node: Node) -> None:  # noqa: F811
    """What the random walks seldom hold: large doubtful candidates, brief sightings, and faces that go on from others."""
    large, doubtful = one(30, 0.95, 60), one(30, 0.4, 60)
    clips = [
        [large] * 10 + [doubtful] * 10 + [NOTHING] * 40,
        [large] * 3 + [doubtful] * 10 + [NOTHING] * 40,
        [one(30)] * 4 + [NOTHING] * 40,
        [one(30, 0.45)] * 11 + [NOTHING] * 40,
        [one(30, 0.45)] * 16 + [NOTHING] * 40,
        [one(20)] * 12 + [NOTHING] * 8 + [one(45)] * 2 + [NOTHING] * 40,
        [one(20 + n) for n in range(3)] + [NOTHING] * 40,
    ]
    timed = [[(0.04 * n, faces) for n, faces in enumerate(clip)] for clip in clips]
    lengths = []
    for found, clip in zip(page_covers(node, *timed), timed, strict=True):
        expected = python_covers(clip)
        assert [[c["kind"] for c in frame] for frame in found] == [
            [c["kind"] for c in frame] for frame in expected
        ]
        for ours, theirs in zip(sum(found, []), sum(expected, []), strict=True):  # noqa: RUF017
            assert ours["box"] == pytest.approx(theirs["box"], abs=1e-6)
        lengths.append(sum(map(bool, found)))
    # Held for a second, 25 frames, where they are established, and for a fifth of one where they are not.
    assert lengths == [20 + 25, 3 + 5, 4 + 5, 11 + 5, 16 + 25, 22 + 25, 3 + 5]


NOTHING = Detections.empty()


def one(x: float, score: float = 0.95, side: float = 20) -> Detections:
    box = np.array([[x, 20, x + side, 20 + side]], np.float32)
    return Detections(box, np.array([score], np.float32), np.zeros((1, 6, 2), np.float32))


def test_a_face_that_is_missed_stays_covered_for_a_second_and_is_let_go_then(node: Node) -> None:  # noqa: F811
    clip = [(0.1 * n, one(30) if n < 5 else Detections.empty()) for n in range(20)]
    (found,) = page_covers(node, clip)
    assert [len(covers) for covers in found] == [1] * 15 + [0] * 5
    for covers in found[:15]:
        x1, y1, x2, y2 = covers[0]["box"]
        assert x1 <= 29 and y1 <= 16 and x2 >= 51 and y2 >= 44


def test_the_cover_of_a_face_that_moved_when_it_was_lost_reaches_where_it_is_expected(node: Node) -> None:  # noqa: F811
    clip = [(0.1 * n, one(10 + 4 * n) if n < 8 else Detections.empty()) for n in range(12)]
    (found,) = page_covers(node, clip)
    assert found[7][0]["box"][2] == pytest.approx(10 + 28 + 20 + 1)
    assert found[10][0]["box"][2] > 10 + 40 + 20 + 4


COVER = """
const { coverBoxes } = await import('./js/draw.js');
const { withMargin } = await import('./blazeface/covers.js');
const filled = [];
const context = {
  set fillStyle(value) { this.style = value; },
  fillRect(x, y, width, height) { filled.push({ x, y, width, height, style: this.style }); },
  setTransform(...matrix) { filled.push({ matrix }); },
};
const data = new Uint8ClampedArray(fs.readFileSync('pixels'));
const [width, height] = given.size;
coverBoxes(context, { data, width, height }, given.boxes.map((box) => withMargin(box)), given.how, given.mirrored);
return filled;
"""


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
    # A tenth of its width of 30, a fifth of its height of 40.
    assert (columns[0], columns[-1] + 1, rows[0], rows[-1] + 1) == (37, 73, 22, 78)


@pytest.mark.parametrize("how", ["mosaic", "solid"])
def test_a_face_at_the_edge_is_covered_up_to_it(node: Node, how: str) -> None:  # noqa: F811
    mask = painted(covered(node, [-10, -10, 20, 20], how))
    assert mask[:20, :20].all()
    mask = painted(covered(node, [100, 80, 130, 110], how))
    assert mask[80:, 100:].all()


def test_a_mosaic_has_too_few_colours_to_tell_a_face(node: Node) -> None:  # noqa: F811
    found = [part for part in covered(node, [20, 10, 90, 90], "mosaic") if "x" in part]
    assert 1 < len(found) <= 25


def test_a_solid_cover_takes_nothing_from_the_picture(node: Node) -> None:  # noqa: F811
    assert len({part["style"] for part in covered(node, [20, 10, 90, 90], "solid") if "x" in part}) == 1


def test_a_mirrored_picture_is_covered_where_its_face_is_shown(node: Node) -> None:  # noqa: F811
    found = covered(node, [10, 30, 40, 70], "solid", mirrored=True)
    assert found[0]["matrix"] == [-1, 0, 0, 1, WIDTH, 0]
    assert found[-1]["matrix"] == [1, 0, 0, 1, 0, 0]
    assert painted(found)[30:70, 10:40].all()
