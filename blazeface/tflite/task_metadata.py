"""The TFLITE_METADATA buffer, in which MediaPipe's Tasks look for how to normalise a picture.

Its tables and the places of their fields are those of TensorFlow Lite's metadata_schema.fbs. LiteRT
ships no code for it, so the few tables needed are written field by field.
"""

from __future__ import annotations

import flatbuffers

from blazeface.spec import ModelSpec

MARK = b"M001"
IMAGE_PROPERTIES = 2  # of the union ContentProperties
RGB = 1  # of the enum ColorSpaceType
NORMALIZATION = 1  # of the union ProcessUnitOptions


def task_metadata(spec: ModelSpec, licence: str = "") -> bytes:
    """An RGB image, normalised by (value - mean) / std, in; regressors and classificators out. licence: of the weights."""
    builder = flatbuffers.Builder(1024)
    image = _tensor(
        builder,
        "image",
        content=_table(builder, 3, {0: ("byte", IMAGE_PROPERTIES), 1: _table(builder, 2, {0: ("byte", RGB)})}),
        units=_vector(builder, [_normalization(builder, spec)]),
    )
    outputs = [_tensor(builder, name) for name in ("regressors", "classificators")]
    graph = _table(builder, 4, {2: _vector(builder, [image]), 3: _vector(builder, outputs)})
    name = builder.CreateString(spec.name)
    graphs, terms = _vector(builder, [graph]), builder.CreateString(licence) if licence else 0
    builder.Finish(_table(builder, 6, {0: name, 3: graphs, 5: terms}), MARK)
    return bytes(builder.Output())


def _normalization(builder: flatbuffers.Builder, spec: ModelSpec) -> int:
    options = _table(builder, 2, {0: _floats(builder, [spec.mean]), 1: _floats(builder, [spec.std])})
    return _table(builder, 2, {0: ("byte", NORMALIZATION), 1: options})


def _tensor(builder: flatbuffers.Builder, name: str, content: int = 0, units: int = 0) -> int:
    return _table(builder, 5, {0: builder.CreateString(name), 3: content, 4: units})


def _table(builder: flatbuffers.Builder, fields: int, values: dict[int, int | tuple[str, int]]) -> int:
    """A table; each value is the offset of another object (0: left out), or ("byte", number)."""
    builder.StartObject(fields)
    for slot, value in values.items():
        if isinstance(value, tuple):
            builder.PrependUint8Slot(slot, value[1], 0)
        elif value:
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
    return int(builder.EndObject())


def _vector(builder: flatbuffers.Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _floats(builder: flatbuffers.Builder, values: list[float]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return int(builder.EndVector())
