"""`blazeface doctor`: what is installed here, what works, and what to install for the rest."""

from __future__ import annotations

import argparse
import glob
import importlib.metadata
import importlib.util
import json
import platform
import sys
from typing import Any

import cv2

from blazeface.backends import RUNTIMES
from blazeface.detector import WEIGHTS, shipped_models
from blazeface.errors import BlazeFaceError, install_command
from blazeface.files.checksum import verify_checksum
from blazeface.files.pictures import can_write_picture
from blazeface.sinks.window import window_problem
from blazeface.version import __version__

EXTRAS = {
    "video": (("av",), "exact frame rates, H.264 and sound in copies of videos"),
    "train": (
        ("torch", "albumentations", "safetensors", "matplotlib", "scipy"),
        "training and evaluation with plots",
    ),
    "export": (("torch", "onnx", "onnxscript", "safetensors"), "ONNX files"),
    "heic": (("pi_heif",), "HEIC pictures of phones"),
    "tflite": (("ai_edge_litert",), "TFLite files and Google's weights"),
    "web": (("cryptography", "segno"), "the phone page over https, its address as a QR code"),
    "coreml": (("coremltools",), "Core ML files"),
    "ncnn": (("ncnn", "pnnx"), "ncnn files"),
    "openvino": (("openvino",), "OpenVINO files"),
    "ray": (("ray",), "very many pictures on a cluster"),
    "supervision": (("supervision",), "Detections.to_supervision"),
}
"""Each extra: what it brings, as modules, and what that is for."""

PACKAGES = ("numpy", "opencv-python", "opencv-python-headless", "onnxruntime", "torch", "av", "Pillow")
FORMATS = (".jpg", ".png", ".webp", ".tiff", ".avif", ".gif")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def run(args: argparse.Namespace) -> int:
    """Print what was found. Status 1 when the core itself is broken: weights that are not those that were shipped, or
    two OpenCVs in one folder."""
    found = facts()
    print(json.dumps(found, indent=2) if args.json else text(found))
    return 1 if found["faults"] else 0


def facts() -> dict[str, Any]:
    """The whole report, ready for JSON."""
    extras = {
        name: {"for": purpose, "missing": [module for module in modules if not installed(module)]}
        for name, (modules, purpose) in EXTRAS.items()
    }
    versions = {name: version(name) for name in PACKAGES}
    faults = []
    for model in shipped_models():
        try:
            verify_checksum(WEIGHTS / f"{model}.onnx")
        except BlazeFaceError as fault:
            faults.append(str(fault))
    if versions["opencv-python"] and versions["opencv-python-headless"]:
        same = versions["opencv-python"] == versions["opencv-python-headless"]
        if not same:
            faults.append(
                "opencv-python and opencv-python-headless of different versions lie in one folder: run pip uninstall -y"
                " opencv-python opencv-python-headless, then pip install 'opencv-python<5'"
            )
    return {
        "blazeface": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": versions,
        "models": shipped_models(),
        "providers": providers(),
        "backends": {
            name: not runtime.extra or not extras[runtime.extra]["missing"] for name, runtime in RUNTIMES.items()
        },
        "extras": extras,
        "window": window_problem() or "can be opened",
        "cameras": sorted(glob.glob("/dev/video*")) if sys.platform == "linux" else None,
        "written": [suffix for suffix in FORMATS if can_write_picture(suffix)],
        "opencv_ffmpeg": _ffmpeg(),
        "faults": faults,
    }


def text(found: dict[str, Any]) -> str:
    """The facts in lines."""
    packages = ", ".join(f"{name} {number}" for name, number in found["packages"].items() if number)
    cameras = found["cameras"]
    lines = [
        f"blazeface {found['blazeface']}, Python {found['python']}, {found['system']}",
        f"packages   {packages}",
        f"models     {', '.join(found['models'])}",
        f"providers  {', '.join(found['providers'])} (onnxruntime)",
        f"backends   {', '.join(name for name, there in found['backends'].items() if there)}",
        f"window     {found['window']}",
        f"cameras    {'not looked for on this system' if cameras is None else ', '.join(cameras) or 'none'}",
        f"pictures   {', '.join(found['written'])} can be written",
        f"videos     OpenCV {'with' if found['opencv_ffmpeg'] else 'without'} FFmpeg",
        "",
    ]
    for name, extra in found["extras"].items():
        missing = extra["missing"]
        what = f"misses {', '.join(missing)}: {install_command(name)}" if missing else "installed"
        lines.append(f"{name:12s} {extra['for']}: {what}")
    return "\n".join([*lines, *(f"\nFAULT: {fault}" for fault in found["faults"])])


def installed(module: str) -> bool:
    """Whether a module can be found, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def version(distribution: str) -> str | None:
    """Of an installed distribution; None where it is not."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def providers() -> list[str]:
    """What onnxruntime can compute on here."""
    import onnxruntime

    return [name.removesuffix("ExecutionProvider").lower() for name in onnxruntime.get_available_providers()]


def _ffmpeg() -> bool:
    return any(
        line.strip().startswith("FFMPEG:") and "YES" in line for line in cv2.getBuildInformation().splitlines()
    )
