"""Pictures from which int8 takes the ranges of its values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from blazeface.data.even_choice import chosen_evenly
from blazeface.data.samples import load_split
from blazeface.decode import sigmoid
from blazeface.detector import prepare
from blazeface.errors import BlazeFaceError
from blazeface.export.verify import torch_run
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace

BATCH = 16


def require_faces(network: BlazeFace, pictures: Sequence[Image]) -> None:
    """Raise BlazeFaceError where a network finds no face in any of the pictures: ranges that were taken without one do not
    hold where there is one."""
    run = torch_run(network.eval())
    for start in range(0, len(pictures), BATCH):
        batch = np.stack([prepare(picture, network.spec)[0] for picture in pictures[start : start + BATCH]])
        if (sigmoid(run(batch)[0]) >= network.spec.score_threshold).any():
            return
    raise BlazeFaceError(
        f"--precision int8: no face was found in the {len(pictures):,} pictures of the calibration, whose ranges would not"
        " hold for one: name other data with --data"
    )


def calibration_pictures(root: Path, count: int) -> list[Image]:
    """An even choice of `count` train pictures of a data folder, BGR; those that cannot be read
    are passed over. Raises BlazeFaceError when none can."""
    chosen = chosen_evenly(load_split(root, "train"), count)
    pictures = []
    for sample in tqdm(chosen, desc="reading train pictures", unit="picture", leave=False, disable=None):
        try:
            pictures.append(read_picture(str(sample.path)))
        except BlazeFaceError:
            continue
    if not pictures:
        raise BlazeFaceError(f"{root}: none of {len(chosen)} train pictures can be read")
    return pictures
