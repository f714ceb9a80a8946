"""ModelSpec: everything that turns pixels into tensors and tensors into faces.

A spec is written into each exported file as metadata, so that a model file describes itself. The
named models and all their numbers stand at the end of this file; what their networks look like
inside is in `blazeface.models.named_layouts`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable

METADATA_KEY = "blazeface.spec"
"""Name of the metadata entry that holds `ModelSpec.to_json` in ONNX and safetensors files."""

KEYPOINT_NAMES = ("right_eye", "left_eye", "nose_tip", "mouth_center", "right_ear", "left_ear")
"""Order of the six keypoints; right and left are the person's own."""

EYES = KEYPOINT_NAMES[:2]
"""Those that tell how a face is turned."""

KEYPOINT_MIRROR = (1, 0, 2, 3, 5, 4)
"""Which keypoint each one becomes when the picture is flipped."""

RESAMPLINGS = ("supersample", "corner")


MAX_ANCHORS = 1 << 18
"""A map of a cell for each four pixels of 1024 x 1024 has a quarter of that."""


MAX_KEYPOINTS = 500


@dataclass(frozen=True)
class AnchorMap:
    """The anchors of one square feature map.

    cells: cells along one side. sizes: one relative side length (of the input) per anchor of a
    cell. All anchors of a cell share its centre. The sizes only steer which anchor learns which
    face while training; decoding does not use them.
    """

    cells: int
    sizes: tuple[float, ...]

    @property
    def count(self) -> int:
        return self.cells * self.cells * len(self.sizes)


@dataclass(frozen=True)
class ModelSpec:
    """The contract between a network file and the code around it.

    name: shown to people, nothing else depends on it; a line of up to 100 characters without slashes.
    input_size: side of the square network input, in pixels.
    mean, std: the network sees (pixel - mean) / std, in RGB order.
    anchor_maps: feature maps in the order in which the network lists their anchors.
    decode_scale: raw regressions are divided by it to give units of the input side.
    score_threshold: faces below this score are not reported.
    blend_iou: candidates that overlap the best one by more are blended into it.
    resampling: how the picture is scaled into the input, see `geometry.letterbox_image`:
        "supersample" (ours) or "corner" (MediaPipe's corner-to-corner warp).
    keypoint_names: one name per keypoint, in the order of the regressions.
    """

    name: str
    input_size: int
    anchor_maps: tuple[AnchorMap, ...]
    decode_scale: float
    mean: float = 127.5
    std: float = 127.5
    score_threshold: float = 0.5
    blend_iou: float = 0.3
    resampling: str = "supersample"
    keypoint_names: tuple[str, ...] = KEYPOINT_NAMES

    def __post_init__(self) -> None:
        if not _is_label(self.name) or not self.name or set(self.name) & set("/\\"):
            raise BlazeFaceError(
                f"ModelSpec.name must be a short line of text without slashes, not {self.name!r:.80}"
            )
        if len(self.keypoint_names) > MAX_KEYPOINTS or not all(map(_is_label, self.keypoint_names)):
            raise BlazeFaceError(
                f"ModelSpec.keypoint_names must be up to {MAX_KEYPOINTS} short lines of text, not"
                f" {self.keypoint_names!r:.80}"
            )
        for name in ("input_size", "decode_scale", "std"):
            value = getattr(self, name)
            if not (_is_number(value) and 0 < value < 1e6):
                raise BlazeFaceError(f"ModelSpec.{name} must be a positive number, not {value!r}")
        if not isinstance(self.input_size, int) or self.input_size > 8192:
            raise BlazeFaceError(
                f"ModelSpec.input_size must be a whole number of pixels up to 8192, not {self.input_size!r}"
            )
        if not _is_number(self.mean):
            raise BlazeFaceError(f"ModelSpec.mean must be a number, not {self.mean!r}")
        for name in ("score_threshold", "blend_iou"):
            value = getattr(self, name)
            if not (_is_number(value) and 0 <= value <= 1):
                raise BlazeFaceError(f"ModelSpec.{name} must lie in [0, 1], not {value!r}")
        if self.resampling not in RESAMPLINGS:
            raise BlazeFaceError(f"ModelSpec.resampling must be one of {RESAMPLINGS}, not {self.resampling!r}")
        if not self.anchor_maps:
            raise BlazeFaceError("ModelSpec.anchor_maps must name at least one feature map")
        for anchor_map in self.anchor_maps:
            if (
                not isinstance(anchor_map.cells, int)
                or not 0 < anchor_map.cells <= 1024
                or not 0 < len(anchor_map.sizes) <= 64
            ):
                raise BlazeFaceError(f"ModelSpec.anchor_maps holds an impossible map: {anchor_map!r}")
            if not all(_is_number(size) and 0 < size <= 4 for size in anchor_map.sizes):
                raise BlazeFaceError(f"ModelSpec.anchor_maps holds an impossible anchor size: {anchor_map!r}")

        if self.num_anchors > MAX_ANCHORS:
            raise BlazeFaceError(
                f"ModelSpec.anchor_maps has {self.num_anchors:,} anchors, more than {MAX_ANCHORS:,}"
            )

    @property
    def num_anchors(self) -> int:
        return sum(anchor_map.count for anchor_map in self.anchor_maps)

    @property
    def strides(self) -> tuple[float, ...]:
        """Input pixels from cell to cell of each feature map."""
        return tuple(self.input_size / anchor_map.cells for anchor_map in self.anchor_maps)

    @property
    def num_keypoints(self) -> int:
        return len(self.keypoint_names)

    @property
    def eyes(self) -> list[int]:
        """Which keypoints are the right and the left eye; none where the network does not give both."""
        names = self.keypoint_names
        return [names.index(eye) for eye in EYES] if all(eye in names for eye in EYES) else []

    @property
    def num_coords(self) -> int:
        """Regressions per anchor: box centre and size, then x and y of each keypoint."""
        return 4 + 2 * self.num_keypoints

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, source: str = "model") -> ModelSpec:
        """Read what `to_json` wrote. `source` names the file in the error of a damaged text."""
        try:
            data: Any = json.loads(text)
            if not isinstance(data, dict):
                raise TypeError("it is not a JSON object")
            unknown = set(data) - {field.name for field in fields(cls)}
            if unknown:
                raise TypeError(f"unknown fields {sorted(unknown)}")
            maps = tuple(
                AnchorMap(cells=anchor_map["cells"], sizes=tuple(anchor_map["sizes"]))
                for anchor_map in data.pop("anchor_maps")
            )
            if "keypoint_names" in data:
                data["keypoint_names"] = tuple(str(name) for name in data["keypoint_names"])
            return cls(anchor_maps=maps, **data)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise BlazeFaceError(
                f"{source}: its ModelSpec metadata cannot be read: {printable(str(error))}"
            ) from error
        except BlazeFaceError as error:
            raise BlazeFaceError(f"{source}: {error}") from error


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e30 < value < 1e30


def _is_label(value: object) -> bool:
    """Whether a text can stand in a sentence, in the head of a table and in a terminal as it is."""
    return isinstance(value, str) and len(value) <= 100 and value.isprintable()


def _scaled(input_size: int, pixels: tuple[int, ...]) -> tuple[float, ...]:
    return tuple(side / input_size for side in pixels)


OUR_BLEND_IOU = 0.5
"""Chosen on training pictures (benchmarks/accuracy/blend_iou.py): boxes and keypoints are sharper than with Google's 0.3, and no
face is shown twice."""

FRONT_128 = ModelSpec(
    name="front-128",
    input_size=128,
    # 2 x 16 x 16 + 6 x 8 x 8 = 896 anchors; the sizes are spaced so that every face from 8 px up
    # has one of similar size, on either side of the step from one map to the other as well.
    anchor_maps=(
        AnchorMap(16, _scaled(128, (9, 18))),
        AnchorMap(8, _scaled(128, (28, 38, 50, 66, 86, 110))),
    ),
    decode_scale=128.0,
    blend_iou=OUR_BLEND_IOU,
)

BACK_256 = ModelSpec(
    name="back-256",
    input_size=256,
    # Strides of 8, 16 and 32: 3,072 anchors.
    anchor_maps=(
        AnchorMap(32, _scaled(256, (9, 18))),
        AnchorMap(16, _scaled(256, (28, 40, 56))),
        AnchorMap(8, _scaled(256, (78, 108, 150, 216))),
    ),
    decode_scale=256.0,
    blend_iou=OUR_BLEND_IOU,
)

TINY_96 = ModelSpec(
    name="tiny-96",
    input_size=96,
    # 2 x 12 x 12 + 5 x 6 x 6 = 468 anchors: front-128's but for the largest, which is as large as the input here.
    anchor_maps=(
        AnchorMap(12, _scaled(96, (9, 18))),
        AnchorMap(6, _scaled(96, (28, 38, 50, 66, 86))),
    ),
    decode_scale=96.0,
    blend_iou=OUR_BLEND_IOU,
)

PAPER_128 = replace(FRONT_128, name="paper-128")
"""The network of the paper under front-128's anchors."""

DENSE_MIDDLE_128 = replace(PAPER_128, name="dense-middle-128")
"""The paper's network as a well-known PyTorch text writes it, for comparison."""

# Google's released networks: strides, scales and thresholds are those of MediaPipe's graphs for them.
# Anchor sizes steer fine-tuning only. They lie near the sizes of face at which each anchor of a cell answers
# (benchmarks/training/anchor_sizes.py), so that fine-tuning goes on from what the network knows; but the first anchor
# of short-range, which answers the same faces as the second, is set to smaller ones.
SHORT_RANGE = ModelSpec(
    name="short-range",
    input_size=128,
    anchor_maps=(
        AnchorMap(16, _scaled(128, (10, 24))),
        AnchorMap(8, _scaled(128, (47, 61, 76, 87, 99, 110))),
    ),
    decode_scale=128.0,
    resampling="corner",
)

BACK_CAMERA = ModelSpec(
    name="back-camera",
    input_size=256,
    anchor_maps=(
        AnchorMap(16, _scaled(256, (22, 48))),
        AnchorMap(8, _scaled(256, (102, 136, 154, 174, 190, 216))),
    ),
    decode_scale=256.0,
    score_threshold=0.65,
    resampling="corner",
)

FULL_RANGE_DENSE = ModelSpec(
    name="full-range-dense",
    input_size=192,
    anchor_maps=(AnchorMap(48, _scaled(192, (24,))),),
    decode_scale=192.0,
    score_threshold=0.6,
    resampling="corner",
)

# Other families of networks at the cost of front-128, under the same anchors, for comparison.
LIGHT_FAMILY = tuple(
    replace(PAPER_128, name=f"{family}-128")
    for family in ("squeezenet", "mobilenet-v1", "mobilenet-v2", "shufflenet", "xception", "xception-aligned")
)

NAMED_SPECS = {
    spec.name: spec
    for spec in (
        FRONT_128,
        BACK_256,
        TINY_96,
        PAPER_128,
        DENSE_MIDDLE_128,
        SHORT_RANGE,
        BACK_CAMERA,
        FULL_RANGE_DENSE,
        *LIGHT_FAMILY,
    )
}


def named_spec(name: str) -> ModelSpec:
    """The spec of a named model; an unknown name is an error that lists the known ones."""
    if name not in NAMED_SPECS:
        raise BlazeFaceError(f"unknown model {name!r}: the named models are {', '.join(sorted(NAMED_SPECS))}")
    return NAMED_SPECS[name]
