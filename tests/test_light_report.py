"""The page of the light networks is filled from the report files, and the cards of the small networks from theirs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.lightweight.tables import FAMILY, TABLES, write_tables
from blazeface.errors import BlazeFaceError
from blazeface.files.checksum import verify_checksum
from tools.ship_small import ship

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "lightweight"
PAGE = ROOT / "docs" / "lightweight.md"


def test_the_page_holds_what_the_reports_say(tmp_path: Path) -> None:
    copy = tmp_path / "lightweight.md"
    copy.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    write_tables(RESULTS, copy)
    assert copy.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_what_refinement_gains_is_one_figure() -> None:
    """README, card and page say what the shipped report measured on all faces of val."""
    weights = ROOT / "blazeface" / "weights"
    report = json.loads((weights / "refine.report.json").read_text(encoding="utf-8"))
    gain = f"{report['gain']:.1%}"
    assert abs(report["gain"] - (1 - report["after"] / report["before"])) < 1e-3
    assert f"keypoints by a second network: {gain[:-1]} % less error" in (ROOT / "README.md").read_text(
        encoding="utf-8"
    )
    row = f"| {report['before']:.4f} | {report['after']:.4f} | {gain} |"
    assert f"| front-128 | {report['faces']:,} {row}" in (weights / "refine.md").read_text(encoding="utf-8")
    # The page compares networks that were trained and measured with the front-128 of before, now paper-128.
    former, page = report["paper-128"], PAGE.read_text(encoding="utf-8")
    assert f"| {former['before']:.4f} | {former['after']:.4f} | {former['gain']:.1%} |" in page
    assert f"{former['faces']:,} faces with" in page
    assert f"{report['back-256 of 2026-11-23']['faces']:,} with back-256" in page


def run_of(model: str, seed: int, value: float) -> dict[str, object]:
    figures = dict.fromkeys(("AP >=.1", "AP >=.05", "AP .1-.2", "keypoint error"), value)
    numbers = {
        "crops": 64,
        "epochs": 1,
        "batch": 16,
        "learning_rate": 0.003,
        "train_pictures": 64,
        "val_pictures": 9,
    }
    return {"model": model, "seed": seed, **numbers, "figures": figures}


def test_two_seeds_are_a_mean_and_half_their_distance() -> None:
    cost = {name: {"parameters": 1000, "macs": 34_140_672, "activations": 1} for name in FAMILY}
    rows = [run_of("paper-128", 0, 0.5), run_of("paper-128", 1, 0.6), run_of("xception-128", 0, 0.25)]
    found = {"cost": cost, "detectors": rows, "latency": {"milliseconds": {"paper-128.onnx": {"median": 1.5}}}}
    lines = TABLES["detectors"](found).splitlines()
    cell = "0.550 ± 0.050"
    assert lines[2] == f"| paper-128 | 2 | 1,000 | 34.1 M | {cell} | {cell} | {cell} | {cell} | 1.50 |  |"
    assert lines[7] == "| xception-128 | 1 | 1,000 | 34.1 M | 0.250 | 0.250 | 0.250 | 0.250 |  |  |"
    assert lines[3].startswith("| squeezenet-128 | 0 |")
    assert "3 runs of 12" in TABLES["schedule"](found)


def test_what_was_not_trained_is_said_to_be_missing() -> None:
    for name in ("schedule", "detectors", "lighten", "segment", "refine"):
        assert "Not trained yet" in TABLES[name]({})
    assert "not measured" in TABLES["machine"]({})


def test_a_page_without_a_place_for_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text("nothing\n")
    with pytest.raises(SystemExit, match="no place for the table '"):
        write_tables(RESULTS, tmp_path / "x.md")


def test_a_shipped_second_stage_matches_its_card(tmp_path: Path) -> None:
    run, folder = tmp_path / "run", tmp_path / "weights"
    run.mkdir()
    folder.mkdir()
    (run / "refine.onnx").write_bytes(b"one")
    (run / "model.safetensors").write_bytes(b"two")
    measured = {"faces": 10, "before": 0.1, "after": 0.075, "gain": 0.25, "by_source": {"lfw": [10, 0.1, 0.075]}}
    about = {"kind": "separable", "init": "dense", "epochs": 6, "seed": 0, "train_faces": 9, "parameters": 5}
    (run / "report.json").write_text(json.dumps({**about, "macs": 2e6, **measured}))
    (run / "back-256.json").write_text(json.dumps({**measured, "before": 0.09}))
    ship("refine", run, "in no time", folder)
    for name in ("refine.onnx", "refine.safetensors"):
        verify_checksum(folder / name)
    card = (folder / "refine.md").read_text()
    assert "| front-128 | 10 | 0.1000 | 0.0750 | 25.0% |" in card and "| back-256 | lfw | 10 |" in card
    assert "--kind dense --epochs 16" in card and "--kind separable --epochs 6 --init" in card
    (folder / "refine.onnx").write_bytes(b"three")
    with pytest.raises(BlazeFaceError, match="not the weights that were shipped"):
        verify_checksum(folder / "refine.onnx")
