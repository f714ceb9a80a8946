"""From nothing installed to a face found; and what must be true of every tracked file."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / "blazeface" / "weights"


def tracked() -> list[Path]:
    """Tracked and new files; without git (an unpacked archive) the test is skipped."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if result.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / line for line in result.stdout.splitlines() if (ROOT / line).is_file()]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which nothing has been installed yet."""
    folder = tmp_path_factory.mktemp("bare") / "project"
    for path in tracked():
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
        copy.chmod(path.stat().st_mode)
    return folder


@pytest.fixture(scope="module")
def demo(bare: Path) -> subprocess.CompletedProcess[str]:
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(["make", "demo"], cwd=bare, env=env, capture_output=True, text=True, timeout=280)


def test_make_demo_finds_exactly_one_face(demo: subprocess.CompletedProcess[str], bare: Path) -> None:
    assert demo.returncode == 0, demo.stderr
    record = json.loads(demo.stdout)
    assert (record["width"], record["height"]) == (512, 512)
    (face,) = record["faces"]
    x1, y1, x2, y2 = face["box"]
    assert abs(x1 - 172) < 20
    assert abs(y1 - 68) < 20
    assert abs(x2 - 275) < 20
    assert abs(y2 - 171) < 20
    right_eye, left_eye, nose, mouth, right_ear, left_ear = face["keypoints"]
    # Where they are in the portrait, within a tenth of the face.
    for point, place in ((right_eye, (207, 95)), (left_eye, (247, 103)), (nose, (221, 125)), (mouth, (217, 144))):
        assert abs(point[0] - place[0]) < 10
        assert abs(point[1] - place[1]) < 10
    assert right_ear[0] < right_eye[0] < left_eye[0] < left_ear[0]
    assert (bare / "out" / "astronaut.jpg").stat().st_size > 10_000


def test_the_core_is_small_and_knows_no_torch(demo: subprocess.CompletedProcess[str], bare: Path) -> None:
    assert demo.returncode == 0, demo.stderr
    python = bare / ".venv" / "bin" / "python"
    for module in ("torch", "albumentations", "onnx", "safetensors"):
        assert subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode != 0
    size = sum(path.lstat().st_size for path in (bare / ".venv").rglob("*") if path.is_file())
    assert size < 400 * 10**6


def test_training_without_its_packages_says_which_to_install(
    demo: subprocess.CompletedProcess[str], bare: Path
) -> None:
    assert demo.returncode == 0, demo.stderr
    command = [".venv/bin/python", "train.py", "--data", "nowhere", "--out", "run"]
    result = subprocess.run(command, cwd=bare, capture_output=True, text=True)
    assert result.returncode == 1
    assert "pip install 'blazeface[train]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_every_shipped_model_has_a_card_with_its_hash() -> None:
    models = sorted(WEIGHTS.glob("*.onnx"))
    assert models
    for model in models:
        card = (WEIGHTS / f"{model.stem}.md").read_text(encoding="utf-8")
        for path in (model, model.with_suffix(".safetensors")):
            assert path.stat().st_size < 10**6
            assert hashlib.sha256(path.read_bytes()).hexdigest() in card, path.name
        assert model.with_suffix(".report.json").is_file()


def test_no_tracked_file_names_a_builder_s_machine() -> None:
    folders = re.compile(rb"/(?:work|root|home)/[a-z]")
    for path in tracked():
        found = folders.search(path.read_bytes())
        assert found is None or path.name == Path(__file__).name, f"{path}: {found}"


def test_locked_versions_cover_the_core() -> None:
    locked = dict(
        line.strip().split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line and not line.startswith("#")
    )
    assert {"numpy", "onnxruntime", "opencv-python", "tqdm", "torch", "albumentations"} <= set(locked)
    assert locked["opencv-python"] == locked["opencv-python-headless"]
