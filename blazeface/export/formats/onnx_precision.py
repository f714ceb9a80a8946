"""A float32 ONNX graph in float16 or int8. What goes in and comes out stays float32."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from tqdm import tqdm

from blazeface.detector import prepare
from blazeface.errors import BlazeFaceError
from blazeface.geometry import Image
from blazeface.spec import ModelSpec

LARGEST_FLOAT16 = 65504.0


def to_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights and arithmetic in float16, a Cast at each border. Raises BlazeFaceError for weights beyond its range."""
    from onnxconverter_common import float16

    for tensor in model.graph.initializer:
        floats = tensor.data_type == onnx.TensorProto.FLOAT
        if floats and np.abs(onnx.numpy_helper.to_array(tensor)).max(initial=0) > LARGEST_FLOAT16:
            raise BlazeFaceError(f"{tensor.name} holds numbers beyond float16's range: export as float32")
    converted: onnx.ModelProto = float16.convert_float_to_float16(model, keep_io_types=True)
    return converted


def to_int8(
    model: onnx.ModelProto, spec: ModelSpec, pictures: Sequence[Image], floating: Sequence[str]
) -> onnx.ModelProto:
    """Static quantisation by onnxruntime: QuantizeLinear and DequantizeLinear around each operation, weights int8
    with a scale for each output channel, activations uint8 by their ranges on `pictures`.

    floating: names of the nodes that stay in float32. (uint8, since onnxruntime's kernels for int8 activations take
    more than twice as long on x86.)
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    root = logging.getLogger()
    before, root.level = root.level, logging.ERROR  # it advises a step of preparation that onnxslim has done
    try:
        with tempfile.TemporaryDirectory(prefix="blazeface-") as folder:
            source, target = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
            source.write_bytes(model.SerializeToString(deterministic=True))
            quantize_static(
                str(source),
                str(target),
                _Reader(pictures, spec, _batch(model)),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                nodes_to_exclude=list(floating),
            )
            quantised: onnx.ModelProto = onnx.load(str(target))
    finally:
        root.level = before
    return quantised


def _batch(model: onnx.ModelProto) -> int:
    """Pictures that the file takes at once, 1 where it takes any number."""
    return int(model.graph.input[0].type.tensor_type.shape.dim[0].dim_value) or 1


class _Reader:
    """Pictures as onnxruntime's calibration asks for them: one set of inputs a call, None at the end."""

    def __init__(self, pictures: Sequence[Image], spec: ModelSpec, batch: int):
        self._inputs = self._each(pictures, spec, batch)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._inputs, None)

    def _each(self, pictures: Sequence[Image], spec: ModelSpec, batch: int) -> Iterator[dict[str, NDArray[Any]]]:
        starts = range(0, len(pictures), batch)
        for start in tqdm(starts, desc="calibrating", unit="batch", leave=False, disable=None):
            part = [prepare(picture, spec)[0] for picture in pictures[start : start + batch]]
            yield {"image": np.stack([part[i % len(part)] for i in range(batch)])}  # the last one is filled up
