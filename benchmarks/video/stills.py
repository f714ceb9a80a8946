"""Jitter of still pictures: the spread of what is found in displaced copies, in distances between the eyes.

See blazeface/evaluation/jitter.py for the measure. The pictures are those of val with one large face (relative size from
SMALLEST) whose eyes a person marked, an even choice of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from blazeface.backends import Backend
from blazeface.blend import blend, hard_nms
from blazeface.data.even_choice import chosen_evenly
from blazeface.data.samples import Sample
from blazeface.errors import BlazeFaceError
from blazeface.evaluation.jitter import MAX_SCALING, MAX_SHIFT, draw_displacements, found_points, jitter
from blazeface.evaluation.matching import relative_size
from blazeface.files.pictures import read_picture

SMALLEST = 0.2
MIN_EYE_DISTANCE = 3.0
"""Pixels between the eyes, below which a picture is left out: labels are in whole pixels."""
REDUCTIONS = {"blend": blend, "hard_nms": hard_nms}


def measure_stills(
    samples: list[Sample], backend: Backend, pictures: int, copies: int, seed: int
) -> dict[str, Any]:
    """The figures of an even choice of the samples that qualify."""
    rng = np.random.default_rng(seed)
    values, left_out, lost = [], 0, 0
    chosen = qualifying(samples, pictures)
    for sample, face, eyes in tqdm(chosen, "measuring", unit="picture", leave=False, disable=None):
        image = read_picture(str(sample.path))
        height, width = image.shape[:2]
        displacements = draw_displacements(rng, copies, height, width, backend.spec.input_size)
        points = found_points(image, face, displacements, backend, backend.spec.score_threshold, REDUCTIONS)
        seen = len(points["blend"])
        if seen < copies / 2:
            left_out += 1  # hardly found at all: that is a miss, not jitter
            continue
        lost += copies - seen
        values.append([jitter(points[name], eyes) for name in REDUCTIONS])
    if not values:
        raise BlazeFaceError("no picture of val has one large face with marked eyes that the model finds")
    return {
        "pictures": len(values),
        "pictures_left_out": left_out,
        "copies": copies,
        "copies_without_the_face": lost,
        "max_shift_input_pixels": MAX_SHIFT,
        "max_scaling": MAX_SCALING,
        "score_threshold": backend.spec.score_threshold,
        **figures(np.array(values), rng),
    }


def qualifying(samples: list[Sample], count: int) -> list[tuple[Sample, NDArray[np.float64], float]]:
    """Samples with one face, large, with marked eyes; its box (4,) and the distance between the eyes."""
    found = []
    for sample in samples:
        if len(sample.boxes) != 1 or sample.ignore[0] or not (sample.visibility[0, :2] == 2).all():
            continue
        eyes = float(np.linalg.norm(sample.keypoints[0, 0] - sample.keypoints[0, 1]))
        if eyes > MIN_EYE_DISTANCE:
            found.append((sample, sample.boxes[0].astype(np.float64), eyes))
    large = []
    for sample, box, eyes in found:
        height, width = read_picture(str(sample.path)).shape[:2]
        if relative_size(box[None], height, width)[0] >= SMALLEST:
            large.append((sample, box, eyes))
    return chosen_evenly(large, count)


def figures(values: NDArray[np.float64], rng: np.random.Generator) -> dict[str, Any]:
    """values: (N, 2), each picture's jitter with blending and with hard suppression."""
    draws = rng.integers(0, len(values), (1000, len(values)))
    means = values[draws].mean(axis=1)
    low, high = np.percentile(1 - means[:, 0] / means[:, 1], [2.5, 97.5])
    mean, median = values.mean(axis=0), np.median(values, axis=0)
    return {
        **{name: {"mean": round(mean[i], 5), "median": round(median[i], 5)} for i, name in enumerate(REDUCTIONS)},
        "ratio": round(mean[0] / mean[1], 4),
        "less_with_blending": round(1 - mean[0] / mean[1], 4),
        "less_with_blending_interval": [round(float(low), 4), round(float(high), 4)],
        "steadier_pictures": round(float((values[:, 0] < values[:, 1]).mean()), 4),
    }
