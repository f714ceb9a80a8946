"""Limits: what passes, what is refused, and in which words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from wider_material import write_data

pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")

from blazeface.data.samples import load_split
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import Options
from blazeface.export.labelled import LabelledSet
from blazeface.export.make import export_network
from blazeface.export.parity import LIMITS, Limit, ParityReport
from blazeface.export.verify import Differences, inference_copy, torch_run
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace

INF = float("inf")


def differences(largest: float) -> Differences:
    return Differences(largest, largest / 2, 1.0, 1.0, 0.0, 0.0, 3)


def scored(first: float | None, second: float | None, expected: float | None = 0.9) -> ParityReport:
    figures = [{"AP >=.1": one, "AP >=.05": two} for one, two in ((expected, expected), (first, second))]
    return ParityReport(differences(0.0), None, 1234, *figures)


@pytest.mark.parametrize(
    ("precision", "proof", "faults"),
    [
        ("float32", ParityReport(differences(9e-5)), 0),
        ("float32", ParityReport(differences(1.1e-4)), 1),
        ("float16", ParityReport(differences(9e-3)), 0),
        ("float16", ParityReport(differences(1.1e-2)), 1),
        ("int8", ParityReport(differences(0.3)), 0),
        ("int8", ParityReport(differences(INF)), 1),
        ("float16", scored(0.8981, 0.9019), 0),
        ("float16", scored(0.8979, 0.9), 1),
        ("float16", scored(0.8979, 0.9021), 2),
        ("int8", scored(0.8901, 0.5), 0),
        ("int8", scored(0.8899, 0.9), 1),
        ("int8", scored(None, 0.9), 1),
        ("int8", scored(None, None, expected=None), 1),
        ("int8", scored(0.0, 0.0, expected=0.0), 1),
        ("float32", ParityReport(checked="its tables were read"), 0),
    ],
)
def test_limits(precision: str, proof: ParityReport, faults: int) -> None:
    found = proof.faults(LIMITS[precision])
    assert len(found) == faults, found


def test_a_fault_says_how_much_and_on_what() -> None:
    (fault,) = scored(0.88, 0.9).faults(LIMITS["int8"])
    assert fault == "AP >=.1 is 0.8800 on 1,234 pictures, PyTorch's 0.9000: more than 0.01 apart"


@pytest.fixture(scope="module")
def labelled(network: BlazeFace, tmp_path_factory: pytest.TempPathFactory) -> LabelledSet:
    data = write_data(tmp_path_factory.mktemp("data") / "faces", train=1, val=6)
    (data / "WIDER_val" / "images" / "drawn" / "4.jpg").write_bytes(b"broken")
    return LabelledSet(inference_copy(network), load_split(data, "val"))


def test_an_exam_scores_as_evaluate_does_and_names_what_it_could_not_read(
    network: BlazeFace, labelled: LabelledSet
) -> None:
    assert labelled.pictures == 5 and len(labelled.left_out) == 1 and "4.jpg" in labelled.left_out[0]
    assert labelled.figures(torch_run(inference_copy(network)), "again") == labelled.expected
    # A runtime that sees no face at all finds none.
    blind = labelled.figures(
        lambda batch: (np.full((len(batch), 144), -9.0), np.zeros((len(batch), 144, 16))), "blind"
    )
    assert blind["AP >=.1"] == 0.0


def test_the_report_beside_the_file(
    network: BlazeFace, photographs: list[Image], labelled: LabelledSet, tmp_path: Path
) -> None:
    path = tmp_path / "x.tflite"
    proof = export_network(network, path, "tflite", Options(batch=2), photographs, labelled)
    report = json.loads((tmp_path / "x.tflite.report.json").read_text())
    assert (report["file"], report["format"], report["precision"], report["batch"]) == (
        "x.tflite",
        "tflite",
        "float32",
        2,
    )
    assert report["bytes"] == path.stat().st_size and len(report["sha256"]) == 64
    assert report["runtime"].startswith("LiteRT 2")
    assert report["limits"] == {"largest": 1e-4, "ap": 0.002, "columns": ["AP >=.1", "AP >=.05"]}
    assert 0 < report["differences"]["mean_scores"] < report["differences"]["scores"] < 1e-5
    assert report["accuracy"]["pictures"] == 5
    assert report["accuracy"]["file"] == report["accuracy"]["pytorch"] == labelled.expected
    assert str(tmp_path) not in json.dumps(report)
    assert "val, 5 pictures" in proof.table() and "largest" in proof.table()


def test_over_the_limit_nothing_is_written(
    network: BlazeFace,
    photographs: list[Image],
    labelled: LabelledSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(b"the one before")
    with pytest.raises(
        BlazeFaceError, match=r"x\.tflite: not written: LiteRT: it and PyTorch differ by more than 1e-09"
    ):
        export_network(network, path, "tflite", Options(), photographs, limit=Limit(1e-9, 0.1))
    monkeypatch.setattr(labelled, "expected", {**labelled.expected, "AP >=.1": 0.7})
    with pytest.raises(
        BlazeFaceError, match=r"not written: LiteRT: AP >=\.1 is 0\.\d{4} on 5 pictures, PyTorch's 0\.7"
    ):
        export_network(network, path, "tflite", Options("int8", calibration=photographs), photographs, labelled)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.tflite"]
    assert path.read_bytes() == b"the one before"


@pytest.mark.slow
def test_killed_in_the_middle_nothing_half_written_is_there(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from small_network import small_network\n"
        "from blazeface.export import make; from blazeface.export.pictures import synthetic_pictures\n"
        "def slow(*a, **k):\n  print('proving', flush=True); import time; time.sleep(60)\n"
        "make.check_parity = slow\n"
        "make.export_network(small_network(), Path(sys.argv[1]), 'tflite', make.Options(), synthetic_pictures())"
    )
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "x.tflite")],
            cwd=Path(__file__).parents[1],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(tmp_path.parent)},
        )
        assert child.stdout is not None and child.stdout.readline() == b"proving\n"
        time.sleep(0.1)
        child.send_signal(stop)
        child.wait(30)
        assert list(tmp_path.iterdir()) == []
