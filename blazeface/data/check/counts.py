"""How many pictures and faces there are, and how large the faces are in a network's input."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blazeface.data.crops import CropRecipe
from blazeface.data.even_choice import chosen_evenly
from blazeface.data.headers import Size, read_headers
from blazeface.data.samples import Sample

BINS = (0.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, float("inf"))
"""Edges of the histogram of face sizes, in pixels of the input."""

LOOKED_AT = 500
"""Pictures whose sizes the short form reads."""

EYES = slice(0, 2)


@dataclass(frozen=True)
class Counts:
    """What a split holds. faces: those to learn; ignored: regions that are neither face nor background.

    with_eyes: faces whose eyes are both labelled. predicted: faces of which a point was predicted by a detector.
    """

    pictures: int
    faceless: int
    faces: int
    ignored: int
    with_eyes: int
    predicted: int

    def __str__(self) -> str:
        points = f"{_share(self.with_eyes, self.faces)} of them with eyes" if self.faces else "nothing to find"
        return (
            f"{self.pictures:,} pictures, {self.faceless:,} of them without a face; {self.faces:,} faces, {points};"
            f" {self.ignored:,} ignore regions"
        )


@dataclass(frozen=True)
class FaceSizes:
    """Sizes of faces in the input, when each picture fills it whole: (N,) pixels, the root of the box's area.

    learnable: a face below is an ignore region in a view. magnified: how much larger a view shows it at most.
    """

    sizes: NDArray[np.float64]
    magnified: NDArray[np.float64]
    input_size: int
    learnable: float

    @property
    def small(self) -> float:
        """Share of the faces too small to be learnt from a view of the whole picture."""
        return float(np.mean(self.sizes < self.learnable)) if len(self.sizes) else 0.0

    @property
    def lost(self) -> float:
        """Share of the faces too small to be learnt from any view."""
        return float(np.mean(self.magnified < self.learnable)) if len(self.sizes) else 0.0

    def histogram(self) -> list[tuple[str, int]]:
        """(range in pixels, number of faces) of each of BINS."""
        counts, _ = np.histogram(self.sizes, BINS)
        names = [f"{low:g}-{high:g}".removesuffix("inf") for low, high in itertools.pairwise(BINS)]
        return list(zip(names, (int(count) for count in counts), strict=True))

    def __str__(self) -> str:
        if not len(self.sizes):
            return "no face whose picture can be read"
        return (
            f"median face {np.median(self.sizes):.3g} px, where the whole picture fills the input of {self.input_size} px;"
            f" {self.small:.0%} of the faces are under {self.learnable:.2g} px there and are learnt from closer views alone,"
            f" {self.lost:.1%} are too small in any view and are not learnt"
        )


def count(samples: Sequence[Sample]) -> Counts:
    """Counts of labels; no picture is opened."""
    taught = [~sample.ignore for sample in samples]
    seen = [sample.visibility[kept] for sample, kept in zip(samples, taught, strict=True)]
    return Counts(
        pictures=len(samples),
        faceless=sum(not kept.any() for kept in taught),
        faces=sum(int(kept.sum()) for kept in taught),
        ignored=sum(int(sample.ignore.sum()) for sample in samples),
        with_eyes=sum(int((points[:, EYES] > 0).all(axis=1).sum()) for points in seen),
        predicted=sum(int((points == 1).any(axis=1).sum()) for points in seen),
    )


def face_sizes(
    samples: Sequence[Sample], sizes: Sequence[Size | None], input_size: int, recipe: CropRecipe
) -> FaceSizes:
    """How large the faces of pictures of these (width, height) are in the input; None: the picture cannot be read."""
    found, magnified = [np.zeros(0)], [np.zeros(0)]
    for sample, size in zip(samples, sizes, strict=True):
        if size is not None and len(sample.boxes):
            sample = sample.within(size[1], size[0])
            boxes = sample.boxes[~sample.ignore].astype(np.float64)
            sides = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
            fit = input_size / max(size)
            found.append(sides * fit)
            magnified.append(sides * max(fit, recipe.magnify))
    return FaceSizes(np.concatenate(found), np.concatenate(magnified), input_size, recipe.learnable * input_size)


def short_form(split: str, samples: Sequence[Sample], input_size: int, recipe: CropRecipe) -> str:
    """One line about a split. The sizes of a few pictures are read, for the sizes of faces."""
    looked_at = chosen_evenly([sample for sample in samples if not sample.ignore.all()], LOOKED_AT)
    headers = read_headers([sample.path for sample in looked_at])
    sizes = face_sizes(looked_at, [header.size if header else None for header in headers], input_size, recipe)
    return f"{split}: {count(samples)}; {sizes}"


def _share(part: int, whole: int) -> str:
    return f"{part / max(whole, 1):.0%}"
