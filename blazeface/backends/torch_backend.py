"""PyTorch, where it is installed: for looking at weights before they are exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blazeface.models.weights import load_weights


class TorchBackend:
    """A safetensors file (see `Backend`)."""

    def __init__(self, path: Path, threads: int):
        if threads:
            torch.set_num_threads(threads)
        self._network = load_weights(path).eval()
        self.spec = self._network.spec
        self.input_multiple: int | None = max(self._network.layout.strides)

    @torch.inference_mode()
    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        logits, regressions = self._network(torch.from_numpy(batch))
        return logits.numpy(), regressions.numpy()
