"""The auxiliary networks (refinement, segmentation, classifiers, networks of users) as ONNX and TensorFlow Lite, verified
against PyTorch before they are written."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import onnxslim
import torch
from numpy.typing import NDArray
from torch import nn

from blazeface.errors import BlazeFaceError, install_command
from blazeface.export.formats.onnx import strip_origin, without_exporter_noise
from blazeface.export.formats.onnx_opset import WRITTEN, set_opset
from blazeface.export.onnx_to_tflite import onnx_to_tflite
from blazeface.files.staged import staged_file, write_errors
from blazeface.models.blocks import fold_all
from blazeface.tflite.writer import model_bytes
from blazeface.version import __version__

LIMIT = 1e-4
"""Largest difference of an output that passes, relative to the largest output where that is more than one."""


def export_auxiliary(
    network: nn.Module, path: Path, size: int, names: tuple[str, str], metadata: Mapping[str, str], about: str
) -> float:
    """Write a network of one square RGB input (batch, 3, size, size) as ONNX: see `export_onnx`."""
    return export_onnx(network, path, (3, size, size), names, metadata, about)


def export_onnx(
    network: nn.Module,
    path: Path,
    shape: Sequence[int],
    names: tuple[str, str],
    metadata: Mapping[str, str],
    about: str,
) -> float:
    """Write a network of one input and one output as ONNX; the largest difference from PyTorch.

    shape: of the input, without the batch. names: of input and output. about: what the file says of itself. The batch norms
    of `conv_norm` are folded. The file appears whole or not at all. Raises BlazeFaceError where the answers on noise
    differ by more than LIMIT.
    """
    plain, folded = _inference_copies(network)
    inputs = _noise(shape, 5)
    with torch.inference_mode():
        expected = plain(torch.from_numpy(inputs)).numpy()
    with write_errors(path), staged_file(path) as part:
        model = _graph(folded, shape, names, 2)
        model.graph.name, model.doc_string = path.stem, about
        onnx.helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        part.write_bytes(model.SerializeToString(deterministic=True))
        session = onnxruntime.InferenceSession(str(part), providers=["CPUExecutionProvider"])
        return _agreed(np.asarray(session.run([names[1]], {names[0]: inputs})[0]), expected, path, "onnxruntime")


def export_tflite(
    network: nn.Module,
    path: Path,
    shape: Sequence[int],
    names: tuple[str, str],
    metadata: Mapping[str, str],
    about: str,
) -> float:
    """Write a network of one input and one output as TensorFlow Lite, for a batch of one; the largest difference from PyTorch.

    As `export_onnx`, whose graph is converted; inputs and outputs of four axes are NHWC in the file. Raises BlazeFaceError for
    an operation that is not converted (`onnx_to_tflite`), and where the package ai-edge-litert is missing.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise BlazeFaceError(
            f"{path}: not written: checking it needs LiteRT: {install_command('tflite')}"
        ) from error
    plain, folded = _inference_copies(network)
    inputs = _noise(shape, 1)
    with torch.inference_mode():
        expected = plain(torch.from_numpy(inputs)).numpy()
    with write_errors(path), staged_file(path) as part:
        graph = _graph(folded, shape, names, 1)
        graph.graph.name = path.stem
        try:
            part.write_bytes(model_bytes(onnx_to_tflite(graph, about, metadata)))
        except BlazeFaceError as error:
            raise BlazeFaceError(f"{path}: not written: {error}") from error
        interpreter = Interpreter(str(part), num_threads=1)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], as_nhwc(inputs))
        interpreter.invoke()
        found = np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
        return _agreed(found, as_nhwc(expected), path, "LiteRT")


def as_nhwc(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """NCHW maps as NHWC; anything else as it is."""
    return np.ascontiguousarray(values.transpose(0, 2, 3, 1)) if values.ndim == 4 else values


def _inference_copies(network: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The network itself in eval mode on the CPU, and a copy with its batch norms folded."""
    plain = network.float().cpu().eval()
    folded = copy.deepcopy(plain).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    fold_all(folded)
    return plain, folded


def _noise(shape: Sequence[int], batch: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-1, 1, (batch, *shape)).astype(np.float32)


def _agreed(found: NDArray[np.float32], expected: NDArray[np.float32], path: Path, runtime: str) -> float:
    difference = float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max()))
    if not difference <= LIMIT:
        raise BlazeFaceError(f"{path}: not written: {runtime} and PyTorch differ by {difference:.1e}")
    return difference


def _graph(network: nn.Module, shape: Sequence[int], names: tuple[str, str], batch: int) -> onnx.ModelProto:
    """batch: 1 for a fixed one, 2 for any."""
    with without_exporter_noise():
        program = torch.onnx.export(
            network,
            (torch.zeros(batch, *shape),),
            dynamo=True,
            external_data=False,
            opset_version=WRITTEN,
            input_names=[names[0]],
            output_names=[names[1]],
            dynamic_shapes=({0: torch.export.Dim("batch")},) if batch > 1 else None,
            verbose=False,
        )
        assert program is not None
        model: onnx.ModelProto = onnxslim.slim(program.model_proto)
    strip_origin(model)
    set_opset(model)
    model.producer_name, model.producer_version = "blazeface", __version__
    return model
