"""Pictures from which int8 takes the ranges of its values."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from blazeface.data.samples import chosen_evenly, load_split
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image


def calibration_pictures(root: Path, count: int) -> list[Image]:
    """An even choice of `count` train pictures of a folder in the WIDER FACE layout, BGR; those that cannot be read
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
