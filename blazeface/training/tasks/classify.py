"""Training of the classifiers (`models.light.classifiers`) on labelled pictures of one size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from blazeface.models.light.classifiers import Classifier
from blazeface.training.loop import Model
from blazeface.training.tasks.train import EpochOrder, TaskConfig, train_task


def train_classifier(
    initial: Callable[[], Classifier],
    images: NDArray[np.float32],
    classes: NDArray[np.int64],
    config: TaskConfig,
    out: Path,
    log: Callable[[str], None] = print,
) -> Classifier | None:
    """See `train.train_task`. images: (N, 3, H, W), sides divisible by 32, as the network takes them. classes: (N,).
    Pictures are mirrored half the time."""
    order = EpochOrder(len(images), config.seed)

    def batches(step: int) -> tuple[Tensor, ...]:
        """Images (B, 3, H, W) and classes (B,)."""
        positions = range(step * config.batch, (step + 1) * config.batch)
        chosen = [order[position] for position in positions]
        mirrored = [np.random.default_rng([config.seed, position]).random() < 0.5 for position in positions]
        batch = torch.from_numpy(images[chosen])
        flip = torch.tensor(mirrored).view(-1, 1, 1, 1)
        return torch.where(flip, batch.flip(-1), batch), torch.from_numpy(classes[chosen])

    def loss(model: Model, batch: tuple[Tensor, ...]) -> Tensor:
        pictures, expected = batch
        return F.cross_entropy(model(pictures).float(), expected)

    return train_task(initial, len(images), batches, loss, config, out, log)
