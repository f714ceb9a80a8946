"""A report as a table for the terminal."""

from __future__ import annotations

from blazeface.evaluation.columns import ALARMS, BINS, KEYPOINTS
from blazeface.evaluation.report import Group, Report

HEADINGS = {**{f"AP {name}": name for name in BINS}, ALARMS: "FP", KEYPOINTS: "keypoints"}
"""Column heading of each figure."""

NAME, CELL = 16, 12


def table_text(report: Report) -> str:
    """One row for all pictures and one per source; under each value its 95 % interval, where there is one."""
    lines = [
        "AP at IoU 0.5 by relative face size; FP: false positives at score 0.5 per picture without a face;",
        "keypoints: median distance of eyes, nose and mouth over the distance between the eyes.",
        "",
        _line("", list(HEADINGS.values())),
        _line("counted", _counts(report)),
        *_rows("all", report),
    ]
    for source, group in report["by_source"].items():
        lines += _rows(source or "(no folder)", group)
    return "\n".join(lines)


def number(value: float | None) -> str:
    """Three decimals without the leading zero, as in .888; a dash where there is nothing to measure."""
    return "-" if value is None else f"{value:.3f}".removeprefix("0")


def _rows(name: str, group: Group) -> list[str]:
    rows = [_line(name, [number(group["figures"][key]) for key in HEADINGS])]
    if group["intervals"]:
        pairs = [group["intervals"][key] for key in HEADINGS]
        spans = ["" if pair is None else f"{number(pair[0])}-{number(pair[1])}" for pair in pairs]
        pictures = f"{group['pictures']:,} picture{'s' * (group['pictures'] != 1)}"
        rows.append(_line(f"  {pictures}", spans))
    return rows


def _counts(group: Group) -> list[str]:
    return [
        *(f"{count:,}" for count in group["faces"].values()),
        f"{group['faceless_pictures']:,}",
        f"{group['measured_keypoints']:,}",
    ]


def _line(name: str, cells: list[str]) -> str:
    return (f"{name[:NAME]:{NAME}s}" + "".join(f"{cell:>{CELL}s}" for cell in cells)).rstrip()
