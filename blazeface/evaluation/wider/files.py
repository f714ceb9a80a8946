"""WIDER FACE's official files: the ground truth (.mat) and one text file of predictions for each picture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.errors import BlazeFaceError, install_command
from blazeface.evaluation.wider.protocol import SUBSETS, WiderTruth
from blazeface.files.names import printable
from blazeface.files.staged import staged_file, write_errors
from blazeface.geometry import Floats

COLUMNS = "x y w h score"


def read_truth(folder: Path) -> list[WiderTruth]:
    """The pictures of wider_face_val.mat, with what wider_{easy,medium,hard}_val.mat count, in the files' order.

    Raises BlazeFaceError for a file that is missing, damaged or about other pictures, and where SciPy is missing.
    """
    whole = folder / "wider_face_val.mat"
    events, names, boxes = _columns(whole, "event_list", "file_list", "face_bbx_list")
    subsets = {}
    for subset in SUBSETS:
        path = folder / f"wider_{subset}_val.mat"
        (subsets[subset],) = _columns(path, "gt_list")
        if [len(rows) for rows in subsets[subset]] != [len(rows) for rows in names]:
            raise BlazeFaceError(f"{printable(str(path))}: it is about other pictures than {whole.name}")
    truths = []
    try:
        for e, event in enumerate(events):
            for i in range(len(names[e])):
                faces = np.asarray(boxes[e][i][0], np.float64).reshape(-1, 4)
                counted = {subset: _mask(lists[e][i][0], len(faces)) for subset, lists in subsets.items()}
                truths.append(WiderTruth(str(event[0]), str(names[e][i][0][0]), faces, counted))
    except (IndexError, TypeError, ValueError) as error:
        raise BlazeFaceError(f"{printable(str(whole))}: not WIDER FACE's ground truth: {error}") from error
    return truths


def _mask(numbers: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """Numbers of boxes, from 1, as a mask."""
    chosen = np.asarray(numbers, np.int64).reshape(-1)
    if chosen.size and not 1 <= chosen.min() <= chosen.max() <= count:
        raise ValueError(f"a subset counts face {chosen.max()} of {count}")
    mask = np.zeros(count, bool)
    mask[chosen - 1] = True
    return mask


def _columns(path: Path, *keys: str) -> list[NDArray[Any]]:
    """Variables of a .mat file, each a column of one entry an event."""
    shown = printable(str(path))
    if not path.is_file():
        raise BlazeFaceError(f"{shown}: no such file (it comes with WIDER FACE's evaluation code)")
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise BlazeFaceError(f"{shown}: reading it needs SciPy: {install_command('train')} ({error})") from error
    try:
        content = loadmat(path, variable_names=keys)
        return [content[key][:, 0] for key in keys]
    except Exception as error:  # loadmat raises many types for a damaged file
        raise BlazeFaceError(f"{shown}: not WIDER FACE's ground truth: {error}") from error


def read_predictions(folder: Path, truths: list[WiderTruth]) -> list[Floats]:
    """The predictions of each picture from folder/EVENT/NAME.txt, (P, 5).

    A picture without its file is an error, not a picture in which nothing was found: that has a count of 0.
    """
    if not folder.is_dir():
        raise BlazeFaceError(f"{printable(str(folder))}: no such folder of predictions")
    paths = [prediction_path(folder, truth.event, truth.name) for truth in truths]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise BlazeFaceError(
            f"{printable(str(missing[0]))}: no such file; {len(missing):,} of {len(paths):,} pictures have no predictions"
        )
    return [read_prediction(path) for path in paths]


def prediction_path(folder: Path, event: str, name: str) -> Path:
    return folder / event / f"{name}.txt"


def read_prediction(path: Path) -> Floats:
    """One file: the picture's name, the number of predictions, then `x y w h score` for each: (P, 5) float64.

    Raises BlazeFaceError with the file and the line number of the first malformed line.
    """
    shown = printable(str(path))
    try:
        lines = path.read_text(encoding="utf-8").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BlazeFaceError(f"{shown}: cannot be read: {error}") from error
    name = lines[0].strip() if lines else ""
    if name.rpartition("/")[2].removesuffix(".jpg") != path.stem:
        raise BlazeFaceError(f"{shown}:1: expected the picture's name, {path.stem!r}, found {name[:80]!r}")
    count = lines[1].strip() if len(lines) > 1 else "the end of the file"
    if not (count.isascii() and count.isdigit()):
        raise BlazeFaceError(f"{shown}:2: expected the number of predictions, found {count[:80]!r}")
    rows = [_row(shown, number, line) for number, line in enumerate(lines[2:], 3)]
    if len(rows) != int(count):
        raise BlazeFaceError(f"{shown}:2: it announces {int(count):,} predictions, but {len(rows):,} follow")
    return np.array(rows, np.float64).reshape(-1, 5)


def _row(shown: str, number: int, line: str) -> list[float]:
    try:
        values = [float(column) for column in line.split()]
    except ValueError:
        values = []
    if len(values) != 5 or not all(map(math.isfinite, values)) or min(values[2:4]) < 0:
        raise BlazeFaceError(f"{shown}:{number}: expected `{COLUMNS}`, found {line.strip()[:80]!r}")
    return values


def write_prediction(folder: Path, event: str, name: str, predictions: Floats) -> None:
    """Write folder/EVENT/NAME.txt. predictions: (P, 5), `x y width height score`, kept to 1e-3 pixels and 1e-6."""
    path = prediction_path(folder, event, name)
    lines = [name, str(len(predictions))]
    lines += [" ".join(f"{value:.3f}" for value in row[:4]) + f" {row[4]:.6f}" for row in predictions.tolist()]
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with staged_file(path) as part:
            part.write_text("\n".join(lines) + "\n", encoding="utf-8")
