"""The second stage as ONNX, for `blazeface.refine`, and as TensorFlow Lite."""

from __future__ import annotations

from pathlib import Path

from blazeface.crop import CROP_KEY, CropSpec
from blazeface.export.auxiliary import export_auxiliary, export_tflite
from blazeface.models.refine import SecondStage

NAMES = ("crops", "keypoints")
ABOUT = "Six face keypoints, (batch, 6, 2), x y in units of the crop's side."


def export_refine(network: SecondStage, path: Path) -> float:
    """Write the ONNX file that `KeypointRefiner` reads; see `auxiliary.export_auxiliary`."""
    spec = network.spec
    about = f"{ABOUT} crops: (batch, 3, {spec.size}, {spec.size}), {_scaled(spec)}"
    return export_auxiliary(network, path, spec.size, NAMES, {CROP_KEY: spec.to_json()}, about)


def export_refine_tflite(network: SecondStage, path: Path) -> float:
    """The same as TensorFlow Lite, for one crop; see `auxiliary.export_tflite`."""
    spec = network.spec
    about = f"{ABOUT} crops: (1, {spec.size}, {spec.size}, 3), {_scaled(spec)}"
    return export_tflite(network, path, (3, spec.size, spec.size), NAMES, {CROP_KEY: spec.to_json()}, about)


def _scaled(spec: CropSpec) -> str:
    return f"float32, RGB, (value - {spec.mean:g}) / {spec.std:g}: squares of {spec.context:g} box sides, level with the eyes."
