"""The second stage as ONNX, for `blazeface.refine`."""

from __future__ import annotations

from pathlib import Path

from blazeface.crop import CROP_KEY
from blazeface.export.auxiliary import export_auxiliary
from blazeface.models.refine import RefineNet


def export_refine(network: RefineNet, path: Path) -> float:
    """Write the ONNX file that `KeypointRefiner` reads; see `auxiliary.export_auxiliary`."""
    spec = network.spec
    about = (
        f"Six face keypoints. crops: (batch, 3, {spec.size}, {spec.size}) float32, RGB, (value - {spec.mean:g}) /"
        f" {spec.std:g}: squares of {spec.context:g} box sides, level with the eyes. keypoints: (batch, 6, 2), x y in"
        " units of the crop's side."
    )
    return export_auxiliary(network, path, spec.size, ("crops", "keypoints"), {CROP_KEY: spec.to_json()}, about)
