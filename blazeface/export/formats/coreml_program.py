"""The program of a Core ML package, computed by PyTorch: a second reading of what was written, for where Core ML itself
does not run. Only the operators that our networks become are here; their meaning is that of Apple's published MIL."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from blazeface.errors import BlazeFaceError

# Where Core ML does not run, each import says so three times.
logging.getLogger("coremltools").setLevel(logging.ERROR)
import coremltools as coremltools  # noqa: E402  (under its own name: others import it from here)
from coremltools.converters.mil.frontend.milproto.load import load  # noqa: E402


@torch.inference_mode()
def run_program(model: Any, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """model: a coremltools MLModel whose weights lie on disk. Gives its outputs by name, in float32.

    Numbers of float16 are kept as such between operators and widened inside each.
    Raises BlazeFaceError for an operator that is not known here.
    """
    spec = model.get_spec()
    main = load(spec, spec.specificationVersion, model.weights_dir).functions["main"]
    values: dict[str, Any] = dict(inputs)
    for step in main.operations:
        if step.op_type == "const":
            continue
        known = {key: _value(part, values) for key, part in step.inputs.items() if part is not None}
        results = _compute(step.op_type, known)
        for output, result in zip(step.outputs, results, strict=True):
            values[output.name] = result
    return {output.name: values[output.name].float() for output in main.outputs}


def _value(part: Any, values: Mapping[str, Any]) -> Any:
    """An input: a constant of the program, something computed before, or a list of those."""
    if isinstance(part, (list, tuple)):
        return [_value(entry, values) for entry in part]
    if part.name in values:
        return values[part.name]
    if isinstance(part.val, np.ndarray) and part.val.dtype.kind == "f":
        return torch.from_numpy(part.val.copy())
    return part.val


def _compute(kind: str, x: dict[str, Any]) -> list[Tensor]:
    half = any(isinstance(value, Tensor) and value.dtype == torch.float16 for value in x.values())
    wide = {key: value.float() if isinstance(value, Tensor) else value for key, value in x.items()}
    if "values" in wide:
        half = any(value.dtype == torch.float16 for value in wide["values"])
        wide["values"] = [value.float() for value in wide["values"]]
    results = _operator(kind, wide)
    if kind == "cast":
        return [result.to({"fp16": torch.float16, "fp32": torch.float32}[str(x["dtype"])]) for result in results]
    return [result.half() if half else result for result in results]


def _operator(kind: str, x: dict[str, Any]) -> list[Tensor]:
    match kind:
        case "cast" | "identity":
            return [x["x"]]
        case "add":
            return [x["x"] + x["y"]]
        case "mul":
            return [x["x"] * x["y"]]
        case "relu":
            return [F.relu(x["x"])]
        case "conv":
            padded = _padded(x["x"], x, 0.0)
            numbers = [_ints(x[key]) for key in ("strides", "dilations")]
            return [F.conv2d(padded, x["weight"], x.get("bias"), numbers[0], 0, numbers[1], int(x["groups"]))]
        case "max_pool":
            padded = _padded(x["x"], x, float("-inf"))
            return [
                F.max_pool2d(padded, _ints(x["kernel_sizes"]), _ints(x["strides"]), ceil_mode=bool(x["ceil_mode"]))
            ]
        case "avg_pool":
            kernel, strides = _ints(x["kernel_sizes"]), _ints(x["strides"])
            ones = torch.ones_like(x["x"])
            total, count = (F.avg_pool2d(_padded(value, x, 0.0), kernel, strides) for value in (x["x"], ones))
            return [total / count if x["exclude_padding_from_average"] else total]
        case "pad":
            pairs = np.asarray(x["pad"]).reshape(-1, 2)[::-1]  # PyTorch begins with the last axis
            return [
                F.pad(x["x"], [int(number) for number in pairs.ravel()], value=float(x.get("constant_val", 0)))
            ]
        case "transpose":
            return [x["x"].permute(_ints(x["perm"]))]
        case "reshape":
            return [x["x"].reshape(_ints(x["shape"]))]
        case "concat":
            return [torch.cat(x["values"], int(x["axis"]))]
        case "split":
            return list(x["x"].split(_ints(x["split_sizes"]), int(x["axis"])))
        case "upsample_bilinear":
            factors = [float(x["scale_factor_height"]), float(x["scale_factor_width"])]
            size = [int(n * factor) for n, factor in zip(x["x"].shape[2:], factors, strict=True)]
            return [F.interpolate(x["x"], size, mode="bilinear", align_corners=bool(x["align_corners"]))]
    raise BlazeFaceError(f"its program has the operator {kind}, whose result cannot be checked here")


def _padded(value: Tensor, x: dict[str, Any], fill: float) -> Tensor:
    """As pad_type says: "valid" not at all; "custom" by top, bottom, left, right."""
    if str(x["pad_type"]) == "valid":
        return value
    if str(x["pad_type"]) != "custom":
        raise BlazeFaceError(f"its program has padding of type {x['pad_type']}, which cannot be checked here")
    top, bottom, left, right = _ints(x["pad"])
    return F.pad(value, [left, right, top, bottom], value=fill)


def _ints(values: Any) -> list[int]:
    return [int(value) for value in np.asarray(values).ravel()]
