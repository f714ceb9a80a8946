"""Logs of a training run: CSV, TensorBoard, and a plot of the curves."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from blazeface.files.staged import staged_file

STEP_COLUMNS = ("step", "epoch", "learning_rate", "loss", "score", "box", "keypoint", "images_per_second")


class TrainingLog:
    """log.csv (means over some steps), evaluations.csv, TensorBoard events and curves.png in a folder.

    start: the step a resumed run goes on from; later rows of an interrupted run are dropped, so that no
    step stands twice.
    """

    def __init__(self, folder: Path, start: int):
        from torch.utils.tensorboard import SummaryWriter

        self._folder = folder
        self._log = folder / "log.csv"
        self._evaluations = folder / "evaluations.csv"
        for path in (self._log, self._evaluations):
            drop_rows_after(path, start)
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=start + 1)

    def steps(self, row: dict[str, float]) -> None:
        """Add the means of the last steps (STEP_COLUMNS)."""
        append_row(self._log, row)
        for name, value in row.items():
            if name not in ("step", "epoch"):
                self._board.add_scalar(f"train/{name}", value, int(row["step"]))

    def evaluation(self, row: dict[str, float]) -> None:
        """Add the figures of an evaluation (step, epoch and any others) and draw the curves anew."""
        append_row(self._evaluations, row)
        for name, value in row.items():
            if name not in ("step", "epoch"):
                self._board.add_scalar(f"val/{name}", value, int(row["step"]))
        self._board.flush()
        draw_curves(self._log, self._evaluations, self._folder / "curves.png")

    def close(self) -> None:
        self._board.close()


def append_row(path: Path, row: dict[str, float]) -> None:
    """Add a row to a CSV file, with a header where it is new.

    Columns that are new since an earlier version wrote the file become NaN in its rows.
    """
    new = not path.exists() or path.stat().st_size == 0
    if not new:
        with path.open(newline="", encoding="utf-8") as file:
            header = next(csv.reader(file), [])
        if header != list(row):
            columns = dict.fromkeys([*row, *header], math.nan)
            before = read_rows(path)
            with staged_file(path) as part:
                part.touch()
                for old in before:
                    append_row(part, columns | old)
            row = columns | row
            new = not before
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow({name: f"{value:.6g}" for name, value in row.items()})


def drop_rows_after(path: Path, step: int) -> None:
    """Keep a CSV's rows up to a step; a row that a kill cut short goes too."""
    if not path.exists():
        return
    rows = [row for row in read_rows(path) if row.get("step", math.inf) <= step]
    with staged_file(path) as part:
        part.touch()
        for row in rows:
            append_row(part, row)


def read_rows(path: Path) -> list[dict[str, float]]:
    """The whole rows of a CSV as numbers."""
    if not path.exists():
        return []
    rows = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                rows.append({name: float(value) for name, value in row.items()})
            except (TypeError, ValueError):
                continue
    return rows


def draw_curves(log: Path, evaluations: Path, out: Path) -> None:
    """Losses and average precision against crops seen, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    steps, scores = read_rows(log), read_rows(evaluations)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name in ("loss", "score", "box", "keypoint"):
        left.plot([row["epoch"] for row in steps], [row[name] for row in steps], label=name)
    left.set(xlabel="epoch", ylabel="loss (weighted parts and their sum)", yscale="log")
    for name in (key for key in (scores[0] if scores else {}) if key.startswith("AP")):
        right.plot([row["epoch"] for row in scores], [row[name] for row in scores], marker=".", label=name)
    right.set(xlabel="epoch", ylabel="AP at IoU 0.5, by relative face size", ylim=(0, 1))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    with staged_file(out) as part:
        figure.savefig(part, dpi=110)
    pyplot.close(figure)
