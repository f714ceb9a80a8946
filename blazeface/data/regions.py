"""Additional annotation of training pictures: ignore regions over unlabelled faces, decoys (known false positives), and hard
faces (labelled ones that a network missed).

A JSON file, {"SOURCE/PICTURE.jpg": {"ignore": [[x1, y1, x2, y2], ...], "decoys": [...], "hard": [...]}}, in pixels of the
picture; each of the three may be left out.
`benchmarks/training/regions.py` made the one that the shipped models were trained with.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.data.samples import Sample
from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable


def with_regions(samples: list[Sample], path: Path) -> list[Sample]:
    """The samples with a file's ignore regions, decoys and hard faces added.

    Raises BlazeFaceError for a file that is missing or malformed, or that knows none of the pictures.
    """
    try:
        regions: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        parsed = {
            name: [_boxes(entry.get(kind, [])) for kind in ("ignore", "decoys", "hard")]
            for name, entry in regions.items()
        }
    except OSError as error:
        raise BlazeFaceError(f"--regions: {path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise BlazeFaceError(f"--regions: {path}: not a file of regions: {printable(str(error))}") from error
    names = [f"{sample.source}/{sample.path.name}" for sample in samples]
    if parsed and not any(name in parsed for name in names):
        raise BlazeFaceError(f"--regions: {path}: it knows none of the {len(samples):,} pictures")
    return [
        _extended(sample, *parsed[name]) if name in parsed else sample
        for sample, name in zip(samples, names, strict=True)
    ]


def _boxes(values: Any) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # found below
        boxes: NDArray[np.float32] = np.array(values, np.float32).reshape(len(values), 4)
    if not np.isfinite(boxes).all() or (boxes[:, 2:] <= boxes[:, :2]).any():
        raise ValueError("a box is not x1 y1 x2 y2 with x1 < x2 and y1 < y2")
    return boxes


def _extended(
    sample: Sample, ignore: NDArray[np.float32], decoys: NDArray[np.float32], hard: NDArray[np.float32]
) -> Sample:
    count = len(ignore)
    return replace(
        sample,
        boxes=np.concatenate([sample.boxes, ignore]),
        keypoints=np.concatenate([sample.keypoints, np.zeros((count, *sample.keypoints.shape[1:]), np.float32)]),
        visibility=np.concatenate([sample.visibility, np.zeros((count, sample.visibility.shape[1]), np.uint8)]),
        ignore=np.concatenate([sample.ignore, np.ones(count, bool)]),
        decoys=decoys,
        hard=hard,
    )
