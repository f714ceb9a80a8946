"""Training crops: one view of a picture around a chosen face, cut out with a single warp.

Whole pictures scaled into 128 pixels waste most labels: their small faces shrink to nothing. So a face
is chosen, its size in the input drawn log-uniformly, and the picture seen from there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.data.occlusion import cover_part
from blazeface.data.samples import Sample
from blazeface.geometry import Image, Matrix, map_points, network_view


@dataclass(frozen=True)
class CropRecipe:
    """How views are drawn. Sizes are in units of the side of the square input, angles in degrees.

    shapes: (height, width) of the inputs, in eighths of that side, and their shares: about as many pixels each.

    smallest, largest: range of the chosen face's size (the root of its box's area).
    learnable: a face that comes out smaller is an ignore region: there is nothing left to see.
    magnify: no picture is enlarged more, since that only blurs it.
    shrink: no picture is made smaller than this share of what fits the view, since the rest is black.
    fill: share of the views that are moved so that the picture fills them, or lies whole in them.
    elsewhere: share of the views that are aimed at no face: what surrounds people must be known, too.
    decoys: share of those, where the picture has decoys, that are aimed at one of them as if it were a face.
    hard: share of the others, where the picture has hard faces, that are aimed at one of these.
    rotation: standard deviation of the roll angle, rotation_limit: its bound. any_roll: share of the views that are
        rolled by any angle instead.
    covered: share of the faces that are covered in part.
    aliased: share of the views that are resampled bilinearly without smoothing, or by the nearest pixel, as some
        libraries and phones do.
    mosaic: shares of inputs made of 1 x 1, 2 x 2 and 4 x 4 views. The small views are where pictures
        with one large face yield small faces, many at a time.
    """

    smallest: float = 0.05
    largest: float = 0.9
    learnable: float = 0.035
    magnify: float = 2.5
    shrink: float = 0.7
    fill: float = 0.7
    elsewhere: float = 0.2
    decoys: float = 0.7
    hard: float = 0.5
    rotation: float = 12.0
    rotation_limit: float = 45.0
    any_roll: float = 0.35
    covered: float = 0.15
    aliased: float = 0.2
    mosaic: tuple[float, float, float] = (0.72, 0.2, 0.08)
    shapes: tuple[tuple[int, int, float], ...] = (
        (8, 8, 0.5),
        (6, 11, 0.15),
        (11, 6, 0.15),
        (7, 9, 0.1),
        (9, 7, 0.1),
    )


@dataclass
class Crop:
    """One network input and its N labels, in pixels of the input.

    image: (H, W, 3) BGR uint8. boxes (N, 4), keypoints (N, 6, 2) float32, visibility (N, 6) uint8,
    ignore (N,) bool; as in `Sample`. Boxes may reach beyond the input where a face is cut off.
    """

    image: Image
    boxes: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    visibility: NDArray[np.uint8]
    ignore: NDArray[np.bool_]


def views_for(recipe: CropRecipe, input_size: int, stride: int) -> CropRecipe:
    """The recipe of a network whose largest stride is this: with square inputs alone where it does not divide an eighth of their
    side, of which the other shapes are made."""
    return recipe if input_size / 8 % stride == 0 else replace(recipe, shapes=((8, 8, 1.0),))


def draw_shape(input_size: int, recipe: CropRecipe, rng: np.random.Generator) -> tuple[int, int]:
    """Height and width of an input in pixels."""
    shares = np.array([share for _, _, share in recipe.shapes])
    height, width, _ = recipe.shapes[int(rng.choice(len(shares), p=shares / shares.sum()))]
    return height * input_size // 8, width * input_size // 8


def draw_crop(
    image: Image,
    sample: Sample,
    input_size: int,
    shape: tuple[int, int],
    recipe: CropRecipe,
    rng: np.random.Generator,
) -> Crop:
    """One random view of a picture and its labels, of a shape (height, width) in pixels.

    input_size: side in pixels of the square input, the unit of the recipe's sizes.
    """
    size = np.array(shape[::-1])
    sample = sample.within(*image.shape[:2])
    matrix = draw_view(image.shape[:2], sample, input_size, shape, recipe, rng)
    boxes, keypoints = move_labels(sample.boxes, sample.keypoints, matrix)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    touches = ((boxes[:, 2:] > 0) & (boxes[:, :2] < size)).all(axis=1)
    # A face that shows less than its middle cannot be asked for; calling it background would be wrong too.
    inside = ((middle >= 0) & (middle < size)).all(axis=1)
    side = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    ignore = sample.ignore | ~inside | (side < recipe.learnable * input_size)
    seen = ((keypoints >= 0) & (keypoints < size)).all(axis=2)
    view = network_view(image, matrix, shape, draw_resampling(recipe, rng))
    for face in np.flatnonzero(~ignore & (rng.random(len(boxes)) < recipe.covered)):
        cover_part(view, keypoints[face], sample.visibility[face], rng)
    return Crop(
        image=view,
        boxes=boxes[touches],
        keypoints=keypoints[touches],
        visibility=np.where(seen, sample.visibility, 0).astype(np.uint8)[touches],
        ignore=ignore[touches],
    )


def draw_aim(sample: Sample, recipe: CropRecipe, rng: np.random.Generator) -> NDArray[np.float64] | None:
    """The box (4,) that a view shows whole, in pixels of the picture: a face's or a decoy's; None for any place."""
    boxes = sample.boxes[~sample.ignore]
    if len(boxes) == 0 or rng.random() < recipe.elsewhere:
        boxes = sample.decoys if rng.random() < recipe.decoys else boxes[:0]
    elif len(sample.hard) and rng.random() < recipe.hard:
        boxes = sample.hard
    return boxes[rng.integers(len(boxes))].astype(np.float64) if len(boxes) else None


def draw_resampling(recipe: CropRecipe, rng: np.random.Generator) -> int | None:
    """OpenCV's number of a resampling without smoothing, or None for that of the letterbox."""
    if rng.random() >= recipe.aliased:
        return None
    return cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_NEAREST


def draw_view(
    picture: tuple[int, ...],
    sample: Sample,
    input_size: int,
    shape: tuple[int, int],
    recipe: CropRecipe,
    rng: np.random.Generator,
) -> Matrix:
    """A random 2 x 3 matrix from picture to view coordinates: rotation, one scale, translation.

    picture, shape: (height, width) of the picture and of the view, in pixels.
    """
    height, width = picture[:2]
    size = np.array(shape[::-1])
    fit = min(size / (width, height))
    box = draw_aim(sample, recipe, rng)
    if box is not None:
        anchor = (box[:2] + box[2:]) / 2
        side = math.sqrt((box[2] - box[0]) * (box[3] - box[1]))
        smallest, largest = recipe.smallest * input_size, recipe.largest * min(size)
        scale = math.exp(rng.uniform(math.log(smallest), math.log(largest))) / side
    else:
        anchor = rng.uniform((0, 0), (width, height))
        side, scale = 1.0, fit * math.exp(rng.uniform(0, math.log(3)))
    scale = min(max(scale, recipe.shrink * fit), recipe.magnify)
    angle = float(np.clip(rng.normal(0, recipe.rotation), -recipe.rotation_limit, recipe.rotation_limit))
    if rng.random() < recipe.any_roll:
        angle = rng.uniform(-180, 180)
    cos, sin = math.cos(math.radians(angle)) * scale, math.sin(math.radians(angle)) * scale
    linear = np.array([[cos, -sin], [sin, cos]])
    # The chosen face may lie anywhere in the input as long as it is whole.
    margin = np.minimum(side * scale / 2, size / 2) if box is not None else np.zeros(2)
    target = rng.uniform(margin, size - margin + 1e-9)
    shift = target - linear @ anchor
    if rng.random() < recipe.fill:
        middle, half = linear @ (width / 2, height / 2), scale * np.array([width, height]) / 2
        bounds = np.sort([half - middle, size - half - middle], axis=0)
        shift = np.clip(shift, *bounds)
    return np.concatenate([linear, shift[:, None]], axis=1)


def move_labels(
    boxes: NDArray[np.float32], keypoints: NDArray[np.float32], matrix: Matrix
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Boxes (N, 4) and keypoints (N, K, 2) under a 2 x 3 matrix of rotation, scale and translation.

    A rotated box becomes the upright box around the rotated ellipse that fills it: the bounding box
    of its corners would grow by half at 45 degrees, though the face in it does not.
    """
    middle = map_points(matrix, (boxes[:, :2] + boxes[:, 2:]) / 2)
    half = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) / 2) ** 2 @ (matrix[:, :2].T ** 2))
    moved = np.concatenate([middle - half, middle + half], axis=1)
    return moved.astype(np.float32), map_points(matrix, keypoints).astype(np.float32)


def join_mosaic(crops: list[Crop]) -> Crop:
    """n x n crops of one shape, row by row, as one crop."""
    tiles, size = math.isqrt(len(crops)), np.array(crops[0].image.shape[1::-1])
    rows = [np.hstack([crop.image for crop in crops[i : i + tiles]]) for i in range(0, len(crops), tiles)]
    corners = [np.array([i % tiles, i // tiles], np.float32) * size for i in range(len(crops))]
    boxes = []
    for crop, corner in zip(crops, corners, strict=True):
        # What reaches beyond its tile is hidden by a neighbour, so an ignore region ends there.
        cut = np.where(crop.ignore[:, None], np.clip(crop.boxes, 0, np.tile(size, 2)), crop.boxes)
        boxes.append(cut + np.tile(corner, 2))
    return Crop(
        image=np.vstack(rows),
        boxes=np.concatenate(boxes),
        keypoints=np.concatenate([crop.keypoints + corner for crop, corner in zip(crops, corners, strict=True)]),
        visibility=np.concatenate([crop.visibility for crop in crops]),
        ignore=np.concatenate([crop.ignore for crop in crops]),
    )
