"""Training of the second stage (`models.refine`) on face crops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from blazeface.crop import CropSpec
from blazeface.data.face_crops import FaceCrops, Jitter, jittered
from blazeface.models.refine import RefineNet, build_refine
from blazeface.training.small import Orders, SmallConfig, train_small


def refine_config(
    kind: str, epochs: int = 30, batch: int = 64, warmup: int = 200, ema: float = 0.998, seed: int = 0
) -> SmallConfig:
    """The recipe of the second stage, "dense" or "separable"."""
    return SmallConfig("refine", kind, epochs, batch, warmup=warmup, ema=ema, seed=seed)


def train_refine(
    crops: FaceCrops, config: SmallConfig, out: Path, log: Callable[[str], None] = print
) -> RefineNet | None:
    """See `small.train_small`."""
    spec, orders = CropSpec(), Orders(len(crops), config.seed)

    def lessons(step: int) -> tuple[Tensor, ...]:
        """Images (B, 3, S, S), keypoints (B, 6, 2), known (B, 6)."""
        made = [
            jittered(crops, orders[position], spec, Jitter(), np.random.default_rng([config.seed, position]))
            for position in range(step * config.batch, (step + 1) * config.batch)
        ]
        images, points, visibility = (np.stack(part) for part in zip(*made, strict=True))
        planes = torch.from_numpy(np.ascontiguousarray(images[..., ::-1])).permute(0, 3, 1, 2).float()
        return (planes - spec.mean) / spec.std, torch.from_numpy(points), torch.from_numpy(visibility > 0)

    def loss_of(network: RefineNet, batch: tuple[Tensor, ...]) -> Tensor:
        images, points, known = batch
        return keypoint_loss(network(images), points, known, config.beta)

    return train_small(lambda: build_refine(config.kind), len(crops), lessons, loss_of, config, out, log)


def keypoint_loss(found: Tensor, wanted: Tensor, known: Tensor, beta: float) -> Tensor:
    """Smooth L1 over known keypoints inside the crop, in units of `beta`: (B, 6, 2) twice, (B, 6) bool -> scalar."""
    inside = ((wanted > 0) & (wanted < 1)).all(dim=2) & known
    error = F.smooth_l1_loss(found, wanted, reduction="none", beta=beta).sum(dim=2) / beta
    return (error * inside).sum() / inside.sum().clamp(min=1)
