"""What a network knew stays: on pictures without labels it goes on answering as the weights that it started from.

Fine-tuning on few pictures of one kind loses some of what was learnt on all others. The pictures here stand for these others: at each
step the network sees as many views of them as of its own, and is held to the answers of the weights that it started from ("Learning
without forgetting", arXiv 1606.09282).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from blazeface.data.even_choice import chosen_evenly
from blazeface.data.samples import Sample
from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.pictures import PICTURE_SUFFIXES, read_picture
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace

MOST = 2000
"""Pictures, each of which the teacher looks at before the first step."""

REGRESSION_WEIGHT = 4.0
"""Of boxes and keypoints beside the scores."""

BETA = 0.02
"""Where their loss turns from quadratic to linear, in sides of the teacher's box."""


@dataclass(frozen=True)
class Retained:
    """samples: the pictures, with the faces that the teacher sees for labels: views are aimed at them. teacher: the network that the
    run started from."""

    samples: list[Sample]
    teacher: BlazeFace


def retained_pictures(folder: Path) -> list[Path]:
    """The pictures in a folder and its folders, in the order of their names, an even choice of at most MOST. Raises BlazeFaceError
    where there are none."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not paths:
        raise BlazeFaceError(f"--retain: {printable(str(folder))}: no folder with pictures")
    return chosen_evenly(paths, MOST)


def fingerprint(folder: Path, paths: Sequence[Path]) -> str:
    """How many pictures there are, and the first digits of a SHA-256 of their names and sizes in bytes, in their order."""
    digest = hashlib.sha256()
    for path in paths:
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name} {path.stat().st_size}\n".encode("utf-8", "surrogateescape"))
    return f"{len(paths):,} pictures (sha256 {digest.hexdigest()[:16]})"


def seen_samples(
    paths: Sequence[Path], detect: Callable[[Image], Detections], say: Callable[[str], None]
) -> list[Sample]:
    """The pictures with the faces that `detect` sees in them. say: takes a sentence about those that cannot be read, which are left
    out. Raises BlazeFaceError where none can be read."""
    samples, faults = [], []
    for path in paths:
        try:
            faces = detect(read_picture(str(path)))
        except BlazeFaceError as error:
            faults.append(str(error))
            continue
        count = len(faces)
        points = np.zeros((count, 6, 2), np.float32)
        samples.append(
            Sample(path, "", faces.boxes, points, np.zeros((count, 6), np.uint8), np.zeros(count, bool))
        )
    if faults:
        sentence = f"--retain: {len(faults):,} of {len(paths):,} pictures cannot be read: {faults[0]}"
        if not samples:
            raise BlazeFaceError(sentence)
        say(f"{sentence}{' for one' if len(faults) > 1 else ''}; left out")
    return samples


def retain_loss(logits: Tensor, regressions: Tensor, expected: Tensor, places: Tensor) -> Tensor:
    """How far answers are from those of the teacher: a scalar, 0 where they are the same.

    logits, expected (B, A), regressions, places (B, A, 4 + 2K), in pixels of the input; expected and places are the teacher's. Scores: the
    Kullback-Leibler divergence of all anchors, background as well. Regressions: smooth L1 in sides of the teacher's box, by its score.
    Both are divided by the sum of its scores (at least one), the number of anchors that it takes for faces.
    """
    scores = expected.sigmoid()
    divisor = scores.sum().clamp(min=1)
    entropy = F.binary_cross_entropy_with_logits(expected, scores, reduction="none")
    divergence = F.binary_cross_entropy_with_logits(logits, scores, reduction="none") - entropy
    side = places[..., 2:4].abs().mean(dim=-1, keepdim=True).clamp(min=1)
    away = F.smooth_l1_loss(regressions / side, places / side, reduction="none", beta=BETA).mean(dim=-1)
    return (divergence.sum() + REGRESSION_WEIGHT * (away * scores).sum()) / divisor
