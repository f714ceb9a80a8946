"""The page's modules against the Python that they mirror, in Node."""

from __future__ import annotations

import json
from dataclasses import astuple
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from node import Node, node  # noqa: F401  (a fixture)

from blazeface.anchors import anchor_centers
from blazeface.detector import postprocess, prepare
from blazeface.geometry import Image, Letterbox, letterbox_image
from blazeface.spec import BACK_256, FRONT_128, FULL_RANGE_DENSE, SHORT_RANGE, ModelSpec

PORTRAIT = Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"

SIZES = [
    (512, 512), (640, 480), (480, 640), (1280, 720), (257, 255), (256, 256), (128, 128), (100, 37), (3, 900),
    (1, 1), (300, 1), (333, 199), (256, 144), (512, 256), (129, 65),
]  # fmt: skip
"""Widths and heights: exact halves and quarters, smaller than the input, odd, slim, a single pixel."""

CORNER_SIZES = [(640, 480), (480, 320), (256, 100), (129, 65), (333, 199)]
"""The last two have ties: sources exactly between two 32nds of a pixel, where OpenCV's last bits decide."""

LETTERBOX = """
const { letterboxImage } = await import('./blazeface/letterbox.js');
return given.sizes.map(([width, height], i) => {
  const data = fs.readFileSync(`${i}.rgba`);
  const { square, letterbox } = letterboxImage({ data, width, height }, given.size, given.resampling);
  fs.writeFileSync(`${i}.square`, square);
  return letterbox;
});
"""


def pictures() -> list[Image]:
    portrait = cv2.imread(str(PORTRAIT))
    assert portrait is not None
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, (900, 1280, 3), dtype=np.uint8)
    return [
        (cv2.resize(portrait, size) if i % 2 else noise[: size[1], : size[0]]).astype(np.uint8)
        for i, size in enumerate(SIZES)
    ]


def give_pictures(node: Node, images: list[Image]) -> None:  # noqa: F811
    for i, image in enumerate(images):
        (node.folder / f"{i}.rgba").write_bytes(cv2.cvtColor(image, cv2.COLOR_BGR2RGBA).tobytes())


@pytest.mark.parametrize("size", [128, 256])
def test_the_network_sees_the_same_pixels(node: Node, size: int) -> None:  # noqa: F811
    images = pictures()
    give_pictures(node, images)
    letterboxes = node.run(LETTERBOX, sizes=SIZES, size=size, resampling="supersample")
    for i, image in enumerate(images):
        square, letterbox = letterbox_image(image, size)
        raw = np.frombuffer((node.folder / f"{i}.square").read_bytes(), np.uint8).reshape(size, size, 3)
        assert np.array_equal(raw[:, :, ::-1], square), SIZES[i]
        given = [letterboxes[i][name] for name in ("scaleX", "scaleY", "offsetX", "offsetY")]
        assert given == pytest.approx(list(astuple(letterbox)), rel=1e-12)


def test_mediapipe_s_warp_differs_in_ties_of_rounding_only(node: Node) -> None:  # noqa: F811
    portrait = pictures()[1]
    images = [np.ascontiguousarray(portrait[:h, :w]) for w, h in CORNER_SIZES]
    give_pictures(node, images)
    letterboxes = node.run(LETTERBOX, sizes=CORNER_SIZES, size=128, resampling="corner")
    for i, image in enumerate(images):
        square, letterbox = letterbox_image(image, 128, "corner")
        raw = np.frombuffer((node.folder / f"{i}.square").read_bytes(), np.uint8).reshape(128, 128, 3)
        difference = np.abs(raw[:, :, ::-1].astype(int) - square)
        # A tie moves a sample by 1/32 pixel: a 32nd of the largest step between neighbours in either direction.
        assert difference.max() <= (0 if i < 3 else 2 * 255 / 32 + 1), CORNER_SIZES[i]
        assert letterboxes[i]["offsetY"] == pytest.approx(letterbox.offset_y)


PARTS = """
const { letterboxImage } = await import('./blazeface/letterbox.js');
const data = fs.readFileSync('0.rgba');
return given.parts.map(([left, top, width, height, rows, columns], i) => {
  const part = { left, top, width, height };
  const found = letterboxImage({ data, width: 1280, height: 900 }, [rows, columns], given.resampling, part);
  fs.writeFileSync(`${i}.square`, found.square);
  return found.letterbox;
});
"""


@pytest.mark.parametrize("resampling", ["supersample", "corner"])
def test_a_part_of_a_picture_fills_a_rectangle_as_in_python(node: Node, resampling: str) -> None:  # noqa: F811
    rng = np.random.default_rng(11)
    image = cv2.resize(pictures()[1], (1280, 900), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    give_pictures(node, [image])
    # left, top, width, height, rows, columns: one to one, enlarged, halved exactly, shrunk, slim, the whole.
    parts: list[tuple[int, ...]] = [
        (0, 0, 1280, 900, 96, 160),
        (640, 380, 640, 520, 520, 640),
        (17, 33, 256, 128, 256, 512),
        (100, 50, 640, 512, 256, 320),
    ]
    for _ in range(8):
        width, height = rng.integers(1, (900, 700))
        left, top = rng.integers(0, (1280 - width + 1, 900 - height + 1))
        parts.append((left, top, width, height, *(16 * rng.integers(1, 30, 2))))
    parts = [tuple(map(int, part)) for part in parts]
    letterboxes = node.run(PARTS, parts=parts, resampling=resampling)
    for i, (left, top, width, height, rows, columns) in enumerate(parts):
        view = np.ascontiguousarray(image[top : top + height, left : left + width])
        expected, letterbox = letterbox_image(view, (rows, columns), resampling)
        raw = np.frombuffer((node.folder / f"{i}.square").read_bytes(), np.uint8).reshape(rows, columns, 3)
        difference = np.abs(raw[:, :, ::-1].astype(int) - expected)
        assert difference.max() <= (0 if resampling == "supersample" else 2 * 255 / 32 + 1), parts[i]
        given = [letterboxes[i][name] for name in ("scaleX", "scaleY", "offsetX", "offsetY")]
        assert given == pytest.approx(list(astuple(letterbox)), rel=1e-12)


POSTPROCESS = """
const { anchorCenters } = await import('./blazeface/anchors.js');
const { postprocess } = await import('./blazeface/detector.js');
const centers = anchorCenters(given.spec.anchor_maps);
const floats = (name) => new Float32Array(new Uint8Array(fs.readFileSync(name)).buffer);
return given.thresholds.map((threshold, i) => postprocess(
  floats(`${i}.logits`), floats(`${i}.regressions`), given.letterbox, given.spec, centers, threshold));
"""


def agree(found: list[dict[str, Any]], expected: list[dict[str, Any]], near: float) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=1e-4)
        assert one["box"] == pytest.approx(other["box"], abs=near)
        assert np.allclose(one["keypoints"], other["keypoints"], atol=near)


@pytest.mark.parametrize("spec", [FRONT_128, BACK_256, SHORT_RANGE, FULL_RANGE_DENSE], ids=lambda spec: spec.name)
def test_raw_outputs_become_the_same_faces(node: Node, spec: ModelSpec) -> None:  # noqa: F811
    rng = np.random.default_rng(3)
    centers = anchor_centers(spec.anchor_maps)
    letterbox = Letterbox(0.2, 0.2003, 0.0, 28.0)
    thresholds = [0.5, 0.3, 0.0, 1.0]
    expected = []
    for i, threshold in enumerate(thresholds):
        logits = rng.normal(-2, 2, spec.num_anchors).astype(np.float32)
        regressions = rng.normal(0, spec.input_size / 20, (spec.num_anchors, spec.num_coords)).astype(np.float32)
        regressions[:, 2:4] += spec.input_size / 6  # most sides are sound, some are negative
        logits[:4] = 9
        regressions[0, 5], regressions[1, 0], regressions[2, 9] = np.nan, np.inf, -1e7
        (node.folder / f"{i}.logits").write_bytes(logits.tobytes())
        (node.folder / f"{i}.regressions").write_bytes(regressions.tobytes())
        expected.append(postprocess(logits, regressions, letterbox, spec, centers, threshold).to_dict(4))
    assert len(expected[0]) > 20
    assert not expected[3]
    names = {"scaleX": 0.2, "scaleY": 0.2003, "offsetX": 0.0, "offsetY": 28.0}
    found = node.run(POSTPROCESS, spec=json.loads(spec.to_json()), thresholds=thresholds, letterbox=names)
    for one, other in zip(found, expected, strict=True):
        agree(one, other, 0.02)


@pytest.mark.parametrize("spec", [FRONT_128, BACK_256], ids=lambda spec: spec.name)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (0.75, 1.25), (2, 0.5)])
def test_anchors_of_a_rectangle_are_python_s(node: Node, spec: ModelSpec, height: float, width: float) -> None:  # noqa: F811
    program = """
    const { anchorCenters } = await import('./blazeface/anchors.js');
    return [...anchorCenters(given.spec.anchor_maps, given.height, given.width)];
    """
    found = node.run(program, spec=json.loads(spec.to_json()), height=height, width=width)
    expected = anchor_centers(spec.anchor_maps, height, width)
    assert np.array_equal(np.array(found, np.float32).reshape(-1, 2), expected)


def test_prepare_normalises_into_planes(node: Node) -> None:  # noqa: F811
    images = pictures()[:3]
    give_pictures(node, images)
    sizes = SIZES[: len(images)]
    program = """
    const { prepare } = await import('./blazeface/detector.js');
    given.sizes.forEach(([width, height], i) =>
      fs.writeFileSync(`${i}.input`, prepare({ data: fs.readFileSync(`${i}.rgba`), width, height }, given.spec).input));
    """
    node.run(program + "return null;", sizes=sizes, spec=json.loads(FRONT_128.to_json()))
    for i, image in enumerate(images):
        planes = np.frombuffer((node.folder / f"{i}.input").read_bytes(), np.float32).reshape(3, 128, 128)
        assert np.array_equal(planes, prepare(image, FRONT_128)[0])


def test_rounding_is_python_s(node: Node) -> None:  # noqa: F811
    values = [0.5, 1.5, 2.5, 2.4999, 3.5, 0.49999999999999994, 127.5, 128.5, 7.0, -0.5, -1.5, -2.5]
    program = "const { roundHalfEven } = await import('./blazeface/letterbox.js'); return given.values.map(roundHalfEven);"
    assert node.run(program, values=values) == [round(value) for value in values]
