"""Views on the GPU, with their labels, from which batches are drawn: a view is seen several times, between many others."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blazeface.data.dataset import Batch
from blazeface.spec import KEYPOINT_MIRROR

LABELS = 64
"""Labels kept with a view; one with more, a mosaic of crowds, is left out."""


class Pool:
    """The newest `capacity` views of each shape; input_size: the square input's side in pixels, the unit of their labels.

    put: adds a batch of `blazeface.data.dataset.collate`. draw: a batch of views of one shape, every other one mirrored.
    """

    def __init__(self, capacity: int, input_size: int, device: torch.device):
        self._capacity, self._input_size, self._device = capacity, input_size, device
        self._shelves: dict[tuple[int, ...], _Shelf] = {}
        self.put_so_far = 0

    def put(self, batch: Batch) -> None:
        counts = (batch.face | batch.ignore).sum(dim=1).numpy()
        fitting = np.flatnonzero(counts <= LABELS)
        shape = tuple(batch.images.shape[2:])
        if shape not in self._shelves:
            self._shelves[shape] = _Shelf(self._capacity, shape, self._device)
        self._shelves[shape].put(batch, fitting, counts[fitting])
        self.put_so_far += len(fitting)

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        shapes = list(self._shelves)
        filled = np.array([self._shelves[shape].filled for shape in shapes], np.float64)
        shape = shapes[int(rng.choice(len(shapes), p=filled / filled.sum()))]
        batch = self._shelves[shape].draw(count, rng)
        which = torch.from_numpy(rng.random(count) < 0.5).to(self._device)
        return mirrored(batch, which, shape[1] / self._input_size)


class _Shelf:
    """A ring of views of one shape."""

    def __init__(self, capacity: int, shape: tuple[int, ...], device: torch.device):
        def ring(*sizes: int, dtype: torch.dtype) -> Tensor:
            return torch.zeros(capacity, *sizes, dtype=dtype, device=device)

        self._images = ring(3, *shape, dtype=torch.uint8)
        self._boxes = ring(LABELS, 4, dtype=torch.float32)
        self._keypoints = ring(LABELS, 6, 2, dtype=torch.float32)
        self._visibility = ring(LABELS, 6, dtype=torch.uint8)
        self._face, self._ignore = (ring(LABELS, dtype=torch.bool) for _ in range(2))
        self._counts = np.zeros(capacity, np.int64)
        self._device, self._next, self.filled = device, 0, 0

    def put(self, batch: Batch, fitting: NDArray[np.intp], counts: NDArray[np.int64]) -> None:
        capacity, number = len(self._counts), len(fitting)
        if not number:
            return
        places = (self._next + np.arange(number)) % capacity
        to = torch.from_numpy(places).to(self._device)
        rows, labels = torch.from_numpy(fitting).to(self._device), min(LABELS, batch.boxes.shape[1])
        # Sent as it lies in memory: to bring it into another order is the GPU's work.
        self._images[to] = batch.images.permute(0, 2, 3, 1).to(self._device)[rows].permute(0, 3, 1, 2)
        for ring, values in (
            (self._boxes, batch.boxes),
            (self._keypoints, batch.keypoints),
            (self._visibility, batch.visibility),
            (self._face, batch.face),
            (self._ignore, batch.ignore),
        ):
            ring[to] = 0
            ring[to, :labels] = values.to(self._device)[rows, :labels]
        self._counts[places] = counts
        self._next = int((self._next + number) % capacity)
        self.filled = min(capacity, self.filled + number)

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        places = rng.integers(self.filled, size=count)
        labels = max(1, int(self._counts[places].max()))
        index = torch.from_numpy(places).to(self._device)
        return Batch(
            images=self._images[index],
            boxes=self._boxes[index, :labels],
            keypoints=self._keypoints[index, :labels],
            visibility=self._visibility[index, :labels],
            face=self._face[index, :labels],
            ignore=self._ignore[index, :labels],
        )


def mirrored(batch: Batch, which: Tensor, across: float) -> Batch:
    """The batch with the images that `which` (B,) names mirrored, and their labels with them; across: the images' width in
    the unit of the labels."""
    boxes = batch.boxes.clone()
    boxes[..., 0], boxes[..., 2] = across - batch.boxes[..., 2], across - batch.boxes[..., 0]
    keypoints = batch.keypoints[:, :, KEYPOINT_MIRROR].clone()
    keypoints[..., 0] = across - keypoints[..., 0]
    flip = which[:, None, None]
    return Batch(
        images=torch.where(which[:, None, None, None], batch.images.flip(3), batch.images),
        boxes=torch.where(flip & (batch.face | batch.ignore)[..., None], boxes, batch.boxes),
        keypoints=torch.where(flip[..., None], keypoints, batch.keypoints),
        visibility=torch.where(flip, batch.visibility[:, :, KEYPOINT_MIRROR], batch.visibility),
        face=batch.face,
        ignore=batch.ignore,
    )
