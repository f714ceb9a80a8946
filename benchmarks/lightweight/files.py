"""The files whose time is measured: every network of the page in ONNX and TensorFlow Lite.

The time of a network follows from its shape and not from its weights, so that these are random (seed 0), and no training
comes before a measurement. Files that are there are taken.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.lightweight.classifiers import CLASSIFIED, PUBLISHED, SIZE
from blazeface.cli.classify import NAMES
from blazeface.export.auxiliary import export_auxiliary, export_onnx, export_tflite
from blazeface.export.formats.onnx import to_onnx
from blazeface.export.formats.tflite import to_tflite
from blazeface.files.staged import staged_file
from blazeface.models.light.classifiers import SIDES, Classifier, build_classifier
from blazeface.models.light.segmenters import SEGMENT_SIZE, SEGMENTERS, build_segmenter
from blazeface.models.network import build
from blazeface.models.refine import KINDS, build_refine

SUFFIXES = (".onnx", ".tflite")


def detector_files(folder: Path, names: tuple[str, ...]) -> dict[str, Path]:
    """By "NAME.onnx" and "NAME.tflite"."""
    found = {}
    for name in names:
        for suffix in SUFFIXES:
            found[name + suffix] = _made(folder / (name + suffix), lambda path, name=name: _detector(name, path))  # type: ignore[misc]
    return found


def auxiliary_files(folder: Path) -> dict[str, Path]:
    """The second stage and the segmenters, ONNX alone: "refine-KIND.onnx", "segment-KIND.onnx"."""
    found = {}
    for kind in KINDS:
        found[f"refine-{kind}.onnx"] = _made(
            folder / f"refine-{kind}.onnx",
            lambda path, kind=kind: export_auxiliary(build_refine(kind), path, 64, ("crops", "keypoints"), {}, ""),  # type: ignore[misc]
        )
    for kind in SEGMENTERS:
        found[f"segment-{kind}.onnx"] = _made(
            folder / f"segment-{kind}.onnx",
            lambda path, kind=kind: export_auxiliary(  # type: ignore[misc]
                build_segmenter(kind), path, SEGMENT_SIZE, ("pictures", "logits"), {}, ""
            ),
        )
    return found


def digit_files(folder: Path) -> dict[str, Path]:
    """The classifiers of the digits, ten classes at 32 x 32: "classify-NETWORK-WIDTH.onnx" and ".tflite"."""
    return {
        f"classify-{name}-{width:g}{suffix}": _made(
            folder / f"classify-{name}-{width:g}{suffix}",
            lambda path, name=name, width=width: _classifier(build_classifier(name, 10, width), SIZE, path),  # type: ignore[misc]
        )
        for name, width in CLASSIFIED
        for suffix in SUFFIXES
    }


def published_files(folder: Path) -> dict[str, Path]:
    """The published classifiers at the sizes that they are counted at: "NETWORK.onnx" and "NETWORK.tflite"."""
    return {
        name + suffix: _made(
            folder / (name + suffix),
            lambda path, name=name: _classifier(build_classifier(name), SIDES[name], path),  # type: ignore[misc]
        )
        for name in PUBLISHED
        for suffix in SUFFIXES
    }


def _made(path: Path, make: Callable[[Path], object]) -> Path:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        make(path)
    return path


def _classifier(network: Classifier, size: int, path: Path) -> None:
    export = export_onnx if path.suffix == ".onnx" else export_tflite
    export(network, path, (3, size, size), NAMES, {}, "")


def _detector(name: str, path: Path) -> None:
    network = build(name).folded()
    data = to_onnx(network).SerializeToString() if path.suffix == ".onnx" else to_tflite(network)
    with staged_file(path) as part:
        part.write_bytes(data)
