"""Training and scoring of the classifiers (`models.light.classifiers`) on labelled pictures of one size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from blazeface.data.class_folders import LabelledPictures
from blazeface.models.light.classifier_file import MEAN, STD
from blazeface.models.light.classifiers import Classifier
from blazeface.training.loop import Model
from blazeface.training.tasks.train import EpochOrder, TaskConfig, train_task

SHIFT = 0.1
"""Training pictures are moved by up to so much of their side, in both directions; black comes in."""

WARMUP = 50
"""Steps to the peak of the learning rate; a tenth of a run that has fewer than ten times as many."""


def classify_config(
    kind: str,
    epochs: int = 20,
    batch: int = 32,
    learning_rate: float = 2e-3,
    warmup: int = WARMUP,
    ema: float = 0.98,
    seed: int = 0,
) -> TaskConfig:
    """The recipe of a classifier. kind: says what is trained, so that a run goes on as what it was."""
    return TaskConfig("classify", kind, epochs, batch, learning_rate, warmup, ema=ema, seed=seed)


def train_classifier(
    initial: Callable[[], Classifier],
    pictures: LabelledPictures,
    config: TaskConfig,
    out: Path,
    log: Callable[[str], None] = print,
    mirror: bool = True,
) -> Classifier | None:
    """See `train.train_task`. pictures: sides as the network takes them. They are moved a little (SHIFT), and mirrored half
    the time where `mirror` is set."""
    order = EpochOrder(len(pictures), config.seed)

    def batches(step: int) -> tuple[Tensor, ...]:
        """Images (B, 3, S, S), classes (B,), and a seed for what the network itself leaves to chance."""
        chosen, images = [], []
        for position in range(step * config.batch, (step + 1) * config.batch):
            random = np.random.default_rng([config.seed, position])
            chosen.append(order[position])
            image = moved(pictures.images[chosen[-1]], *random.uniform(-SHIFT, SHIFT, 2))
            images.append(image[:, ::-1] if mirror and random.random() < 0.5 else image)
        seed = int(np.random.default_rng([config.seed, step, 1]).integers(2**31))
        return inputs(np.stack(images)), torch.from_numpy(pictures.classes[chosen]), torch.tensor(seed)

    def loss(model: Model, batch: tuple[Tensor, ...]) -> Tensor:
        images, expected, seed = batch
        torch.manual_seed(int(seed))  # of dropout: a step must follow from its number alone
        return F.cross_entropy(model(images).float(), expected)

    return train_task(initial, len(pictures), batches, loss, config, out, log)


def moved(image: NDArray[np.uint8], right: float, down: float) -> NDArray[np.uint8]:
    """(S, S, 3) moved by shares of its side, to whole pixels; what comes in is black."""
    size = len(image)
    x, y = round(right * size), round(down * size)
    out = np.zeros_like(image)
    out[max(y, 0) : size + min(y, 0), max(x, 0) : size + min(x, 0)] = image[
        max(-y, 0) : size - max(y, 0), max(-x, 0) : size - max(x, 0)
    ]
    return out


def inputs(images: NDArray[np.uint8]) -> Tensor:
    """BGR uint8 (N, S, S, 3) -> (N, 3, S, S) float32 RGB in [-1, 1]."""
    return (torch.from_numpy(np.ascontiguousarray(images[..., ::-1])).permute(0, 3, 1, 2).float() - MEAN) / STD


def accuracy(answer: Callable[[NDArray[np.float32]], NDArray[np.float32]], pictures: LabelledPictures) -> float:
    """Share of the pictures whose largest logit is that of their class. answer: (N, 3, S, S) float32 -> logits (N, classes)."""
    right = 0
    for start in range(0, len(pictures), 64):
        part = slice(start, start + 64)
        logits = answer(np.ascontiguousarray(inputs(pictures.images[part]).numpy()))
        right += int((logits.argmax(axis=1) == pictures.classes[part]).sum())
    return right / len(pictures)
