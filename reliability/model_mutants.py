"""Structured mutants of model files through the list of operators, and what passes it through the runtime.

    python -m reliability.model_mutants --count 100000 --seed 20
    python -m reliability.model_mutants --count 100000 --seed 20 --add     # goes on after the newest report

Each mutant that is let through runs once, in a child process that goes on with the next one. A finding is one that takes the
child down by a signal, SECONDS or memory: the runtime was handed what it cannot bear. The same seed makes the same mutants. The
report is written again after each part.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from blazeface.backends import open_backend
from blazeface.errors import BlazeFaceError
from reliability.feeding import Limits, One, feed, in_child
from reliability.report import resumed, table, write_report
from reliability.seeds import model_seeds

LIMITS = Limits(cpu_seconds=20, memory_mb=1536)
PART = 2_500
"""Mutants of one format, before the next one has its turn and a new child begins."""

OUT = Path(__file__).parents[1] / "out" / "model-mutants"

Check = Callable[[Path], None]
Mutate = Callable[[bytes, int, int], bytes]


def _check_onnx(path: Path) -> None:
    from blazeface.guard.onnx_check import check_onnx

    check_onnx(path.read_bytes(), str(path))


def _check_tflite(path: Path) -> None:
    from blazeface.guard.tflite_check import check_tflite

    check_tflite(path)


def _check_param(path: Path) -> None:
    from blazeface.backends.ncnn_backend import read_layers
    from blazeface.guard.ncnn_check import check_ncnn
    from blazeface.spec import ModelSpec

    text, layers = read_layers(path.read_bytes(), path)
    check_ncnn(
        path, layers, ModelSpec.from_json(text, str(path)).input_size, path.with_suffix(".bin").stat().st_size
    )


def _check_xml(path: Path) -> None:
    from blazeface.guard.openvino_check import check_openvino

    check_openvino(path)


FORMATS: dict[str, tuple[str, Check, str, str]] = {
    "onnx": ("mutate_onnx", _check_onnx, "onnxruntime", "onnxruntime"),
    "tflite": ("mutate_tflite", _check_tflite, "tflite", "ai_edge_litert"),
    "param": ("mutate_ncnn", _check_param, "ncnn", "ncnn"),
    "xml": ("mutate_openvino", _check_xml, "openvino", "openvino"),
}
"""By suffix: what makes mutants (in `reliability.mutants`), the check, the backend, and the package of the runtime."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="mutants of each format (default 100000)")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="end after these at the latest")
    parser.add_argument("--only", choices=sorted(FORMATS), nargs="+", default=list(FORMATS))
    parser.add_argument(
        "--add", action="store_true", help="go on after the newest report, which has the same seed"
    )
    args = parser.parse_args()
    os.environ.update({f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")})
    chosen = [name for name in args.only if importlib.util.find_spec(FORMATS[name][3])]
    figures = resumed("model-mutants", args.seed, args.add) | {"asked": args.count}
    rows: dict[str, dict[str, Any]] = figures.setdefault("formats", {})
    files = {name: _files_of(name) for name in chosen}
    end = time.monotonic() + 60 * args.minutes
    while time.monotonic() < end:
        begun = [name for name in chosen if rows.setdefault(name, new_row())["mutants"] < args.count]
        if not begun:
            break
        for name in begun:
            add_mutants(rows[name], name, files[name], args.seed, args.count, end)
            figures["passed"] = not any(row["findings"] for row in rows.values())
            path = write_report("model-mutants", figures, as_text(figures))
            print(f"{path}: {name} {rows[name]}", flush=True)
    return int(any(row["findings"] for row in rows.values()))


def new_row() -> dict[str, Any]:
    return {"mutants": 0, "unwritable": 0, "refused": 0, "ran": 0, "failed": 0, "memory_mb": 0, "findings": []}


def add_mutants(row: dict[str, Any], name: str, files: list[bytes], seed: int, goal: int, end: float) -> None:
    """PART mutants more of one format, but not beyond the number `goal`."""
    count = min(PART, goal - row["mutants"])
    fed = feed(partial(opened, name, files, seed), row["mutants"], count, end, LIMITS)
    row["mutants"] = fed.done
    for outcome in ("unwritable", "refused", "ran", "failed"):
        row[outcome] += fed.counts[outcome]
    row["memory_mb"] = max(row["memory_mb"], fed.memory_mb)
    for number, what in fed.findings:
        row["findings"].append(f"{name} {number}: {what}")
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / f"{name}-{seed}-{number}.{name}").write_bytes(_mutate(name, files[0], seed, number))


@contextmanager
def opened(name: str, files: list[bytes], seed: int, folder: Path) -> Iterator[One]:
    """Feeds mutants of a file to the check, and what it lets through to the runtime. files: the model, and perhaps the second
    file of its format."""
    _, check, backend, package = FORMATS[name]
    importlib.import_module(package)
    path = folder / f"x.{name}"
    for data in files[1:]:
        path.with_suffix(".bin").write_bytes(data)

    def one(number: int) -> str:
        try:
            path.write_bytes(_mutate(name, files[0], seed, number))
        except (KeyError, ValueError, TypeError, OverflowError):
            return "unwritable"  # what the format cannot hold
        try:
            check(path)
        except BlazeFaceError:
            return "refused"
        try:
            model = open_backend(path, backend, 1)
            side = model.spec.input_size
            model.run(np.zeros((1, 3, side, side), np.float32))
        except Exception as error:  # runtimes raise many types
            if isinstance(error, (MemoryError, RecursionError)):
                raise
            return "failed"
        return "ran"

    yield one


def _mutate(name: str, data: bytes, seed: int, number: int) -> bytes:
    mutate: Mutate = getattr(importlib.import_module("reliability.mutants"), FORMATS[name][0])
    return mutate(data, seed, number)


def _files_of(name: str) -> list[bytes]:
    suffixes = ("", ".bin") if name in ("param", "xml") else ("",)
    return in_child(lambda: [data for beside in suffixes for data in model_seeds(f".{name}", beside)])


def as_text(figures: dict[str, Any]) -> str:
    head = [
        "format",
        "mutants",
        "refused by the list",
        "ran",
        "raised in the runtime",
        "could not be written",
        "findings",
    ]
    rows = [
        [name, row["mutants"], row["refused"], row["ran"], row["failed"], row["unwritable"], len(row["findings"])]
        for name, row in figures["formats"].items()
    ]
    told = "".join(f"\n- {line}" for row in figures["formats"].values() for line in row["findings"])
    tried = sum(row["mutants"] for row in figures["formats"].values())
    return (
        f"{tried:,} mutants, {figures['asked']:,} of each format asked for, seed {figures['seed']}, by the code of"
        f" {', '.join(figures['commits'])}. A finding is one that took its process down: a signal, {LIMITS.cpu_seconds:g} s"
        f" of CPU time, or {LIMITS.memory_mb:,} MB.\n\n{table(head, rows)}{told}"
    )


if __name__ == "__main__":
    sys.exit(main())
