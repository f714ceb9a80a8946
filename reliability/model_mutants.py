"""Structured mutants of model files through the list of operators, and what passes it through the runtime.

    python -m reliability.model_mutants --count 100000 --seed 7

Each mutant that is let through runs once in a process forked for it. A finding is a process that dies of a signal, or
takes more than SECONDS: the runtime was handed what it cannot bear. The same count and seed make the same mutants;
--minutes ends the trial before, and the report says how many there were.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from blazeface.backends import open_backend
from blazeface.errors import BlazeFaceError
from blazeface.guard.ncnn_check import check_ncnn
from blazeface.guard.onnx_check import check_onnx
from blazeface.guard.openvino_check import check_openvino
from blazeface.guard.tflite_check import check_tflite
from reliability.mutants import mutate_ncnn, mutate_onnx, mutate_openvino, mutate_tflite
from reliability.report import table, write_report
from reliability.targets import model_seeds

SECONDS = 20
OUT = Path(__file__).parents[1] / "out" / "model-mutants"

Check = Callable[[Path], None]
Mutate = Callable[[bytes, int, int], bytes]


def _check_param(path: Path) -> None:
    from blazeface.backends.ncnn_backend import _read_param
    from blazeface.spec import ModelSpec

    text, layers = _read_param(path)
    check_ncnn(path, layers, ModelSpec.from_json(text, str(path)).input_size)


FORMATS: dict[str, tuple[Mutate, Check, str]] = {
    "onnx": (mutate_onnx, lambda path: check_onnx(path.read_bytes(), str(path)), "onnxruntime"),
    "tflite": (mutate_tflite, check_tflite, "tflite"),
    "param": (mutate_ncnn, _check_param, "ncnn"),
    "xml": (mutate_openvino, check_openvino, "openvino"),
}
RUNTIMES = {"onnx": "onnxruntime", "tflite": "ai_edge_litert", "param": "ncnn", "xml": "openvino"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="mutants of each format (default 100000)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="end after these at the latest")
    parser.add_argument("--only", choices=sorted(FORMATS), nargs="+", default=list(FORMATS))
    parser.add_argument("--no-report", action="store_true", help="print only")
    args = parser.parse_args()
    chosen = [name for name in args.only if importlib.util.find_spec(RUNTIMES[name])]
    for name in chosen:
        importlib.import_module(RUNTIMES[name])  # once, and not in each forked process
    each = 60 * args.minutes / len(chosen)
    rows = {name: try_format(name, args.count, args.seed, each) for name in chosen}
    named = [] if args.only == list(FORMATS) else chosen
    figures = {"asked": args.count, "seed": args.seed, "formats": rows}
    text = as_text(figures)
    print(text)
    if not args.no_report:
        print(f"written to {write_report('-'.join(['model-mutants', *named]), figures, text)}")
    return int(any(row["findings"] for row in rows.values()))


def try_format(name: str, count: int, seed: int, seconds: float) -> dict[str, Any]:
    """Up to `count` mutants of one format, for `seconds` at most."""
    mutate, check, backend = FORMATS[name]
    seeds, beside = model_seeds(f".{name}"), model_seeds(f".{name}", ".bin") if name in ("param", "xml") else []
    row: dict[str, Any] = {"mutants": 0, "unwritable": 0, "refused": 0, "ran": 0, "failed": 0, "findings": []}
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x.{name}"
        for data in beside:
            path.with_suffix(".bin").write_bytes(data)
        for number in range(count):
            if time.monotonic() > end:
                break
            row["mutants"] += 1
            try:
                path.write_bytes(mutate(seeds[number % len(seeds)], seed, number))
            except (KeyError, ValueError, TypeError, OverflowError):
                row["unwritable"] += 1  # what the format cannot hold
                continue
            try:
                check(path)
            except BlazeFaceError:
                row["refused"] += 1
                continue
            status = run_once(path, backend)
            if status < 0:
                row["findings"].append(f"{name} {number}: {signal.Signals(-status).name}")
                OUT.mkdir(parents=True, exist_ok=True)
                (OUT / f"{name}-{seed}-{number}.{name}").write_bytes(path.read_bytes())
            else:
                row["ran" if status == 0 else "failed"] += 1
    return row


def run_once(path: Path, backend: str) -> int:
    """Open the file and run it once in a process forked for it: 0, 1 where that raised, or minus a signal's number."""
    child = os.fork()
    if child == 0:
        status = 1
        signal.alarm(SECONDS)
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            model = open_backend(path, backend, 1)
            side = model.spec.input_size
            model.run(np.zeros((1, 3, side, side), np.float32))
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


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
    return f"{tried:,} mutants, seed {figures['seed']}.\n\n{table(head, rows)}{told}"


if __name__ == "__main__":
    sys.exit(main())
