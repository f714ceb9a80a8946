"""ModelSpec: a model file describes itself, and lies are refused."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blazeface.errors import BlazeFaceError
from blazeface.spec import BACK_256, FRONT_128, KEYPOINT_MIRROR, KEYPOINT_NAMES, AnchorMap, ModelSpec, named_spec


def test_the_named_models() -> None:
    assert FRONT_128.num_anchors == 2 * 16 * 16 + 6 * 8 * 8 == 896
    assert FRONT_128.num_coords == 16
    assert BACK_256.num_anchors == 2 * 32 * 32 + 4 * 16 * 16 == 3072
    assert named_spec("front-128") is FRONT_128
    with pytest.raises(BlazeFaceError, match=r"unknown model 'front': the named models are back-256, .*front-128"):
        named_spec("front")


def test_the_keypoints_come_in_the_published_order() -> None:
    """Every exported file, label file and the page rely on it: right and left are the person's own."""
    assert KEYPOINT_NAMES == ("right_eye", "left_eye", "nose_tip", "mouth_center", "right_ear", "left_ear")


def test_mirroring_swaps_right_and_left_and_nothing_else() -> None:
    def other(name: str) -> str:
        return name.replace("right", "LEFT").replace("left", "right").replace("LEFT", "left")

    assert [KEYPOINT_NAMES[i] for i in KEYPOINT_MIRROR] == [other(name) for name in KEYPOINT_NAMES]


@pytest.mark.parametrize("spec", [FRONT_128, BACK_256])
def test_json_round_trip(spec: ModelSpec) -> None:
    assert ModelSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input_size", 0),
        ("input_size", 128.5),
        ("input_size", 100_000),
        ("input_size", True),
        ("decode_scale", float("nan")),
        ("decode_scale", -1.0),
        ("std", 0),
        ("mean", float("inf")),
        ("score_threshold", 1.5),
        ("blend_iou", -0.1),
        ("resampling", "lanczos"),
        ("anchor_maps", ()),
        ("anchor_maps", (AnchorMap(0, (0.1,)),)),
        ("anchor_maps", (AnchorMap(10**6, (0.1,)),)),
        ("anchor_maps", (AnchorMap(8, ()),)),
        ("anchor_maps", (AnchorMap(8, (0.0,)),)),
        ("anchor_maps", (AnchorMap(8, (4.1,)),)),
        ("anchor_maps", (AnchorMap(8, (float("nan"),)),)),
    ],
)
def test_impossible_numbers_are_refused_by_the_field_s_name(field: str, value: Any) -> None:
    with pytest.raises(BlazeFaceError, match=f"ModelSpec.{field}"):
        dataclasses.replace(FRONT_128, **{field: value})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"name": "x"}',
        "[" * 100_000,
        '{"anchor_maps": 3}',
        '{"anchor_maps": [{"cells": 1}]}',
    ],
)
def test_a_damaged_text_names_the_file(text: str) -> None:
    with pytest.raises(BlazeFaceError, match=r"^some\.onnx: "):
        ModelSpec.from_json(text, "some.onnx")


def test_unknown_fields_are_refused() -> None:
    data = json.loads(FRONT_128.to_json()) | {"colour": "BGR"}
    with pytest.raises(BlazeFaceError, match=r"unknown fields .*colour"):
        ModelSpec.from_json(json.dumps(data))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: (
            st.lists(x) | st.dictionaries(st.sampled_from([f.name for f in dataclasses.fields(ModelSpec)]), x)
        ),
    )
)
def test_any_json_gives_a_spec_or_a_sentence(data: object) -> None:
    try:
        ModelSpec.from_json(json.dumps(data))
    except BlazeFaceError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    "name", ["", "../x", "/etc/x", "a\\b", "a\nb", "\x1b]0;x\x07", "x" * 101, None, ["a"], {"a": 1}, "\u202ea"]
)
def test_a_name_from_a_file_is_no_path_and_nothing_that_a_terminal_obeys(name: Any) -> None:
    data = json.loads(FRONT_128.to_json()) | {"name": name}
    with pytest.raises(BlazeFaceError, match=r"^x: ModelSpec\.name must be a short line of text") as error:
        ModelSpec.from_json(json.dumps(data), "x")
    assert str(error.value).isprintable()


@pytest.mark.parametrize("names", [["a\nb"] * 6, ["\x1b[2J"], ["x"] * 501, ["y" * 101]])
def test_names_of_points_are_lines_of_text(names: list[str]) -> None:
    data = json.loads(FRONT_128.to_json()) | {"keypoint_names": names}
    with pytest.raises(BlazeFaceError, match=r"^x: ModelSpec\.keypoint_names must be up to 500 short lines"):
        ModelSpec.from_json(json.dumps(data), "x")
