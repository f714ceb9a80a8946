"""The files whose time is measured: every network of the page in ONNX and TensorFlow Lite.

The time of a network follows from its shape and not from its weights, so that these are random (seed 0), and no training
comes before a measurement. Files that are there are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import nn

from benchmarks.lightweight.classifiers import CLASSIFIED, PUBLISHED, SIZE
from blazeface.crop import CropSpec
from blazeface.export.auxiliary import export_onnx, export_tflite
from blazeface.export.formats.onnx import to_onnx
from blazeface.export.formats.tflite import to_tflite
from blazeface.files.staged import staged_file
from blazeface.models.light.classifiers import SIDES, build_classifier
from blazeface.models.light.lighten import lighten
from blazeface.models.light.segmenters import SEGMENT_SIZE, SEGMENTERS, build_segmenter
from blazeface.models.network import build
from blazeface.models.refine import KINDS, build_refine

SUFFIXES = (".onnx", ".tflite")

Write = Callable[[Path], object]


def detector_files(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """By "NAME.onnx" and "NAME.tflite"."""
    return _files(folder, {name: partial(_detector, name) for name in names})


def auxiliary_files(folder: Path) -> dict[str, Path]:
    """The second stages and the segmenters: "refine-KIND.onnx", "segment-KIND.onnx", and as TensorFlow Lite."""
    crop = CropSpec().size
    writers = {f"refine-{kind}": partial(_network, partial(build_refine, kind), crop) for kind in KINDS}
    writers |= {
        f"segment-{kind}": partial(_network, partial(build_segmenter, kind), SEGMENT_SIZE) for kind in SEGMENTERS
    }
    return _files(folder, writers)


def lightened_files(folder: Path, pairs: Iterable[tuple[str, str]]) -> dict[str, Path]:
    """Networks of own_networks.py after a rule, (network, rule) each: "NETWORK-RULE.onnx" and "NETWORK-RULE.tflite"."""
    networks: dict[str, tuple[Callable[[], nn.Module], int]] = {
        "residual": (partial(build_refine, "residual"), CropSpec().size),
        "unet": (partial(build_segmenter, "dense"), SEGMENT_SIZE),
    }
    writers = {}
    for name, rule in pairs:
        initial, side = networks[name]
        writers[f"{name}-{rule}"] = partial(_network, partial(_lightened, initial, rule), side)
    return _files(folder, writers)


def digit_files(folder: Path) -> dict[str, Path]:
    """The classifiers of the digits, ten classes at 32 x 32: "classify-NETWORK-WIDTH.onnx" and ".tflite"."""
    return _files(
        folder,
        {
            f"classify-{name}-{width:g}": partial(_network, partial(build_classifier, name, 10, width), SIZE)
            for name, width in CLASSIFIED
        },
    )


def published_files(folder: Path) -> dict[str, Path]:
    """The published classifiers at the sizes that they are counted at: "NETWORK.onnx" and "NETWORK.tflite"."""
    return _files(
        folder, {name: partial(_network, partial(build_classifier, name), SIDES[name]) for name in PUBLISHED}
    )


def _files(folder: Path, writers: Mapping[str, Write]) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, write in writers.items():
        for suffix in SUFFIXES:
            path = folder / (name + suffix)
            if not path.is_file():
                torch.manual_seed(0)
                write(path)
            paths[path.name] = path
    return paths


def _network(initial: Callable[[], nn.Module], side: int, path: Path) -> None:
    export = export_onnx if path.suffix == ".onnx" else export_tflite
    export(initial(), path, (3, side, side), ("pictures", "answers"), {}, "")


def _lightened(initial: Callable[[], nn.Module], rule: str) -> nn.Module:
    network = initial()
    lighten(network, rule)
    return network


def _detector(name: str, path: Path) -> None:
    network = build(name).folded()
    data = to_onnx(network).SerializeToString() if path.suffix == ".onnx" else to_tflite(network)
    with staged_file(path) as part:
        part.write_bytes(data)
