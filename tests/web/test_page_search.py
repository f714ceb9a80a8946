"""The page's search for small faces against Python's: the same views, and the same faces from the same candidates."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from node import Node, node  # noqa: F401  (a fixture)

from blazeface.blend import blend
from blazeface.search import View, union, views
from blazeface.spec import BACK_256, FRONT_128, FULL_RANGE_DENSE
from tools.page_rules import TARGET, page_rules

VIEWS = """
const { views } = await import('./blazeface/search.js');
return given.cases.map(({ height, width, spec, min_face, multiple, tile_side }) =>
  views(height, width, given.specs[spec], min_face, multiple, tile_side));
"""

SPECS = (FRONT_128, BACK_256, FULL_RANGE_DENSE)


def cases(count: int) -> list[dict[str, Any]]:
    """Frames of usual and of drawn sizes, smallest faces and shapes that runtimes take."""
    rng = np.random.default_rng(5)
    usual = [
        (480, 640),
        (720, 1280),
        (1080, 1920),
        (1920, 1080),
        (2160, 3840),
        (3000, 4000),
        (4096, 4096),
        (1, 1),
        (1, 4000),
    ]
    sizes = usual + [tuple(np.exp(rng.uniform(0, np.log(5000), 2)).astype(int).tolist()) for _ in range(count)]
    made = []
    for height, width in sizes:
        for min_face in ("auto", 10, float(np.round(np.exp(rng.uniform(0, np.log(400))), 3))):
            for multiple in (None, 16, 32):
                made.append({"height": height, "width": width, "spec": int(rng.integers(len(SPECS))), "min_face": min_face,
                             "multiple": multiple, "tile_side": int(rng.choice([1024, 1024, 512, 640]))})  # fmt: skip
    return made


def as_page(view: View) -> dict[str, Any]:
    """A view as JavaScript gives it; JSON has no infinity."""
    row = asdict(view)
    return row | {
        "largest": None if row["largest"] == np.inf else row["largest"],
        "shape": list(row["shape"]),
        "cuts": list(row["cuts"]),
    }


def test_views_are_python_s(node: Node) -> None:  # noqa: F811
    given = cases(150)
    found = node.run(VIEWS, cases=given, specs=[json.loads(spec.to_json()) for spec in SPECS])
    several = 0
    for case, page in zip(given, found, strict=True):
        arguments = {**case, "spec": SPECS[case["spec"]]}
        expected = [as_page(view) for view in views(**arguments)]
        several += len(expected) > 3
        assert [{**view, "smallest": 0, "largest": 0, "seam": 0} for view in page] == [
            {**view, "smallest": 0, "largest": 0, "seam": 0} for view in expected
        ], case
        for one, other in zip(page, expected, strict=True):
            for name in ("smallest", "largest", "seam"):
                assert one[name] == (other[name] and pytest.approx(other[name], rel=1e-12))
    assert several > 200


UNION = """
const { union } = await import('./blazeface/search.js');
return union(given.parts.map(([view, candidates]) => [{ ...view, largest: view.largest ?? Infinity }, candidates]),
  0.5, given.threshold);
"""


@pytest.mark.parametrize("multiple", [None, 32])
def test_the_same_candidates_become_the_same_faces(node: Node, multiple: int | None) -> None:  # noqa: F811
    rng = np.random.default_rng(9)
    chosen = views(1080, 1920, FRONT_128, 16, multiple)
    middles = rng.uniform((0, 0), (1920, 1080), (60, 2))
    sides = np.exp(rng.uniform(np.log(8), np.log(500), 60))
    parts = []
    for view in chosen:
        # What each view sees of the same faces: all that lie in it, whole or not, off by a little.
        near = (middles + sides[:, None] / 2 > (view.left, view.top)).all(axis=1)
        near &= (middles - sides[:, None] / 2 < (view.left + view.width, view.top + view.height)).all(axis=1)
        middle, side = middles[near] + rng.normal(0, 0.04, (near.sum(), 2)) * sides[near, None], sides[near, None]
        boxes = np.concatenate([middle - side / 2, middle + side / 2], axis=1)
        points = np.repeat(middle[:, None], 6, axis=1)
        parts.append((view, (boxes, rng.uniform(0.02, 1, len(boxes)), points)))
    boxes, scores, keypoints = union(parts, 0.5, blend, 0.2)
    assert 40 <= len(scores) < len(union(parts, 0.5, blend)[0]) <= 200
    given = [
        [as_page(view), [{"box": box, "score": score, "keypoints": face} for box, score, face in
                         zip(*(column.tolist() for column in candidates), strict=True)]]
        for view, candidates in parts
    ]  # fmt: skip
    found = node.run(UNION, parts=given, threshold=0.2)
    np.testing.assert_allclose([face["box"] for face in found], boxes, rtol=1e-9)
    np.testing.assert_allclose([face["score"] for face in found], scores)
    np.testing.assert_allclose([face["keypoints"] for face in found], keypoints, rtol=1e-9)


CHECK = """
const { checkMinFace } = await import('./blazeface/search.js');
const said = (value) => { try { checkMinFace(value); return null; } catch (error) { return error.message; } };
return [...given.good.map(said), ...[0, 0.5, NaN, Infinity, 'all', undefined].map(said)];
"""


def test_what_is_no_smallest_face_is_said(node: Node) -> None:  # noqa: F811
    said = node.run(CHECK, good=[None, "auto", 1, 33.5])
    assert said[:4] == [None] * 4
    assert said[4] == 'minFace must be a number of pixels from 1 up, "auto" or null, not 0'
    assert None not in said[4:]


def test_the_numbers_are_python_s() -> None:
    assert TARGET.read_text(encoding="utf-8") == page_rules(), "run `python -m tools.page_rules`"
