"""A folder in each format that people have trains for a minute of one core, from random weights, and ends with a model that finds
faces of val.

`make formats-train` runs it and keeps what it prints in benchmarks/results/formats.txt.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from label_material import LAYOUTS, Marked, Splits, coco_data, save, text, write_labels

from blazeface.cli.main import run_command
from blazeface.data import prepare as zips
from blazeface.data.even_choice import chosen_evenly
from blazeface.data.samples import load_split
from blazeface.detector import FaceDetector
from blazeface.files.pictures import read_picture
from blazeface.geometry import box_iou

FACES = Path(__file__).parents[3] / "shared" / "faces"
TRAIN, VAL = 36, 12
"""Pictures with faces; a twelfth more shows none."""

FOUND = 0.3
"""Share of the faces of val that the model must find: after a minute on 36 portraits it is a poor detector, but one. At random it
finds none."""

EPOCHS = os.environ.get("BLAZEFACE_FORMAT_EPOCHS", "125")
"""375 steps of 16 crops: with report and export about a minute of one core."""

QUICK = ["--epochs", EPOCHS, "--batch", "16", "--warmup", "50", "--workers", "0", "--threads", "1", "--quiet"]
SIX = ["right_eye", "left_eye", "nose_tip", "mouth_center", "right_ear", "left_ear"]


def photographs(split: str, count: int) -> list[Marked]:
    """Real pictures whose labels have no ignore regions: every format can say all of them."""
    data = json.loads((FACES / "keypoints" / f"{split}.json").read_text("utf-8"))
    faces: dict[int, list[dict[str, Any]]] = {}
    for entry in data["annotations"]:
        faces.setdefault(entry["image_id"], []).append(entry)
    plain = [i for i in data["images"] if i["file_name"].startswith("neg_houses/")]
    shown = [
        i
        for i in data["images"]
        if i["file_name"].startswith("webfaces/")
        and i["id"] in faces
        and all(
            not e.get("iscrowd") and min(e["bbox"][2:]) > 0.15 * max(i["width"], i["height"])
            for e in faces[i["id"]]
        )
    ]
    marked = []
    for image in chosen_evenly(shown, count) + chosen_evenly(plain, count // 12):
        pixels = read_picture(str(FACES / f"WIDER_{split}" / "images" / image["file_name"]))
        labels = tuple((tuple(e["bbox"]), five_points(e)) for e in faces.get(image["id"], []))
        marked.append(Marked(image["file_name"].replace("/", "-"), pixels, labels))
    return marked


def five_points(entry: dict[str, Any]) -> tuple[tuple[float, float], ...]:
    """RetinaFace's five, the corners of the mouth at equal distances from its centre; none where one of them is unknown."""
    points = np.array(entry.get("keypoints") or [0] * 18, np.float64).reshape(6, 3)[:4]
    if not points[:, 2].all():
        return ()
    corner = np.array([entry["bbox"][2] * 0.15, 0])
    eyes, mouth = points[:3, :2].tolist(), points[3, :2]
    return tuple((float(x), float(y)) for x, y in [*eyes, mouth - corner, mouth + corner])


def wider_zips(root: Path, splits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    """As downloaded, and unpacked by `blazeface data prepare`, which here knows the sums of these zips."""
    made, downloads = root.with_name("made"), root.with_name("downloads")
    write_labels("wider", made, splits)
    downloads.mkdir()
    counts = {split: (len(p), sum(len(m.faces) for m in p)) for split, p in splits.items()}
    parts = []
    for part in zips.PARTS:
        path = downloads / part.zip
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted((made / Path(part.zip).stem).rglob("*")):
                archive.write(file, file.relative_to(made))
        held = {"WIDER_train.zip": counts["train"][0], "WIDER_val.zip": counts["val"][0]}.get(part.zip, 0)
        digest = hashlib.md5(path.read_bytes()).hexdigest() if part.md5 else ""
        parts.append(dataclasses.replace(part, md5=digest, pictures=held))
    monkeypatch.setattr(zips, "PARTS", tuple(parts))
    monkeypatch.setattr(zips, "LABELS", counts)
    shutil.rmtree(made)
    assert run_command("data", ["prepare", str(downloads), "--out", str(root), "--quiet"]) == 0


def own(root: Path, splits: Splits, _: pytest.MonkeyPatch) -> None:
    """The project's own: keypoints/SPLIT.json, six points."""
    for split, pictures in splits.items():
        save(root / f"WIDER_{split}" / "images", pictures)
        data = coco_data(pictures)
        data["annotations"] = [a for a in data["annotations"] if a["category_id"] == 2]
        data["categories"] = [{"id": 2, "name": "face", "keypoints": SIX}]
        for entry in data["annotations"]:
            p = np.array(entry["keypoints"], np.float64).reshape(-1, 3)
            six = np.vstack([p[:3], p[3:5].mean(axis=0), np.zeros((2, 3))]) if len(p) else np.zeros((6, 3))
            entry["keypoints"] = six.ravel().tolist()
        text(root / "keypoints" / f"{split}.json", json.dumps(data))


def pseudo(root: Path, splits: Splits, _: pytest.MonkeyPatch) -> None:
    """No labels at all: those that `detect` writes."""
    for split, pictures in splits.items():
        save(root / split, pictures)
        flags = ["--coco", str(root / split / f"{split}.json"), "--no-window", "--quiet"]
        assert run_command("detect", [str(root / split), *flags]) == 0


def written(layout: str) -> Callable[[Path, Splits, pytest.MonkeyPatch], None]:
    return lambda root, splits, _: LAYOUTS[layout](root, splits)


FORMATS: dict[str, Callable[[Path, Splits, pytest.MonkeyPatch], None]] = {
    "WIDER FACE's zips": wider_zips,
    "WIDER FACE's folders": written("wider"),
    "RetinaFace's label.txt": written("retinaface"),
    "COCO": written("coco"),
    "YOLO": written("yolo"),
    "Pascal VOC": written("voc"),
    "CSV": written("csv"),
    "the project's own": own,
    "written by detect": pseudo,
}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not FACES.is_dir(), reason="the labelled faces are not beside the repository")
@pytest.mark.parametrize("name", FORMATS)
def test_a_format_trains_to_a_model_that_finds_faces(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    splits = {"train": photographs("train", TRAIN), "val": photographs("val", VAL)}
    data, run = tmp_path / "data", tmp_path / "run"
    FORMATS[name](data, splits, monkeypatch)
    began, busy = time.monotonic(), time.process_time()
    flags = ["--data", str(data), "--out", str(run), *QUICK, "--evaluate-every", "1000"]
    assert run_command("train", flags) == 0
    took = f"{time.monotonic() - began:.0f} s ({time.process_time() - busy:.0f} s of one core)"
    train = load_split(data, "train")
    faces = sum(len(sample.boxes) for sample in train)
    found, asked = faces_found(run / "model.onnx", splits["val"])
    steps = (run / "log.csv").read_text().splitlines()[-1].split(",")[0]
    with capsys.disabled():
        print(
            f"\n{name}: {len(train)} pictures with {faces} faces, {steps} steps, {took}; the model finds {found} of"
            f" {asked} faces of val"
        )
    assert found >= FOUND * asked > 0


def faces_found(model: Path, pictures: Sequence[Marked]) -> tuple[int, int]:
    """Faces that a model finds (IoU over .5) and that there are."""
    detector = FaceDetector(model, threads=1)
    found = asked = 0
    for picture in pictures:
        boxes = np.array([[x, y, x + w, y + h] for (x, y, w, h), _ in picture.faces], np.float32).reshape(-1, 4)
        overlap = box_iou(boxes, detector.detect(picture.image).boxes)
        found += int((overlap.max(axis=1, initial=0) > 0.5).sum())
        asked += len(boxes)
    return found, asked
