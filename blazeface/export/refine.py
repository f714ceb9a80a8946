"""The second stage as ONNX, held against PyTorch before it is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxslim
import torch

from blazeface.crop import CROP_KEY
from blazeface.errors import BlazeFaceError
from blazeface.export.onnx import OPSET, _quiet, _strip
from blazeface.files.whole import beside, cannot_write
from blazeface.models.refine import RefineNet
from blazeface.refine import KeypointRefiner
from blazeface.version import __version__

LIMIT = 1e-4
"""Largest difference of a coordinate, in sides of the crop, that passes."""


def export_refine(network: RefineNet, path: Path) -> float:
    """Write the ONNX file that `KeypointRefiner` reads; the largest difference from PyTorch, in sides of the crop.

    Input "crops" (batch, 3, S, S) float32, output "keypoints" (batch, 6, 2). The file appears whole or not at all.
    Raises BlazeFaceError where the answers on crops of noise differ by more than LIMIT.
    """
    size = network.spec.size
    plain = network.eval().cpu()
    crops = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (5, 3, size, size)).astype(np.float32))
    try:
        with beside(path) as part:
            part.write_bytes(to_onnx(network).SerializeToString(deterministic=True))
            with torch.inference_mode():
                wanted = plain(crops.to(memory_format=torch.contiguous_format)).numpy()
            difference = float(np.abs(KeypointRefiner(part).run(crops.numpy()) - wanted).max())
            if not difference <= LIMIT:
                raise BlazeFaceError(f"{path}: not written: onnxruntime and PyTorch differ by {difference:.1e}")
    except OSError as error:
        raise cannot_write(path, error) from error
    return difference


def to_onnx(network: RefineNet) -> onnx.ModelProto:
    """The graph of a network, batch norm folded, any batch size."""
    spec = network.spec
    folded = network.folded().float().cpu().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    with _quiet():
        program = torch.onnx.export(
            folded,
            (torch.zeros(2, 3, spec.size, spec.size),),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=["crops"],
            output_names=["keypoints"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
        assert program is not None
        model: onnx.ModelProto = onnxslim.slim(program.model_proto)
    _strip(model)
    model.graph.name = f"refine-{network.kind}"
    model.producer_name, model.producer_version = "blazeface", __version__
    model.doc_string = (
        f"Six face keypoints. crops: (batch, 3, {spec.size}, {spec.size}) float32, RGB, (value - {spec.mean:g}) /"
        f" {spec.std:g}: squares of {spec.context:g} box sides, level with the eyes. keypoints: (batch, 6, 2), x y in"
        " units of the crop's side."
    )
    onnx.helper.set_model_props(model, {CROP_KEY: spec.to_json()})
    onnx.checker.check_model(model, full_check=True)
    return model
