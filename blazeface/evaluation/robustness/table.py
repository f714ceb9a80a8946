"""Robustness, centred faces, clips and calibration as lines of text and in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from blazeface.evaluation.robustness.centred import FACE, Centred
from blazeface.evaluation.robustness.clips import SCORE, Clip
from blazeface.evaluation.robustness.measure import ConditionRecall, Robustness
from blazeface.evaluation.table import markdown_table, number


class Hardness(TypedDict):
    """What `evaluate --robustness` and `--clips` add to a report: centred by picture, clips by file name."""

    robustness: Robustness | None
    centred: dict[str, Centred]
    clips: dict[str, Clip]


def hardness_text(found: Hardness) -> str:
    """For the terminal."""
    lines = []
    for title, headings, rows in _tables(found):
        width = max(len(row[0]) for row in rows) + 2
        lines += ["", title, " " * width + "".join(f"{heading:>14s}" for heading in headings)]
        lines += [f"{row[0]:{width}s}" + "".join(f"{cell:>14s}" for cell in row[1:]) for row in rows]
    return "\n".join(lines)


def hardness_markdown(found: Hardness) -> str:
    """The same tables in Markdown."""
    return "".join(
        f"\n{title}\n\n{markdown_table(['', *headings], rows)}\n" for title, headings, rows in _tables(found)
    )


def _tables(found: Hardness) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, headings and rows of each table that has any."""
    tables = []
    measured = found["robustness"]
    if measured:
        title = (
            f"Recall of faces >=.1 in {measured['pictures']:,} pictures made harder, at the threshold of"
            f" {measured['at']} ({number(measured['threshold'])}):"
        )
        rows = [[name, *_condition(row)] for name, row in measured["conditions"].items()]
        tables.append((title, ["faces", "recall", "95 %"], rows))
    if found["centred"]:
        title = f"Score of a face of {number(FACE)} of the picture's side at 200 places about the middle:"
        rows = [
            [name, str(row["faces"]), number(row["lowest"]), number(row["median"])]
            for name, row in found["centred"].items()
        ]
        tables.append((title, ["faces", "lowest", "median"], rows))
    if found["clips"]:
        rows = [
            [name, f"{row['frames']:,}", number(row["over"]), number(row["lowest"]), number(row["median"])]
            for name, row in _clips(found["clips"])
        ]
        tables.append(("Best score of each frame:", ["frames", f"over {number(SCORE)}", "lowest", "median"], rows))
    return tables


def _condition(row: ConditionRecall) -> list[str]:
    pair = row["interval"]
    return [
        f"{row['faces']:,}",
        number(row["recall"]),
        "-" if pair is None else f"{number(pair[0])}-{number(pair[1])}",
    ]


def _clips(clips: Mapping[str, Clip]) -> list[tuple[str, Clip]]:
    return sorted(clips.items())
