"""benchmarks.search.measure: figures are replaced part by part, and the table shows what is there."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.search import measure
from benchmarks.search.report import draw_plot, markdown


def test_counts_of_a_frame_are_worked_out_by_hand() -> None:
    faces = np.array(
        [[0.0, 0, 20, 20], [50, 50, 90, 90], [100, 0, 110, 10]]
    )  # the last is too small to be asked for
    unsure = np.array([[200.0, 200, 230, 230]])
    boxes = np.array([[1.0, 1, 21, 21], [100, 0, 110, 10], [201, 201, 231, 231], [300, 300, 330, 330]])
    counts = measure.Counts()
    counts.add(boxes, faces, unsure)
    assert counts.figures() == {"faces_a_frame": 4.0, "recall": 0.5, "precision": 0.75, "frames": 1}


def test_some_figures_are_replaced_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "search.json"
    assert measure.stored(path)["street"] == {}
    path.write_text(json.dumps({"street": {"640": {"a": {"recall": 0.5, "mean_cpu_ms": 7.0}}}}), encoding="utf-8")
    result = measure.stored(path)
    measure.update(result["street"]["640"], {"a": {"recall": 0.6}, "b": {"recall": 0.7}})
    assert result["street"]["640"] == {"a": {"recall": 0.6, "mean_cpu_ms": 7.0}, "b": {"recall": 0.7}}
    assert result["weights"] == {}


def test_each_part_alone_writes_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With stand-ins for what takes long: accuracy first, times after it, and one model's rows anew."""
    clip = tmp_path / "clip.mp4"
    monkeypatch.setattr(measure, "RESULTS", tmp_path)
    monkeypatch.setattr(measure, "__file__", str(tmp_path / "measure.py"))
    (tmp_path / "clip.json").write_text(json.dumps({"width": 640, "frames": [{}]}), encoding="utf-8")
    found = {"faces_a_frame": 1, "recall": 0.5, "precision": 1, "frames": 1}
    monkeypatch.setattr(measure, "found_in_street", lambda args, *_: {name: dict(found) for name in args.models})
    times = {"cpu_ms": 2.0, "mean_cpu_ms": 3.0}
    monkeypatch.setattr(
        measure, "times_in_street", lambda args, width: {name: dict(times) for name in args.models}
    )
    given: dict[str, Any] = {"video": clip, "peers": None, "data": None, "every": 1}
    steps: list[dict[str, Any]] = [
        {"models": ["front-128", "back-256"], "only": ("street",)},
        {"models": ["front-128"], "only": ("times",)},
    ]
    for step in steps:
        monkeypatch.setattr(measure, "parsed", lambda step=step: SimpleNamespace(**given, **step))
        measure.main()
    result = json.loads((tmp_path / "search.json").read_text(encoding="utf-8"))
    assert result["street"]["640"] == {"front-128": found | times, "back-256": found}
    assert set(result["weights"]) == {"front-128", "back-256"}
    table = (tmp_path / "search.md").read_text(encoding="utf-8")
    assert "| 640 | front-128 | 1 | 0.5 | 1 | 3 |" in table
    assert "| 640 | back-256 | 1 | 0.5 | 1 | - |" in table
    assert (tmp_path / "search.png").read_bytes()[:4] == b"\x89PNG"


def test_a_table_without_times_has_no_line_about_them(tmp_path: Path) -> None:
    result = {
        "machine": {},
        "weights": {"a": "0123"},
        "street": {"640": {"a": {"recall": 1}}},
        "photograph": {},
        "val": {},
    }
    assert markdown(result).splitlines()[-1] == "Weights (SHA-256): a 0123."
    draw_plot(result, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
