"""`blazeface classify`: folders of pictures in, weights, files for runtimes and figures out."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")

from benchmarks.lightweight.digits import write_folders
from blazeface.cli.main import main
from blazeface.models.light.classifier_file import CLASSIFIER_KEY, ClassifierSpec, load_classifier


def stripes(root: Path, count: int = 10) -> Path:
    """Two classes, stripes along and across, in noise."""
    random = np.random.default_rng(0)
    for name, axis in (("along", 0), ("across", 1)):
        for index in range(count):
            image = random.integers(0, 60, (32, 32, 3))
            lines = image.swapaxes(0, axis)
            lines[index % 4 :: 4] += 190
            path = root / name / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), image.astype(np.uint8))
    return root


def test_a_run_writes_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = stripes(tmp_path / "data"), tmp_path / "out"
    given = ["classify", "--data", str(data), "--network", "mobilenet-v1", "--width", "0.25", "--size", "32"]
    command = [*given, "--epochs", "30", "--batch", "8", "--out", str(out)]
    assert main(command) == 0
    assert "accuracy on 4 pictures of val: 100.0%" in capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())
    assert (report["train_pictures"], report["val_pictures"], report["classes"]) == (16, 4, 2)
    assert report["accuracy"] == report["onnx_accuracy"] == report["tflite_accuracy"] == 1
    assert 0 < report["onnx_difference"] < 1e-4 and 0 < report["tflite_difference"] < 1e-4
    network, spec = load_classifier(out / "model.safetensors")
    assert spec == ClassifierSpec("mobilenet-v1", ("across", "along"), 32, 0.25)
    assert report["parameters"] == sum(p.numel() for p in network.parameters())
    session = onnxruntime.InferenceSession(out / "classify.onnx")
    assert json.loads(session.get_modelmeta().custom_metadata_map[CLASSIFIER_KEY])["classes"] == [
        "across",
        "along",
    ]
    before = (out / "model.safetensors").read_bytes()
    assert main(command) == 0  # ended already: nothing is learnt anew
    assert (out / "model.safetensors").read_bytes() == before
    assert main([*given, "--epochs", "30", "--batch", "8", "--no-mirror", "--out", str(out)]) == 1
    assert "holds a run with another kind" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--network", "resnet"], "unknown classifier 'resnet'"),
        (["--network", "xception", "--size", "48"], "sides of 32 to 1024 in steps of 32, not 48"),
        (["--network", "shufflenet", "--width", "0.5"], "shufflenet has no width multiplier"),
        (["--network", "mobilenet-v2", "--width", "0"], "must lie in (0, 4], not 0"),
        (["--network", "mobilenet-v2", "--width", "nan"], "must lie in (0, 4], not nan"),
        (["--network", "mobilenet-v2", "--epochs", "0"], "--epochs must be"),
        (["--network", "mobilenet-v2", "--learning-rate", "0"], "--learning-rate must lie in"),
        (["--network", "mobilenet-v2", "--data", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = stripes(tmp_path / "data", 5)
    assert main(["classify", "--data", str(data), "--out", str(tmp_path / "out"), *arguments]) == 1
    error = capsys.readouterr().err
    assert sentence in error and len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_file_of_another_kind_is_no_classifier(tmp_path: Path) -> None:
    from blazeface.errors import BlazeFaceError
    from blazeface.models.refine import build_refine, save_refine

    save_refine(build_refine("separable"), tmp_path / "x.safetensors")
    with pytest.raises(BlazeFaceError, match="holds no classifier of blazeface"):
        load_classifier(tmp_path / "x.safetensors")


def test_digits_become_folders(tmp_path: Path) -> None:
    images = np.zeros((362, 8, 8))
    images[:, 0, 0], images[:, 7, 7] = 16, 8
    classes = np.arange(362) % 2
    assert write_folders(images, classes, tmp_path / "x") == {"train": 2, "val": 360}
    assert sorted(
        p.relative_to(tmp_path / "x/train").as_posix() for p in (tmp_path / "x/train").rglob("*.png")
    ) == [
        "0/0000.png",
        "1/0001.png",
    ]
    read = cv2.imread(str(tmp_path / "x/val/1/0361.png"))
    assert read is not None and read.shape == (8, 8, 3)
    assert read[0, 0].tolist() == [255] * 3 and read[7, 7].tolist() == [128] * 3 and read.sum() == 3 * (255 + 128)
