"""The classifiers on scikit-learn's digits: the same pictures, epochs and recipe for each, by `blazeface classify`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PUBLISHED = ("squeezenet-1.0", "squeezenet-1.1", "mobilenet-v1", "mobilenet-v2", "shufflenet", "xception")
"""Those with 1,000 classes, counted and timed as they were published."""

CLASSIFIED: tuple[tuple[str, float], ...] = (
    ("mobilenet-v1", 0.5),
    ("mobilenet-v2", 0.5),
    ("squeezenet-1.1", 1.0),
    ("shufflenet", 1.0),
    ("xception", 0.25),
    ("mobilenet-v1", 1.0),
    ("mobilenet-v2", 1.0),
    ("squeezenet-1.0", 1.0),
    ("shufflenet-32-g2", 1.0),
)
"""Network and width multiplier, cheap ones first."""

SIZE = 32

RATES = {"squeezenet-1.0": 5e-4, "squeezenet-1.1": 5e-4}
"""Peaks of the learning rate, where the network has no batch norm that would bear the usual one."""


def label(network: str, width: float) -> str:
    """How the tables name one."""
    return network if width == 1 else f"{network} x {width:g}"


def train_classifiers(runs: Path, epochs: int, threads: int) -> Iterator[list[dict[str, Any]]]:
    """Yields the reports of those that are trained, one more each time. A run that is there is gone on with."""
    digits = digits_folder(runs)
    rows = []
    for network, width in CLASSIFIED:
        out = runs / f"classify-{network}-{width:g}"
        if not (out / "report.json").is_file():
            which = ("--network", network, "--width", f"{width:g}", "--size", str(SIZE), "--no-mirror")
            how: tuple[str, ...] = ("--epochs", str(epochs), "--batch", "16", "--threads", str(threads))
            if network in RATES:
                how = (*how, "--learning-rate", f"{RATES[network]:g}")
            _call("blazeface", "classify", "--data", str(digits), "--out", str(out), *which, *how)
        rows.append(json.loads((out / "report.json").read_text(encoding="utf-8")))
        yield rows


def digits_folder(runs: Path) -> Path:
    """The pictures, written where they are not there yet."""
    digits = runs / "digits"
    if not digits.is_dir():
        _call("benchmarks.lightweight.digits", "--out", str(digits))
    return digits


def _call(module: str, *arguments: str) -> None:
    status = subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode
    if status:
        raise SystemExit(f"{module} {' '.join(arguments)} ended with status {status}; the same command goes on")
