"""The table of docs/export.md says what benchmarks/results/export.json says, and that holds its limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.export import report
from blazeface.export.format_table import FORMATS
from blazeface.export.parity import LIMITS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "export.md"
RESULTS = ROOT / "benchmarks" / "results" / "export.json"


def results() -> dict[str, Any]:
    row = {
        "format": "tflite",
        "precision": "int8",
        "bytes": 144496,
        "differences": {"scores": 0.05, "coordinates": 0.07, "mean_scores": 0.002, "mean_coordinates": 0.003},
        "figures": {"AP >=.1": 0.9612, "AP >=.05": 0.907},
        "latency_ms": {"network": {"median": 0.7, "p95": 0.9}, "end to end": {"median": 1.234, "p95": 2.0}},
    }
    spec_only = {**row, "format": "coreml", "differences": None, "figures": None, "checked": "read"}
    del spec_only["latency_ms"]
    return {
        "model": "front-128",
        "val_pictures": 2462,
        "compared_pictures": 32,
        "calibration_pictures": 256,
        "pytorch": {"AP >=.1": 0.9589, "AP >=.05": None},
        "rounds": 200,
        "processor": "A Processor",
        "rows": [row, spec_only],
    }


def test_a_row_a_file_in_the_columns_order() -> None:
    lines = report.table(results()).splitlines()
    assert lines[2] == "| PyTorch |  |  |  | .9589 | - |  |  |"
    assert lines[3] == "| TFLite, int8 | 144 | 7.0e-02 | 3.0e-03 | .9612 | .9070 | 0.70 | 1.23 |"
    assert lines[4] == "| Core ML, int8 | 144 | not run here |  |  |  |  |  |"
    assert lines[6].startswith("front-128. AP on 2,462 val pictures, differences on 32,")


def test_rewriting_touches_the_table_only_and_settles() -> None:
    docs = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    new = report.rewritten(docs, results())
    assert (
        new.startswith(f"before\n{report.BEGIN}\n| ")
        and new.endswith(f"\n{report.END}\nafter\n")
        and "old" not in new
    )
    assert report.rewritten(new, results()) == new


def test_the_table_in_the_docs_is_that_of_the_results() -> None:
    text = DOCS.read_text(encoding="utf-8")
    if not RESULTS.exists():
        assert f"{report.BEGIN}\n{report.END}" in text, "docs/export.md has a table that no command wrote"
        return
    measured = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert report.rewritten(text, measured) == text, "run `make export-report DATA=ROOT`"
    everything = [(name, precision) for name, kind in FORMATS.items() for precision in kind.precisions]
    assert [(row["format"], row["precision"]) for row in measured["rows"]] == everything
    for row in measured["rows"]:
        limit, gap, figures = LIMITS[row["precision"]], row["differences"], row["figures"]
        if gap and limit.largest:
            assert max(gap["scores"], gap["coordinates"]) <= limit.largest
        for column in limit.columns if figures else ():
            assert abs(figures[column] - measured["pytorch"][column]) <= limit.ap
