"""The auxiliary networks (refinement, segmentation, classifiers) as ONNX, verified against PyTorch before they are written."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import onnxslim
import torch
from torch import nn

from blazeface.errors import BlazeFaceError
from blazeface.export.formats.onnx import strip_origin, without_exporter_noise
from blazeface.export.formats.onnx_opset import WRITTEN, set_opset
from blazeface.files.staged import staged_file, write_errors
from blazeface.models.refine import fold_all
from blazeface.version import __version__

LIMIT = 1e-4
"""Largest difference of an output that passes, relative to the largest output where that is more than one."""


def export_auxiliary(
    network: nn.Module, path: Path, size: int, names: tuple[str, str], metadata: Mapping[str, str], about: str
) -> float:
    """Write a network of one square RGB input and one output as ONNX; the largest difference from PyTorch.

    names: of input (batch, 3, size, size) and output. about: what the file says of itself. The batch norms of
    `conv_norm` are folded. The file appears whole or not at all. Raises BlazeFaceError where the answers on noise
    differ by more than LIMIT.
    """
    plain = network.float().cpu().eval()
    crops = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (5, 3, size, size)).astype(np.float32))
    folded = copy.deepcopy(plain).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    fold_all(folded)
    with torch.inference_mode():
        expected = plain(crops).numpy()
    with write_errors(path), staged_file(path) as part:
        model = _graph(folded, size, names)
        model.graph.name, model.doc_string = path.stem, about
        onnx.helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        part.write_bytes(model.SerializeToString(deterministic=True))
        session = onnxruntime.InferenceSession(str(part), providers=["CPUExecutionProvider"])
        found = np.asarray(session.run([names[1]], {names[0]: crops.numpy()})[0])
        difference = float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max()))
        if not difference <= LIMIT:
            raise BlazeFaceError(f"{path}: not written: onnxruntime and PyTorch differ by {difference:.1e}")
    return difference


def _graph(network: nn.Module, size: int, names: tuple[str, str]) -> onnx.ModelProto:
    with without_exporter_noise():
        program = torch.onnx.export(
            network,
            (torch.zeros(2, 3, size, size),),
            dynamo=True,
            external_data=False,
            opset_version=WRITTEN,
            input_names=[names[0]],
            output_names=[names[1]],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
        assert program is not None
        model: onnx.ModelProto = onnxslim.slim(program.model_proto)
    strip_origin(model)
    set_opset(model)
    model.producer_name, model.producer_version = "blazeface", __version__
    return model
