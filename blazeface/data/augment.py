"""Augmentation with albumentations. Add a transform to the list, and the labels follow it."""

from __future__ import annotations

from typing import Any

import albumentations as A
import numpy as np

from blazeface.data.crops import Crop
from blazeface.geometry import Floats
from blazeface.spec import KEYPOINT_MIRROR

BLUR_SIZE = 128
"""Input size in pixels to which the blurs below are given; of a larger input a picture out of focus blurs more pixels."""


def augmentations(input_size: int) -> list[Any]:
    """What front-128 and back-256 are trained with; input_size in pixels.

    Scale, place and roll are drawn by `crops.draw_view`, in the same single warp that cuts the view out, since a
    second resampling would blur.
    """
    scale = input_size / BLUR_SIZE
    longest = max(3, round(9 * scale)) // 2 * 2 + 1  # of a motion, an odd number of pixels
    return [
        A.HorizontalFlip(p=0.5),
        A.RandomBrightnessContrast(brightness_limit=0.35, contrast_limit=(-0.7, 0.35), p=0.5),
        A.HueSaturationValue(hue_shift_limit=12, sat_shift_limit=35, val_shift_limit=20, p=0.3),
        A.RGBShift(r_shift_limit=60, g_shift_limit=60, b_shift_limit=60, p=0.1),
        A.RandomGamma(gamma_limit=(60, 160), p=0.2),
        A.ToGray(p=0.15),
        A.MultiplicativeNoise(
            multiplier=(0.1, 1.4), per_channel=True, elementwise=False, p=0.05
        ),  # coloured light
        A.OneOf(
            [
                A.GaussianBlur(blur_limit=0, sigma_limit=(0.5 * scale, 2.2 * scale)),
                A.MotionBlur(blur_limit=(3, longest)),
            ],
            p=0.14,
        ),
        A.GaussNoise(std_range=(0.01, 0.08), per_channel=True, p=0.12),
        A.ImageCompression(quality_range=(20, 90), p=0.15),
        A.Downscale(scale_range=(0.35, 0.8), p=0.12),
        A.CoarseDropout(
            num_holes_range=(1, 3),
            hole_height_range=(0.06, 0.25),
            hole_width_range=(0.06, 0.25),
            fill="random_uniform",
            p=0.08,
        ),
    ]


MARKERS = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
"""Three points sent along with the labels: where they lie afterwards tells whether the picture was mirrored."""


class Augmentation:
    """Albumentations on a crop and its labels: any of its transforms that keep the size of the picture.

    All labels travel as points. A box becomes the bounding box of its transformed corners. After a
    reflection, right and left keypoints change places.
    """

    def __init__(self, transforms: list[Any]):
        points = A.KeypointParams(format="xy", remove_invisible=False)
        self._compose = A.Compose(transforms, keypoint_params=points)

    def __call__(self, crop: Crop, seed: int) -> Crop:
        """The same seed gives the same result."""
        count = len(crop.boxes)
        corners = crop.boxes[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(-1, 2)
        points = np.concatenate([MARKERS, corners, crop.keypoints.reshape(-1, 2)])
        self._compose.set_random_seed(seed)
        # Albumentations counts from pixel centres, our labels from pixel corners.
        result = self._compose(image=crop.image, keypoints=points - 0.5)
        moved = np.asarray(result["keypoints"], np.float32).reshape(-1, 2) + np.float32(0.5)
        markers, boxes = moved[:3], moved[3 : 3 + 4 * count].reshape(count, 4, 2)
        keypoints = moved[3 + 4 * count :].reshape(crop.keypoints.shape)
        visibility = crop.visibility
        if is_mirrored(markers):
            keypoints, visibility = keypoints[:, KEYPOINT_MIRROR], visibility[:, KEYPOINT_MIRROR]
        size = crop.image.shape[1::-1]
        seen = ((keypoints >= 0) & (keypoints < size)).all(axis=2)
        return Crop(
            image=result["image"],
            boxes=np.concatenate([boxes.min(axis=1), boxes.max(axis=1)], axis=1),
            keypoints=keypoints,
            visibility=np.where(seen, visibility, 0).astype(np.uint8),
            ignore=crop.ignore,
        )


def is_mirrored(markers: Floats) -> bool:
    """Whether the transformed `MARKERS` (3, 2) run the other way round."""
    (ax, ay), (bx, by) = markers[1] - markers[0], markers[2] - markers[0]
    return bool(ax * by - ay * bx < 0)
