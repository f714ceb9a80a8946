"""onnxruntime, the default: runs anywhere, needs nothing but numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from blazeface.errors import BlazeFaceError
from blazeface.spec import METADATA_KEY, ModelSpec


class OnnxBackend:
    """An ONNX file with a ModelSpec in its metadata (see `Backend`)."""

    def __init__(self, path: Path, threads: int):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A tiny network finishes before spinning threads would pay; spinning only burns the user's CPU.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises a different class for each kind of damage
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BlazeFaceError(f"{path}: onnxruntime cannot load it: {reason}") from error
        metadata = self._session.get_modelmeta().custom_metadata_map
        if METADATA_KEY not in metadata:
            raise BlazeFaceError(f"{path}: it has no {METADATA_KEY} metadata, so it was not exported by blazeface")
        self.spec = ModelSpec.from_json(metadata[METADATA_KEY], str(path))
        self._input = self._check_shapes(path)

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        logits, regressions = self._session.run(["logits", "regressions"], {self._input: batch})
        return np.asarray(logits), np.asarray(regressions)

    def _check_shapes(self, path: Path) -> str:
        """Refuse a file whose tensors are not what its ModelSpec promises; give the input's name."""
        spec = self.spec
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        expected = {
            "image": [3, spec.input_size, spec.input_size],
            "logits": [spec.num_anchors],
            "regressions": [spec.num_anchors, spec.num_coords],
        }
        found = {tensor.name: list(tensor.shape[1:]) for tensor in (*inputs, *outputs)}
        if found != expected:
            raise BlazeFaceError(
                f"{path}: its ModelSpec promises tensors {expected}, but the file has {found} (batch axis left out)"
            )
        return str(inputs[0].name)
