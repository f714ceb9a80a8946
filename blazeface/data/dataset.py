"""The torch data set: endless, balanced over sources, and determined by its seed."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from blazeface.data.crops import Crop, CropRecipe, draw_crop, draw_shape, join_mosaic
from blazeface.data.pictures import PictureCache
from blazeface.data.samples import Sample
from blazeface.errors import BlazeFaceError
from blazeface.geometry import Image

EASY = 0.4
"""How often a picture with one large face is drawn, beside others."""

HARD = 3.0
"""How often a picture with a face that a network missed is drawn, beside others."""

LARGE = 0.3
"""Share of a picture's side from which a face is large."""

GRACE = 30
"""Seconds that a worker goes on after a SIGTERM."""

DRAWS = 256
"""Pictures drawn at once where the first that was drawn cannot be read."""


class CropDataset(Dataset[Crop]):
    """Crop number n of a training run, for n from 0 without end.

    Everything random about a crop follows from (seed, n) alone, so a run can go on from any step, in
    any number of processes, and see the same crops. augment: a crop and a seed in, the changed crop out. batch: as many
    crops in a row have one shape.
    """

    def __init__(
        self,
        samples: list[Sample],
        pictures: PictureCache,
        size: int,
        recipe: CropRecipe,
        augment: Callable[[Crop, int], Crop],
        seed: int,
        batch: int = 1,
    ):
        self._samples, self._pictures, self._batch = samples, pictures, batch
        self._size, self._recipe, self._seed = size, recipe, seed
        self._augment = augment
        self._cumulative = np.cumsum(balance(samples))

    def __getitem__(self, number: int) -> Crop:
        rng = np.random.default_rng([self._seed, number])
        of_batch = np.random.default_rng([self._seed, number // self._batch, 1])
        height, width = draw_shape(self._size, self._recipe, of_batch)
        tiles = int(rng.choice([1, 2, 4], p=self._recipe.mosaic))
        crops = [self._draw((height // tiles, width // tiles), rng) for _ in range(tiles * tiles)]
        crop = join_mosaic(crops) if tiles > 1 else crops[0]
        return self._augment(crop, int(rng.integers(2**31)))

    def _draw(self, shape: tuple[int, int], rng: np.random.Generator) -> Crop:
        index, image = self._readable(rng)
        return draw_crop(image, self._samples[index], self._size, shape, self._recipe, rng)

    def _readable(self, rng: np.random.Generator) -> tuple[int, Image]:
        """A picture that can be read, and its position, by the weights of `balance`.

        Missing and broken ones are drawn around whatever their share: draws go on until one can be read, in blocks, from
        which those that are known to be unreadable are sorted out at once. What comes out follows from the generator and
        from which files can be read, not from what was met before.
        """
        unreadable = self._pictures.unreadable
        count = 1
        while not unreadable.all():
            drawn = np.searchsorted(self._cumulative, rng.random(count) * self._cumulative[-1], side="right")
            for index in drawn[unreadable[drawn] == 0].tolist():
                image = self._pictures.get(index)
                if image is not None:
                    return index, image
            count = DRAWS
        raise BlazeFaceError(
            f"none of the {len(self._samples)} pictures can be read: is the data folder complete?"
        )


def balance(samples: list[Sample]) -> NDArray[np.float64]:
    """How often to draw each picture: (N,) weights.

    A source weighs with the root of its number of pictures, so that a large set of easy portraits does not
    drown a small one of crowds. A picture weighs with the root of its number of faces and decoys, and EASY of that where
    it shows one large face and nothing else: such faces are learnt first, and each smaller face is seen at that size
    as well. One with a hard face is drawn HARD times as often.
    """
    sizes = Counter(sample.source for sample in samples)
    marked = np.array([np.count_nonzero(~sample.ignore) + len(sample.decoys) for sample in samples])
    weights = np.sqrt(np.maximum(marked, 1) / [sizes[sample.source] for sample in samples])
    known = np.where([_is_portrait(sample) for sample in samples], EASY, 1.0)
    missed = np.where([len(sample.hard) > 0 for sample in samples], HARD, 1.0)
    balanced: NDArray[np.float64] = weights * known * missed
    return balanced


def _is_portrait(sample: Sample) -> bool:
    """Whether a picture shows a single face, which reaches over LARGE of what surrounds all labels from the corner on."""
    if len(sample.boxes) != 1 or len(sample.decoys) or len(sample.hard) or sample.ignore[0]:
        return False
    left, top, right, bottom = sample.boxes[0]
    # The size of the picture is unknown before it is read: a centred face has as much on its other side.
    return bool(max(right - left, bottom - top) >= LARGE * max(left + right, top + bottom))


@dataclass
class Batch:
    """B crops as tensors; labels padded to the largest number of faces N.

    images: (B, 3, H, W) uint8, RGB. boxes (B, N, 4), keypoints (B, N, 6, 2) float32 in units of the
    square input's side. visibility (B, N, 6) uint8. face, ignore (B, N) bool; both false where padded.
    """

    images: Tensor
    boxes: Tensor
    keypoints: Tensor
    visibility: Tensor
    face: Tensor
    ignore: Tensor

    def to(self, device: torch.device) -> Batch:
        return Batch(**{name: value.to(device, non_blocking=True) for name, value in vars(self).items()})


def collate(crops: list[Crop], size: int) -> Batch:
    """Crops of one shape as one batch; size: side of the square input in pixels, the unit of the labels."""
    most = max(1, *(len(crop.boxes) for crop in crops))
    boxes = torch.zeros(len(crops), most, 4)
    keypoints = torch.zeros(len(crops), most, 6, 2)
    visibility = torch.zeros(len(crops), most, 6, dtype=torch.uint8)
    face = torch.zeros(len(crops), most, dtype=torch.bool)
    ignore = torch.zeros(len(crops), most, dtype=torch.bool)
    for i, crop in enumerate(crops):
        count = len(crop.boxes)
        boxes[i, :count] = torch.from_numpy(crop.boxes) / size
        keypoints[i, :count] = torch.from_numpy(crop.keypoints) / size
        visibility[i, :count] = torch.from_numpy(crop.visibility)
        ignore[i, :count] = torch.from_numpy(crop.ignore)
        face[i, :count] = ~ignore[i, :count]
    images = np.stack([crop.image[:, :, ::-1] for crop in crops])
    # (B, H, W, 3) in memory, seen as (B, 3, H, W): the layout in which convolutions are fastest on a CPU.
    return Batch(torch.from_numpy(images).permute(0, 3, 1, 2), boxes, keypoints, visibility, face, ignore)


class StepSampler:
    """Crop numbers of each step from `start` to `end`, for one of `world` processes.

    batch is the number of crops a step takes in all processes together.
    """

    def __init__(self, start: int, end: int, batch: int, rank: int = 0, world: int = 1):
        self.start, self.end, self.batch, self.rank, self.world = start, end, batch, rank, world

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.start, self.end):
            yield list(range(step * self.batch + self.rank, (step + 1) * self.batch, self.world))

    def __len__(self) -> int:
        return self.end - self.start


def init_worker(_: int) -> None:
    """Each data loader worker is one process with one thread: OpenCV's own pool would fight the training.

    Ctrl-C is left to the process that trains, which ends its workers once the checkpoint is written. SIGTERM may have come to
    all of them as well, so a worker goes on for GRACE seconds; then it ends, since it may also have come from the one that trains
    and waits for its end (as PyTorch does with a worker that did not answer on a busy machine).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGALRM"):  # on Windows nothing but an end can be asked of a process
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, lambda *_: signal.alarm(GRACE))
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
