"""The files of a check: its numbers, the plot of sizes and the contact sheets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from blazeface.data.check.batches import first_inputs
from blazeface.data.check.histogram import draw_sizes
from blazeface.data.check.sheets import Tile, around, label_sheet, tile_of
from blazeface.data.check.split import SplitCheck
from blazeface.data.check.suspicious import KINDS
from blazeface.data.crops import CropRecipe
from blazeface.data.even_choice import chosen_evenly
from blazeface.errors import BlazeFaceError, install_command
from blazeface.files.pictures import read_picture, write_picture
from blazeface.files.staged import staged_file, write_text

TILES = 48
"""Pictures of a sheet."""

Splits = Mapping[str, SplitCheck]
Pairs = Sequence[tuple[int, int]]


def write_numbers(splits: Splits, both: Pairs, path: Path) -> None:
    """All numbers of a check as JSON; both: pictures of val and of train that look alike, by position."""
    numbers = {split: check.to_dict() for split, check in splits.items()}
    if "val" in splits:
        val, train = splits["val"].samples, splits["train"].samples
        numbers["val_like_train"] = {str(val[i].path): str(train[j].path) for i, j in both}
    write_text(path, json.dumps(numbers, indent=1) + "\n")


def write_sizes(splits: Splits, path: Path) -> None:
    """The plot of face sizes. Raises BlazeFaceError without matplotlib."""
    try:
        with staged_file(path) as part:
            draw_sizes([(split, check.sizes) for split, check in splits.items()], part)
    except ImportError as error:
        raise BlazeFaceError(
            f"{path.name} is drawn with matplotlib: {install_command('train')} ({error})"
        ) from error


def write_labels(check: SplitCheck, path: Path) -> None:
    """An even choice of a split's pictures, whole, with their labels."""
    tiles = [_tile(check, position) for position in chosen_evenly(check.readable, TILES)]
    title = f"{len(tiles)} of {len(check.samples):,} pictures of {check.split}"
    write_picture(path, label_sheet(tiles, title))


def write_turned(splits: Splits, path: Path) -> None:
    """Pictures that EXIF turns, as they are read, with their labels: those drawn another way lie beside their faces."""
    tiles = []
    for check in splits.values():
        for i in chosen_evenly(check.turned, TILES // len(splits)):
            tiles.append(_tile(check, i, f"EXIF {check.looks[i].orientation}: {check.split} "))
    write_picture(path, label_sheet(tiles, f"{len(tiles)} pictures that EXIF turns"))


def write_batches(train: SplitCheck, input_size: int, recipe: CropRecipe, seed: int, path: Path) -> None:
    """The first inputs of a training run of this recipe. Raises BlazeFaceError without the packages that training needs."""
    samples = [train.samples[i] for i in train.readable]
    crops = first_inputs(samples, input_size, recipe, seed, TILES)
    tiles = [tile_of(crop.image, crop, f"input {number}") for number, crop in enumerate(crops)]
    write_picture(path, label_sheet(tiles, f"the first {TILES} inputs of training, seed {seed}"))


def write_doubtful(splits: Splits, path: Path) -> None:
    """Doubtful labels with what surrounds them, as many of each kind as there is room for."""
    tiles = []
    for kind in KINDS:
        found = [(check, doubt) for check in splits.values() for doubt in check.doubts if doubt.kind == kind]
        for check, doubt in chosen_evenly(found, TILES // len(KINDS)):
            tiles.append(around(_tile(check, doubt.picture, f"{kind}: {check.split} ", doubt.face)))
    write_picture(path, label_sheet(tiles, "doubtful labels"))


def write_duplicates(splits: Splits, both: Pairs, path: Path) -> None:
    """Pairs of pictures of val and of train that look alike, side by side."""
    tiles = []
    for i, j in chosen_evenly(both, TILES // 2):
        tiles += [_tile(splits["val"], i, "val: "), _tile(splits["train"], j, "train: ")]
    write_picture(path, label_sheet(tiles, f"{len(both):,} pictures of val that look like one of train"))


def _tile(check: SplitCheck, position: int, before: str = "", marked: int = -1) -> Tile:
    sample = check.samples[position]
    return tile_of(read_picture(str(sample.path)), sample, before + sample.path.name, marked)
