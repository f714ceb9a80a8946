"""Two networks for `blazeface lighten FILE.py:FUNCTION`, written as a user would write such a file.

    LIGHTEN_DATA=ROOT LIGHTEN_RUNS=runs/lightweight \\
    python -m blazeface lighten benchmarks/lightweight/own_networks.py:residual --rule separable --steps 300 --out out/residual
    python -m blazeface lighten benchmarks/lightweight/own_networks.py:unet     # what each rule would save

LIGHTEN_DATA: the labelled pictures. LIGHTEN_RUNS: where `blazeface refine --kind residual` and `blazeface segment --kind
dense` were trained, as refine-residual and segment-dense. LIGHTEN_PICTURES: at most so many of each split (default 1,500).
`benchmarks/lightweight/own.py` runs both and keeps the figures.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from blazeface.crop import CropSpec, cut, normalised
from blazeface.data.even_choice import chosen_evenly
from blazeface.data.face_crops import KEPT_SIZE, FaceCrops, cut_faces
from blazeface.data.face_masks import MaskedPictures, masked_pictures
from blazeface.data.samples import load_split
from blazeface.geometry import map_points, view_matrix
from blazeface.models.light.segmenters import SEGMENT_SIZE, load_segmenter
from blazeface.models.refine import load_refine
from blazeface.training.loop import Model
from blazeface.training.tasks.refine import keypoint_loss, refine_batches
from blazeface.training.tasks.segment import mask_iou, mask_loss, segment_batches

BATCH = {"residual": 64, "unet": 16}
TASK = {"now": "residual"}
"""Which of the two was asked for: a file has one loss() and one score()."""


def residual() -> nn.Module:
    """The residual keypoint network: faces of 64 x 64 -> six points."""
    TASK["now"] = "residual"
    return load_refine(runs() / "refine-residual" / "model.safetensors")


def unet() -> nn.Module:
    """The padded U-Net of 96 x 96, all convolutions dense."""
    TASK["now"] = "unet"
    return load_segmenter(runs() / "segment-dense" / "model.safetensors")


def batches(step: int) -> tuple[Tensor, ...]:
    """Of training pictures; what a batch holds follows from its number alone."""
    return maker(TASK["now"])(step)


def loss(network: Model, batch: tuple[Tensor, ...]) -> Tensor:
    """What each of the two was trained with."""
    inputs, expected, weights = batch
    if TASK["now"] == "unet":
        return mask_loss(network(inputs), expected, weights)
    return keypoint_loss(network(inputs), expected, weights, 0.01)


def score(network: nn.Module) -> dict[str, float]:
    """On pictures of val: the IoU of face pixels, or the median keypoint error over the distance between the eyes."""
    if TASK["now"] == "unet":
        return {"IoU of face pixels": mask_iou(network, masks("val"))}
    images, points = level_crops()
    found = torch.cat([network(part) for part in torch.tensor_split(torch.from_numpy(images), 8)]).numpy()
    eyes = np.linalg.norm(points[:, 0] - points[:, 1], axis=1)
    distance = np.linalg.norm(found[:, :4] - points[:, :4], axis=2).mean(axis=1) / eyes
    return {"keypoint error": float(np.median(distance))}


@functools.cache
def maker(task: str) -> Callable[[int], tuple[Tensor, ...]]:
    if task == "unet":
        return segment_batches(masks("train"), BATCH[task], 0)
    return refine_batches(faces("train"), BATCH[task], 0)


@functools.cache
def faces(split: str) -> FaceCrops:
    return cut_faces(samples(split), quiet=True)


@functools.cache
def masks(split: str) -> MaskedPictures:
    return masked_pictures(samples(split), SEGMENT_SIZE)


@functools.cache
def level_crops() -> tuple[np.ndarray, np.ndarray]:
    """Inputs (N, 3, S, S) and keypoints (N, 6, 2) in units of the side, for the faces of val whose first four points a person
    annotated: cut by the labels, level with the eyes."""
    crops, spec = faces("val"), CropSpec()
    images, points = [], []
    for index in np.flatnonzero((crops.visibility[:, :4] == 2).all(axis=1)):
        known = crops.keypoints[index].astype(np.float64)
        across = known[1] - known[0]
        angle = math.atan2(across[1], across[0])
        side = spec.context * float(crops.side[index])
        matrix = view_matrix(np.full(2, KEPT_SIZE / 2), side, angle, spec.size)
        images.append(cut(crops.images[index], matrix, spec.size))
        points.append(map_points(matrix, known) / spec.size)
    return normalised(np.stack(images), spec), np.stack(points)


def samples(split: str) -> list:  # type: ignore[type-arg]
    data = os.environ.get("LIGHTEN_DATA")
    if not data:
        raise RuntimeError("set LIGHTEN_DATA to the folder of labelled pictures")
    return chosen_evenly(load_split(Path(data), split), int(os.environ.get("LIGHTEN_PICTURES", "1500")))


def runs() -> Path:
    return Path(os.environ.get("LIGHTEN_RUNS", "runs/lightweight"))
