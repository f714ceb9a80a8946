"""What was measured, as tables and charts take it: results/lightweight/*.json by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.lightweight.convolutions import macs, parts

Found = dict[str, Any]
"""Content of each file by its name without .json."""

RUNTIMES = {"onnx": "onnxruntime", "tflite": "LiteRT"}
"""By the suffix of their files."""

MISSING = "*Not trained yet: `make lightweight-report DATA=ROOT` fills this in.*"


def milliseconds(measured: Mapping[str, Any], name: str) -> float | None:
    """Median milliseconds of a file, None where it was not measured."""
    times = measured.get("milliseconds", {})
    return float(times[name]["median"]) if name in times else None


def time_cells(found: Found, form: str) -> list[str]:
    """The same of latency.json for a network's file in each of RUNTIMES, as a table shows it; empty where it was not measured."""
    times = (milliseconds(found.get("latency", {}), f"{form}.{suffix}") for suffix in RUNTIMES)
    return ["" if time is None else f"{time:.2f}" for time in times]


def speedup(
    times: Mapping[str, Mapping[str, float]], runtime: str, kernel: int, side: int, channels: int
) -> float:
    """How many times as long the dense layers take, by the fastest run of each: they take tens of microseconds, and whatever
    else runs on the machine only adds."""
    dense, light = (
        times[f"{runtime} {kernel} {side} {channels} {form}"]["least"] for form in ("dense", "separable")
    )
    return dense / light


def multiplications(kernel: int, channels: int) -> float:
    """How many times as many multiplications the dense layers have."""
    dense, light = (macs(parts(channels, kernel, form), 1) for form in ("dense", "separable"))
    return dense / light
