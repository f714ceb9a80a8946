"""The table of recall in use and its chart, from reports as they are written."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest

from benchmarks.accuracy import in_use


def report(recall: float, hard: bool) -> dict[str, Any]:
    sizes = {">=.1": recall, ">=.05": recall - 0.1}
    ap = {".1-.2": 0.8, ">=.1": 0.9, ">=.05": 0.85}
    group = {
        "pictures": 9,
        "faces": {">=.1": 20, ">=.05": 30},
        "recall": {"houses": sizes},
        "intervals": {"houses": {">=.1": [recall - 0.02, recall + 0.02], ">=.05": None}},
        "ap50": {"houses": ap},
        "ap75": {"houses": {**ap, ">=.1": 0.4}},
    }
    content: dict[str, Any] = {
        "headline": {"false_positives_per_thousand": 10, "thresholds": {}, "recall": {"general": group}},
        "figures": {"keypoint error": 0.09},
        "calibration": {"error": 0.0312, "detections": 5, "bins": []},
        "robustness": None,
        "centred": {},
        "clips": {},
    }
    if hard:
        row = {"faces": 20, "recall": 0.7, "interval": None}
        content["robustness"] = {
            "at": "houses",
            "threshold": 0.5,
            "pictures": 9,
            "conditions": {"clean": row, "roll 90": row},
        }
        content["centred"] = {"astronaut": {"faces": 1, "places": 200, "lowest": 0.6, "median": 0.8}}
        content["clips"] = {
            "a.mp4": {"frames": 300, "over": 1.0, "lowest": 0.6, "median": 0.9},
            "b.mp4": {"frames": 100, "over": 0.6, "lowest": 0.4, "median": 0.7},
        }
    return content


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in (
        ("front-128", report(0.9, True)),
        ("yunet-n-160", report(0.95, False)),
        ("haar", {"figures": {}}),
    ):
        (tmp_path / f"{name}.report.json").write_text(json.dumps(content))
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *flags: object) -> int:
    monkeypatch.setattr(sys, "argv", ["in_use", *map(str, flags)])
    return in_use.main()


def test_a_row_a_detector_and_a_dash_for_what_was_not_measured(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "in_use.md"
    assert run(monkeypatch, "--reports", folder, "--speed", tmp_path / "none.json", "--out", out) == 0
    text = out.read_text()
    first = "| **front-128, onnxruntime** | .900 | .800 | - | - | - | - | .800 | .900 | .850 | .400 | .090 |"
    assert first in text
    assert "| YuNet_n at 160 | .950 | .850 |" in text and "Haar" not in text  # an old report has no headline
    assert "| **front-128, onnxruntime** | .700 | .700 |" in text
    assert "| **front-128, onnxruntime** | .600 | .800 | - | - | .900 | .031 |" in text
    assert "| YuNet_n at 160 | - | - | - | - | - | .031 |" in text
    assert "| YuNet_n at 160: general, houses | 20/30 | .950 | .930-.970 | .850 | - |" in text
    assert not out.with_suffix(".png").exists()


def test_the_chart_needs_speeds_of_the_same_detectors(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, speed = tmp_path / "in_use.md", tmp_path / "speed.json"
    rows = {
        "front-128, onnxruntime": {"median_ms": 1.3},
        "YuNet_n at 160": {"median_ms": 2.4},
        "other": {"median_ms": 9},
    }
    content = {"machine": {"busy": True}, "threads": {"1": rows}}
    assert in_use.timed(in_use.load(folder), content) == {"front-128, onnxruntime": 1.3, "YuNet_n at 160": 2.4}
    speed.write_text(json.dumps(content))
    assert run(monkeypatch, "--reports", folder, "--speed", speed, "--out", out) == 0
    image = cv2.imread(str(out.with_suffix(".png")))
    assert image is not None and image.shape[1] > 1000


def test_without_a_report_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "--reports", tmp_path, "--out", tmp_path / "in_use.md") == 0
    assert list(tmp_path.iterdir()) == []
