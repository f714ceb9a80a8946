"""docs/first_steps.ipynb: runs from a picture to an exported model, and carries no output of an earlier run."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from blazeface import FaceDetector

NOTEBOOK = Path(__file__).parents[1] / "docs" / "first_steps.ipynb"


def test_it_holds_no_output() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert len(cells) > 10
    assert all(
        not cell["outputs"] and cell["execution_count"] is None for cell in cells if cell["cell_type"] == "code"
    )


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed (extra docs)")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed (extra docs)")
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed (extra tflite)")
    shutil.copy(NOTEBOOK, tmp_path)
    notebook = nbformat.read(tmp_path / NOTEBOOK.name, 4)
    nbclient.NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/jpeg" in output.get("data", {}) for output in outputs) == 3
    assert any("<table" in output.get("data", {}).get("text/html", "") for output in outputs)
    said = "".join(output.get("text", "") for output in outputs)
    assert "Error" not in said and "mine.onnx: front-128, float32" in said
    portrait = cv2.imread(str(NOTEBOOK.parents[1] / "data" / "pictures" / "astronaut.png"))
    assert portrait is not None
    for model in ("mine.onnx", "mine.tflite"):
        (face,) = FaceDetector(str(tmp_path / model)).detect(portrait.astype(np.uint8))
        np.testing.assert_allclose(face.box, (178, 73, 275, 170), atol=15)
