"""A report as a table, for the terminal and in Markdown."""

from __future__ import annotations

from blazeface.evaluation.calibration import Calibration
from blazeface.evaluation.columns import BINS, FALSE_POSITIVES, KEYPOINTS
from blazeface.evaluation.headline import SIZES, Headline
from blazeface.evaluation.points import FAILURE
from blazeface.evaluation.report import Group, Report
from blazeface.files.names import printable

HEADINGS = {**{f"AP {name}": name for name in BINS}, FALSE_POSITIVES: "FP", KEYPOINTS: "keypoints"}
"""Column heading of each figure."""

EXPLANATION = (
    "AP at IoU 0.5 by relative face size; FP: false positives at score 0.5 per picture without a face;",
    "keypoints: median distance of eyes, nose and mouth over the distance between the eyes.",
)
POINTS_TITLE = (
    f"Keypoints: distance over that between the eyes, and the share of faces where it is over {FAILURE:g}:"
)
POINTS_HEADINGS = ["faces", "mean", "median", "failures"]

NAME, CELL = 17, 12

HEADLINE_HEADINGS = [
    "faces",
    "recall >=.1",
    "95 %",
    "recall >=.05",
    "95 %",
    "AP >=.1",
    "AP >=.05",
    "AP75 >=.1",
    "AP75 >=.05",
]


def table_text(report: Report) -> str:
    """One row for all pictures and one per source; under each value its 95 % interval, where there is one."""
    lines = [
        *headline_text(report["headline"]),
        *EXPLANATION,
        "",
        _line("", list(HEADINGS.values())),
        _line("counted", _counts(report)),
        *_rows("all", report),
    ]
    for source, group in report["by_source"].items():
        lines += _rows(source or "(no folder)", group)
    lines += ["", "By COCO's rules, all pictures:", *(_line(name, cells) for name, cells in coco_rows(report))]
    if report["points"]:
        lines += ["", POINTS_TITLE, _line("", POINTS_HEADINGS)]
        lines += [_line(name, cells) for name, cells in point_rows(report)]
    lines += ["", calibration_line(report["calibration"])]
    return "\n".join(map(printable, lines))


def markdown(report: Report, title: str) -> str:
    """The same tables in Markdown, the sources by their figures alone."""
    groups: dict[str, Group] = {
        "all": report,
        **{plain(name): group for name, group in report["by_source"].items()},
    }
    intervals = report["intervals"]
    spans = [intervals[key] for key in HEADINGS] if intervals else []
    rows = [["counted", *_counts(report)]]
    for name, group in groups.items():
        rows.append([name or "(no folder)", *(number(group["figures"][key]) for key in HEADINGS)])
        if name == "all" and spans:
            rows.append(["95 %", *("-" if p is None else f"{number(p[0])}-{number(p[1])}" for p in spans)])
    headline = [[plain(name), *cells] for name, cells in headline_rows(report["headline"])]
    parts = [f"# {plain(title)}"]
    if headline:
        parts += [*headline_notes(report["headline"]), "", markdown_table(["", *HEADLINE_HEADINGS], headline), ""]
    parts += [*EXPLANATION, "", markdown_table(["", *HEADINGS.values()], rows)]
    parts += [
        "",
        "By COCO's rules:",
        "",
        markdown_table(["", *BINS], [[name, *cells] for name, cells in coco_rows(report)]),
    ]
    if report["points"]:
        points = [[name, *cells] for name, cells in point_rows(report)]
        parts += ["", POINTS_TITLE, "", markdown_table(["", *POINTS_HEADINGS], points)]
    parts += ["", calibration_line(report["calibration"])]
    return "\n".join(parts) + "\n"


def headline_text(headline: Headline) -> list[str]:
    """The headline for the terminal; nothing where there is no picture without a face, or none with one."""
    rows = headline_rows(headline)
    if not rows:
        return []
    width = max(len(name) for name, _ in rows) + 1
    lines = [" " * width + "".join(f"{heading:>{CELL + 1}s}" for heading in HEADLINE_HEADINGS)]
    lines += [f"{name:{width}s}" + "".join(f"{cell:>{CELL + 1}s}" for cell in cells) for name, cells in rows]
    return [*headline_notes(headline), "", *lines, ""]


def headline_notes(headline: Headline) -> list[str]:
    """What the rows of `headline_rows` mean, and the thresholds behind them."""
    allowed = headline["false_positives_per_thousand"]
    return [
        f"Recall at IoU 0.5, by relative face size, at the score above which {allowed} false positives are left in 1,000",
        "pictures without a face; AP (at IoU 0.5) and AP75 (at 0.75) over the same pictures.",
        *(
            f"- {name}: score above {number(row['threshold'])}, {row['left']} in {row['pictures']:,} pictures"
            for name, row in headline["thresholds"].items()
        ),
    ]


def headline_rows(headline: Headline) -> list[tuple[str, list[str]]]:
    """A row for each group of faces and each group of face-less pictures."""
    rows = []
    for name, group in headline["recall"].items():
        for at, recall in group["recall"].items():
            cells = ["/".join(f"{count:,}" for count in group["faces"].values())]
            for size in SIZES:
                pair = group["intervals"][at][size] if group["intervals"] else None
                cells += [number(recall[size]), "-" if pair is None else f"{number(pair[0])}-{number(pair[1])}"]
            cells += [number(group[kind][at][size]) for kind in ("ap50", "ap75") for size in SIZES]
            rows.append((f"{name}, {at}", cells))
    return rows


def calibration_line(calibration: Calibration) -> str:
    return (
        f"Expected calibration error: {number(calibration['error'])}, over {calibration['detections']:,} detections"
        f" of score {number(calibration['bins'][0]['low'])} or more."
    )


def coco_rows(report: Report) -> list[tuple[str, list[str]]]:
    """AP by COCO's rules in each size bin, at IoU 0.5, at 0.75, and over 0.5 to 0.95."""
    return [
        (title, [number(report["coco"][name][kind]) for name in BINS])
        for kind, title in (("ap50", "AP50"), ("ap75", "AP75"), ("ap", "AP50:95"))
    ]


def point_rows(report: Report) -> list[tuple[str, list[str]]]:
    """Faces, mean, median and failures of each keypoint."""
    return [
        (name, [f"{row['faces']:,}", number(row["mean"]), number(row["median"]), number(row["failures"])])
        for name, row in report["points"].items()
    ]


def markdown_table(headings: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown, its numbers to the right."""
    lines = [headings, ["---"] + ["---:"] * (len(headings) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plain(name: str) -> str:
    """A folder's or file's name as text in Markdown: no HTML, no end of its cell, no control character."""
    return printable(name).replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;").replace("`", "&#96;")


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
