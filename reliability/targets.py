"""What is fed with wrong bytes: each kind of file that a stranger may hand over, and the entry_point it goes through."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blazeface.errors import BlazeFaceError
from reliability.seeds import (
    LABELS,
    OPENVINO_BIN,
    coco_seeds,
    config_seeds,
    covers_seeds,
    header_seeds,
    layout_seeds,
    model_seeds,
    openvino_seeds,
    picture_seeds,
    regions_seeds,
    spec_seeds,
    video_seeds,
    wider_seeds,
    zip_seeds,
)

Call = Callable[[Path], object]


@dataclass(frozen=True)
class Target:
    """suffix: of the file. seeds: a function that makes whole files to begin with. entry_point: a function that imports what
    is needed and gives the call to be made with each file. share: of the inputs, more of what is read quickly.
    """

    suffix: str
    seeds: Callable[[], list[bytes]]
    entry_point: Callable[[], Call]
    share: float


def picture_door() -> Call:
    from blazeface.files.pictures import read_picture

    return lambda path: read_picture(str(path))


def video_door() -> Call:
    from blazeface.sources.inputs import find_input
    from blazeface.sources.opening import open_source

    def read(path: Path) -> None:
        with open_source(find_input(str(path), moving=True), 5.0, lambda: False) as clip:
            for _ in clip.frames():
                pass

    return read


def covers_door() -> Call:
    from blazeface.privacy.report import read_report

    def read(path: Path) -> None:
        for given in read_report(path).values():
            for index in range(60):
                given.covers(index, 0.0, 64, 48)

    return read


def openvino_door() -> Call:
    from blazeface.guard.openvino_check import check_openvino

    def check(path: Path) -> None:
        path.with_suffix(".bin").write_bytes(OPENVINO_BIN)
        check_openvino(path)

    return check


def wider_door() -> Call:
    from blazeface.data.formats.wider import read_wider

    return read_wider


def coco_door() -> Call:
    from blazeface.data.formats.coco import read_coco

    return read_coco


def labels_door(form: str) -> Call:
    """The reader of a format of labels that has a file of its own for what is read."""
    from blazeface.data.formats.retinaface import read_retinaface
    from blazeface.data.formats.table import read_table
    from blazeface.data.formats.voc import read_voc
    from blazeface.data.formats.yolo import YoloSet, read_yaml, read_yolo

    doors: dict[str, Call] = {
        "retinaface": read_retinaface,
        "csv": read_table,
        "voc": lambda path: read_voc([path], path.parent),
        "yolo": lambda path: read_yolo(path.parent, path.parent, YoloSet()),
        "yaml": read_yaml,
    }
    return doors[form]


def zip_door() -> Call:
    from blazeface.data.prepare import prepare

    def unpack(path: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            downloads, root = Path(folder) / "downloads", Path(folder) / "root"
            for split in ("train", "val"):
                (root / f"WIDER_{split}").mkdir(parents=True)
            downloads.mkdir()
            (downloads / "wider_face_split.zip").write_bytes(path.read_bytes())
            list(prepare(downloads, root, quiet=True))

    return unpack


def spec_door() -> Call:
    from blazeface.spec import ModelSpec

    return lambda path: ModelSpec.from_json(path.read_text("utf-8", "replace"), "a spec")


def layout_door() -> Call:
    from blazeface.models.layouts import Layout

    return lambda path: Layout.from_json(path.read_text("utf-8", "replace"), "a layout")


def config_door() -> Call:
    from blazeface.training.config import TrainConfig

    return lambda path: TrainConfig.from_json(path.read_text("utf-8", "replace"), "a configuration")


def detector_door() -> Call:
    from blazeface.detector import FaceDetector

    image = np.full((12, 20, 3), 99, np.uint8)
    return lambda path: FaceDetector(path).detect(image)


def weights_door() -> Call:
    import torch

    from blazeface.models.weights import load_weights

    torch.set_num_threads(1)
    return load_weights


def checkpoint_door() -> Call:
    import torch

    from blazeface.training.checkpoint import load_checkpoint
    from blazeface.training.distributed import Processes
    from blazeface.training.faces import FaceTrainer, rebuild
    from blazeface.training.loop import Machine

    torch.set_num_threads(1)

    def resume(path: Path) -> None:
        checkpoint = load_checkpoint(path.parent)
        FaceTrainer(rebuild(checkpoint), checkpoint.config, Machine(), Processes()).restore(checkpoint)

    return resume


def regions_door() -> Call:
    from blazeface.data.regions import with_regions
    from blazeface.data.samples import Sample

    one = Sample(
        Path("images/val/a.jpg"),
        "val",
        np.array([[10, 10, 20, 20]], np.float32),
        np.ones((1, 6, 2), np.float32),
        np.full((1, 6), 2, np.uint8),
        np.zeros(1, bool),
    )
    return lambda path: with_regions([one], path)


def header_door() -> Call:
    """A header before zeros, read as weights of each kind."""
    import torch

    from blazeface.models.light.segmenters import load_segmenter
    from blazeface.models.refine import load_refine
    from blazeface.models.weights import load_weights

    torch.set_num_threads(1)

    def read(path: Path) -> None:
        header = path.read_bytes()
        ends = [int(end) for end in re.findall(rb'"data_offsets": ?\[\d{1,9}, ?(\d{1,9})\]', header)]
        size = min(max(ends, default=0), 1 << 20)
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
        refusals = 0
        for load in (load_weights, load_refine, load_segmenter):
            try:
                load(path)
            except BlazeFaceError:
                refusals += 1
        if refusals == 3:
            raise BlazeFaceError("none of the three takes it")

    return read


def inspection_door() -> Call:
    from blazeface.cli.inspect import as_dict, layer_lines, summary
    from blazeface.inspection import open_model

    def show(path: Path) -> None:
        model = open_model(path)
        json.dumps(as_dict(model))
        summary(model)
        layer_lines(model)

    return show


def import_door() -> Call:
    import torch

    from blazeface.models.google_weights import import_tflite

    torch.set_num_threads(1)
    return import_tflite


TARGETS = {
    "picture": Target(".jpg", picture_seeds, picture_door, 0.2),
    "video": Target(".mp4", video_seeds, video_door, 0.015),
    "covers": Target(".json", covers_seeds, covers_door, 0.1),
    "openvino": Target(".xml", openvino_seeds, openvino_door, 0.08),
    "wider": Target(".txt", wider_seeds, wider_door, 0.1),
    "coco": Target(".json", coco_seeds, coco_door, 0.1),
    "retinaface": Target(".txt", lambda: LABELS["retinaface"], lambda: labels_door("retinaface"), 0.06),
    "csv": Target(".csv", lambda: LABELS["csv"], lambda: labels_door("csv"), 0.06),
    "voc": Target(".xml", lambda: LABELS["voc"], lambda: labels_door("voc"), 0.06),
    "yolo": Target(".txt", lambda: LABELS["yolo"], lambda: labels_door("yolo"), 0.05),
    "yaml": Target(".yaml", lambda: LABELS["yaml"], lambda: labels_door("yaml"), 0.03),
    "zip": Target(".zip", zip_seeds, zip_door, 0.01),
    "spec": Target(".json", spec_seeds, spec_door, 0.06),
    "layout": Target(".json", layout_seeds, layout_door, 0.06),
    "config": Target(".json", config_seeds, config_door, 0.06),
    "regions": Target(".json", regions_seeds, regions_door, 0.04),
    "header": Target(".json", header_seeds, header_door, 0.005),
    "inspected onnx": Target(".onnx", lambda: model_seeds(".onnx"), inspection_door, 0.01),
    "inspected tflite": Target(".tflite", lambda: model_seeds(".tflite"), inspection_door, 0.01),
    "imported": Target(".tflite", lambda: model_seeds(".tflite"), import_door, 0.005),
    "onnx": Target(".onnx", lambda: model_seeds(".onnx"), detector_door, 0.03),
    "tflite": Target(".tflite", lambda: model_seeds(".tflite"), detector_door, 0.03),
    "safetensors": Target(".safetensors", lambda: model_seeds(".safetensors"), weights_door, 0.01),
    "checkpoint": Target(".pt", lambda: model_seeds(".pt"), checkpoint_door, 0.01),
}
COVERED = (
    "picture",
    "wider",
    "coco",
    "retinaface",
    "csv",
    "voc",
    "yolo",
    "yaml",
    "zip",
    "spec",
    "layout",
    "config",
    "tflite",
)
"""Targets whose reading is at least partly Python, where coverage can guide."""
