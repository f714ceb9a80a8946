"""Write the table of measured results into the README, from the shipped reports.

python docs/results_table.py            # rewrite README.md
python docs/results_table.py --check    # status 1 when README.md says something else
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from blazeface.evaluation.table import HEADINGS, number

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- results: written by docs/results_table.py -->", "<!-- end of results -->"

WEIGHTS, RESULTS = ROOT / "blazeface" / "weights", ROOT / "benchmarks" / "results"
REPORTS = {
    "**front-128** (this project, 128 px)": WEIGHTS / "front-128.report.json",
    "MediaPipe short range, imported (128 px)": RESULTS / "short-range.report.json",
    "MediaPipe short range, fine-tuned here (128 px)": RESULTS / "short-range-finetuned.report.json",
    "MediaPipe full range dense, imported (192 px)": RESULTS / "full-range-dense.report.json",
    "MediaPipe back camera, imported (256 px)": RESULTS / "back-camera.report.json",
}
"""Row title and the report of `blazeface evaluate` behind it; a row without its report is left out."""


def table(reports: dict[str, dict[str, Any]]) -> str:
    """The table in Markdown: what was counted, then a row a model, a column a figure."""
    first = next(iter(reports.values()))
    for title, report in reports.items():
        if (report["pictures"], report["faces"]) != (first["pictures"], first["faces"]):
            sys.exit(f"{title}: was measured on other pictures than the first row")
    counted = [*first["faces"].values(), first["faceless_pictures"], first["measured_keypoints"]]
    rows = [
        ["", *HEADINGS.values()],
        ["---"] + ["---:"] * len(HEADINGS),
        [f"counted, in {first['pictures']:,} pictures", *(f"{count:,}" for count in counted)],
        *([title, *(number(report["figures"][key]) for key in HEADINGS)] for title, report in reports.items()),
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def rewritten(readme: str) -> str:
    """The README with a fresh table between its markers."""
    reports = {
        title: json.loads(path.read_text(encoding="utf-8")) for title, path in REPORTS.items() if path.exists()
    }
    if not reports:
        sys.exit(f"there is no report yet: {WEIGHTS / 'front-128.report.json'} is the first")
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table(reports)}\n{END}{after}"


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    new = rewritten(text)
    if "--check" not in sys.argv:
        README.write_text(new, encoding="utf-8")
    elif new != text:
        sys.exit("README.md: its results differ from the shipped reports")
