"""Training of the second stage (`models.refine`) on face crops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from blazeface.crop import CropSpec, normalised
from blazeface.data.face_crops import FaceCrops, Jitter, jittered
from blazeface.errors import BlazeFaceError
from blazeface.models.refine import SecondStage, build_refine, lightened_refine
from blazeface.training.loop import Model
from blazeface.training.tasks.train import EpochOrder, TaskConfig, train_task

TRUST = torch.tensor([0.0, 0.5, 1.0])
"""Weight of a keypoint in the loss by its visibility: unknown, predicted by a teacher, annotated by a person."""


def refine_config(
    kind: str, epochs: int = 30, batch: int = 64, warmup: int = 200, ema: float = 0.998, seed: int = 0
) -> TaskConfig:
    """The recipe of the second stage, of one of `models.refine.KINDS`."""
    return TaskConfig("refine", kind, epochs, batch, warmup=warmup, ema=ema, seed=seed)


def train_refine(
    crops: FaceCrops,
    config: TaskConfig,
    out: Path,
    log: Callable[[str], None] = print,
    init: SecondStage | None = None,
) -> SecondStage | None:
    """See `train.train_task`. init: a trained network to start from, made light for another kind than its own."""

    def loss(model: Model, batch: tuple[Tensor, ...]) -> Tensor:
        images, points, weights = batch
        return keypoint_loss(model(images).float(), points, weights, config.beta)

    def initial() -> SecondStage:
        if init is None:
            return build_refine(config.kind)
        if init.kind == config.kind:
            return init
        if config.kind != "separable":
            raise BlazeFaceError(f"--init: a {init.kind} second stage cannot be the start of a {config.kind} one")
        return lightened_refine(init)

    return train_task(
        initial, len(crops), refine_batches(crops, config.batch, config.seed), loss, config, out, log
    )


def refine_batches(crops: FaceCrops, batch: int, seed: int) -> Callable[[int], tuple[Tensor, ...]]:
    """The function that makes the batch of a step: images (B, 3, S, S), keypoints (B, 6, 2), weights (B, 6)."""
    spec, order = CropSpec(), EpochOrder(len(crops), seed)

    def batches(step: int) -> tuple[Tensor, ...]:
        made = [
            jittered(crops, order[position], spec, Jitter(), np.random.default_rng([seed, position]))
            for position in range(step * batch, (step + 1) * batch)
        ]
        images, points, visibility = (np.stack(part) for part in zip(*made, strict=True))
        weights = TRUST[torch.from_numpy(visibility).long()]
        return torch.from_numpy(normalised(images, spec)), torch.from_numpy(points), weights

    return batches


def keypoint_loss(found: Tensor, expected: Tensor, weights: Tensor, beta: float) -> Tensor:
    """Pseudo-Huber distance, mean over keypoints inside the crop: (B, 6, 2) twice, weights (B, 6) -> scalar.

    sqrt(1 + (d / beta)^2) - 1: about d / beta, the distance that evaluation measures, but smooth where d is small.
    """
    inside = ((expected > 0) & (expected < 1)).all(dim=2) * weights
    distance = ((found - expected) / beta).square().sum(dim=2)
    return (((1 + distance).sqrt() - 1) * inside).sum() / inside.sum().clamp(min=1)
