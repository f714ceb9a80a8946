"""Training and scoring of the small networks (`models.light.segmenters`) that tell faces from background."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blazeface.data.face_masks import MaskedPictures
from blazeface.models.light.segmenters import build_segmenter
from blazeface.training.loop import Model
from blazeface.training.tasks.train import EpochOrder, TaskConfig, train_task

MEAN = STD = 127.5


def segment_config(kind: str, epochs: int = 10, batch: int = 32, seed: int = 0) -> TaskConfig:
    """The recipe of one of `segmenters.SEGMENTERS`."""
    return TaskConfig("segment", kind, epochs, batch, seed=seed)


def train_segmenter(
    pictures: MaskedPictures, config: TaskConfig, out: Path, log: Callable[[str], None] = print
) -> nn.Module | None:
    """See `train.train_task`. Pictures are mirrored half the time, in other light."""

    def loss(model: Model, batch: tuple[Tensor, ...]) -> Tensor:
        images, masks, known = batch
        return mask_loss(model(images).float(), masks, known)

    batches = segment_batches(pictures, config.batch, config.seed)
    return train_task(lambda: build_segmenter(config.kind), len(pictures), batches, loss, config, out, log)


def segment_batches(pictures: MaskedPictures, batch: int, seed: int) -> Callable[[int], tuple[Tensor, ...]]:
    """The function that makes the batch of a step: images (B, 3, S, S), masks (B, S, S) in [0, 1], known (B, S, S)."""
    order = EpochOrder(len(pictures), seed)

    def batches(step: int) -> tuple[Tensor, ...]:
        chosen, lights, turned = [], [], []
        for position in range(step * batch, (step + 1) * batch):
            random = np.random.default_rng([seed, position])
            chosen.append(order[position])
            lights.append(np.exp(random.normal(0, 0.2)) * np.exp(random.normal(0, 0.05, 3)))
            turned.append(random.random() < 0.5)
        images = inputs(pictures.images[chosen])
        images = (images + 1) * torch.tensor(np.array(lights), dtype=torch.float32)[:, :, None, None] - 1
        masks = torch.from_numpy(pictures.masks[chosen]).float() / 255
        known = torch.from_numpy(pictures.known[chosen])
        flip = torch.tensor(turned)
        return tuple(
            torch.where(flip.view(-1, *[1] * (part.dim() - 1)), part.flip(-1), part)
            for part in (images, masks, known)
        )

    return batches


def inputs(images: np.ndarray) -> Tensor:
    """BGR uint8 (N, S, S, 3) -> (N, 3, S, S) float32 RGB in [-1, 1]."""
    return (torch.from_numpy(np.ascontiguousarray(images[..., ::-1])).permute(0, 3, 1, 2).float() - MEAN) / STD


def mask_loss(logits: Tensor, masks: Tensor, known: Tensor) -> Tensor:
    """Cross entropy with soft masks over known pixels, plus one minus the soft Dice of the faces.

    logits: (B, 2, S, S), background first; masks: (B, S, S) in [0, 1]; known: bool.
    """
    margin = logits[:, 1] - logits[:, 0]
    entropy = F.binary_cross_entropy_with_logits(margin, masks, reduction="none")
    sure = known.float()
    face = torch.sigmoid(margin) * sure
    dice = 1 - (2 * (face * masks).sum() + 1) / (face.sum() + (masks * sure).sum() + 1)
    return (entropy * sure).sum() / sure.sum().clamp(min=1) + dice


@torch.inference_mode()
def mask_iou(network: nn.Module, pictures: MaskedPictures, batch: int = 32) -> float:
    """IoU of face pixels over all pictures together, both masks cut at one half, known pixels only."""
    network = network.eval()
    shared = union = 0
    for start in range(0, len(pictures), batch):
        part = slice(start, start + batch)
        logits = network(inputs(pictures.images[part]))
        found = (logits[:, 1] > logits[:, 0]).numpy() & pictures.known[part]
        expected = (pictures.masks[part] > 127) & pictures.known[part]
        shared += int((found & expected).sum())
        union += int((found | expected).sum())
    return shared / max(union, 1)
