"""Write the tables of measured results into README.md and docs/benchmarks.md, from the shipped reports.

python tools/results_table.py            # rewrite both, and benchmarks/results/accuracy.md
python tools/results_table.py --check    # status 1 when one of them says something else
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from blazeface.evaluation.columns import BINS, KEYPOINTS
from blazeface.evaluation.table import markdown_table, number

ROOT = Path(__file__).parents[1]
README, BENCHMARKS = ROOT / "README.md", ROOT / "docs" / "benchmarks.md"
END = "<!-- end of results -->"

WEIGHTS, RESULTS = ROOT / "blazeface" / "weights", ROOT / "benchmarks" / "results"
PEERS = RESULTS / "peers"
REPORTS = {
    "**front-128** (this project, 128 px)": WEIGHTS / "front-128.report.json",
    "**back-256** (this project, 256 px)": WEIGHTS / "back-256.report.json",
    "paper-128, the paper's network (this project, 128 px)": WEIGHTS / "paper-128.report.json",
    "MediaPipe short range, imported (128 px)": RESULTS / "short-range.report.json",
    "MediaPipe short range, fine-tuned here (128 px)": RESULTS / "short-range-finetuned.report.json",
    "MediaPipe full range dense, imported (192 px)": RESULTS / "full-range-dense.report.json",
    "MediaPipe back camera, imported (256 px)": RESULTS / "back-camera.report.json",
    "MediaPipe 0.10.21, short range (128 px)": PEERS / "mediapipe-short.report.json",
    "MediaPipe 0.10.21, full range sparse (192 px)": PEERS / "mediapipe-full-sparse.report.json",
    "YuNet 2023mar (128 px)": PEERS / "yunet-128.report.json",
    "YuNet 2023mar (320 px)": PEERS / "yunet-320.report.json",
    "YuNet_n (128 px)": PEERS / "yunet-n-128.report.json",
    "YuNet_n (160 px)": PEERS / "yunet-n-160.report.json",
    "YuNet_n (256 px)": PEERS / "yunet-n-256.report.json",
    "CenterFace (640 px)": PEERS / "centerface-640.report.json",
    "CenterFace (native size)": PEERS / "centerface-native.report.json",
    "MTCNN (whole picture)": PEERS / "mtcnn.report.json",
    "Haar cascade (whole picture)": PEERS / "haar.report.json",
}
"""Row title and the report of `blazeface evaluate`, or of benchmarks/accuracy/peers.py, behind it; a row without its report, or
with one of other pictures than the first, is left out."""

Content = dict[str, Any]


COLUMNS = {
    "H >=.1": ("general", "houses", ">=.1"),
    "H >=.05": ("general", "houses", ">=.05"),
    "A >=.1": ("general", "animals and objects", ">=.1"),
    "A >=.05": ("general", "animals and objects", ">=.05"),
    "crowds H >=.05": ("crowds", "houses", ">=.05"),
}
"""Heading of a recall, and where it stands in a report's headline."""


def table(reports: dict[str, Content]) -> str:
    """The table in Markdown: a row a model, a column a figure."""
    rows = []
    for title, report in reports.items():
        recall, figures = report["headline"]["recall"], report["figures"]
        values = [recall[faces]["recall"][faceless][size] for faces, faceless, size in COLUMNS.values()]
        values += [figures[name] for name in ("AP .1-.2", "AP >=.1", "AP >=.05", KEYPOINTS)]
        rows.append([title, *map(number, values)])
    heads = ["", *COLUMNS, "AP .1-.2", "AP >=.1", "AP >=.05", "keypoints"]
    return markdown_table(heads, rows)


def accuracy() -> str:
    """The README's table of accuracy."""
    reports = load()
    if not reports:
        sys.exit(f"there is no report yet: {WEIGHTS / 'front-128.report.json'} is the first")
    return table(reports)


def speed() -> str:
    """The table of speed: one thread, medians."""
    path = RESULTS / "speed.json"
    if not path.exists():
        return "Not measured yet: `make benchmark-speed`."
    content = json.loads(path.read_text(encoding="utf-8"))
    about, found, starts = content["machine"], content["threads"]["1"], content["starts"]
    rows = [
        [
            f"**{title}**" if title.startswith("front-128") else title,
            *(f"{row[column]:.2f}" for column in ("median_ms", "p95_ms")),
            f"{row['peak_mb']:.0f}" if row["peak_mb"] else "-",
            f"{starts[title]['install_mb']:.0f}",
            f"{starts[title]['import_s']:.2f}",
        ]
        for title, row in sorted(found.items(), key=lambda item: item[1]["median_ms"])
    ]
    busy = " **Provisional: measured on a busy machine.**" if about["busy"] else ""
    return f"One thread of {about['cpu']} ({about['cores']} cores), {about['date']}.{busy}\n\n" + markdown_table(
        ["", "median ms", "p95 ms", "peak MB", "installed MB", "import s"], rows
    )


IN_SENTENCE = ("front-128, onnxruntime", "YuNet_n at 160", "MediaPipe 0.10.21, short range", "CenterFace, native")
"""The rows of speed.json that the README's sentence on time names."""


def times() -> str:
    """The README's sentence on time: end to end on one thread."""
    path = RESULTS / "speed.json"
    if not path.exists():
        return "Times are not measured yet: `make benchmark-speed`."
    found = json.loads(path.read_text(encoding="utf-8"))["threads"]["1"]
    ours, yunet, google, centerface = (f"{found[title]['median_ms']:.1f}" for title in IN_SENTENCE)
    return (
        "The same recall against the time from a 1280 x 720 picture to boxes, on one thread:"
        f" `front-128` takes {ours} ms with\nonnxruntime, YuNet_n at 160 pixels {yunet}, MediaPipe's short range {google},"
        f" CenterFace at native size {centerface}\n([all times](docs/benchmarks.md#speed)):"
    )


PLACES: tuple[tuple[Path, str, Callable[[], str]], ...] = (
    (README, "<!-- results: written by tools/results_table.py -->", accuracy),
    (README, "<!-- times: written by tools/results_table.py -->", times),
    (BENCHMARKS, "<!-- speed: written by tools/results_table.py -->", speed),
)
"""A page, where a written part of it begins, and what writes that part; each ends at END."""


def load() -> dict[str, Content]:
    """Reports by title: of those that were measured on the pictures of the first, front-128's."""
    found: dict[str, Content] = {
        title: json.loads(path.read_text(encoding="utf-8")) for title, path in REPORTS.items() if path.exists()
    }
    pictures = found[next(iter(found))]["pictures"] if found else 0
    return {title: report for title, report in found.items() if report["pictures"] == pictures}


def rewritten(page: Path, text: str) -> str:
    """The text of a page with fresh parts between its markers."""
    for place, begin, write in PLACES:
        if place == page:
            before, rest = text.split(begin)
            _, after = rest.split(END, 1)
            text = f"{before}{begin}\n{write()}\n{END}{after}"
    return text


def full_report() -> str:
    """All figures of all detectors, for benchmarks/results/accuracy.md."""
    reports = load()
    parts = [
        "# Accuracy",
        "Written by `tools/results_table.py` from the report of each detector. The rules are in docs/evaluation.md.",
        "",
        table(reports),
        "",
        "## By COCO's rules, AP50:95",
        "",
        markdown_table(
            ["", *BINS],
            [
                [title, *(number(report["coco"][name]["ap"]) for name in BINS)]
                for title, report in reports.items()
                if "coco" in report
            ],
        ),
        "",
        "## Keypoints: median and mean error over the distance between the eyes, share of faces over 0.1",
        "",
        keypoint_table(reports),
        "",
        "## How other people's detectors saw the pictures",
        *(
            f"- {title}: {report['sees']}; {versions(report)}; {report['date']}"
            for title, report in reports.items()
            if "sees" in report
        ),
    ]
    missing = PEERS / "missing.json"
    if missing.exists():
        names = json.loads(missing.read_text(encoding="utf-8"))
        parts += ["", "## Missing", *(f"- {name}: {reason}" for name, reason in names.items())] if names else []
    return "\n".join(parts) + "\n"


def keypoint_table(reports: dict[str, Content]) -> str:
    measured = {title: report["points"] for title, report in reports.items() if report.get("points")}
    names = list(max(measured.values(), key=len, default={}))
    rows = [
        [
            title,
            *(" ".join(number(points[name][kind]) for kind in KINDS) if name in points else "-" for name in names),
        ]
        for title, points in measured.items()
    ]
    return markdown_table(["", *names], rows)


KINDS = ("median", "mean", "failures")


def versions(report: Content) -> str:
    return ", ".join(f"{name} {version}" for name, version in report["versions"].items())


if __name__ == "__main__":
    checking = "--check" in sys.argv
    for page in dict.fromkeys(page for page, _, _ in PLACES):
        old = page.read_text(encoding="utf-8")
        new = rewritten(page, old)
        if checking and new != old:
            sys.exit(f"{page.name}: its results differ from the shipped reports")
        if not checking:
            page.write_text(new, encoding="utf-8")
    if not checking:
        (RESULTS / "accuracy.md").write_text(full_report(), encoding="utf-8")
