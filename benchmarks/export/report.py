"""Every format in every precision: how large the file is, how far it is from PyTorch, and how fast it runs.

    make export-report DATA=ROOT
    python -m benchmarks.export.report --data ROOT --only accuracy     # an hour on a busy machine is no harm to it
    python -m benchmarks.export.report --data ROOT --only accuracy --formats openvino     # the others' rows stay
    python -m benchmarks.export.report --data ROOT --only latency      # two minutes, which want a quiet one
    python -m benchmarks.export.report --check            # status 1 when docs/export.md says something else

Each file is made and proved as `export.py` does it, AP being measured on all val pictures. Then all of them run in turn,
one call each, round after round in one process with one thread, so that whatever else the machine does meets all alike:
the network alone on a tensor that is ready, and end to end on a 1280 x 720 BGR picture, faces out. Writes
benchmarks/results/export.json and the table in docs/export.md. A format whose package is missing is named and left
out; a file over its limits ends the command with status 1. `--only latency` makes the files of the results that are there
anew, without measuring AP, and asks that they be those of the same weights.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks import RESULTS, ROOT
from blazeface.backends import open_backend
from blazeface.data.even_choice import chosen_evenly
from blazeface.data.samples import load_split
from blazeface.detector import FaceDetector, model_path, prepare
from blazeface.errors import BlazeFaceError
from blazeface.export.calibration import calibration_pictures
from blazeface.export.format_table import FORMATS, Options, load_format
from blazeface.export.labelled import LabelledSet
from blazeface.export.make import export_network, file_size
from blazeface.export.verify import inference_copy
from blazeface.files.pictures import read_picture
from blazeface.files.staged import staged_file
from blazeface.geometry import Image
from blazeface.models.weights import load_weights

FIGURES, DOCS = RESULTS / "export.json", ROOT / "docs" / "export.md"
BEGIN, END = "<!-- table: written by benchmarks/export/report.py -->", "<!-- end of table -->"
TITLES = {"onnx": "ONNX", "tflite": "TFLite", "coreml": "Core ML", "ncnn": "ncnn", "openvino": "OpenVINO"}
COLUMNS = ("AP >=.1", "AP >=.05")
CALIBRATION = 256
"""Train pictures for int8's ranges."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Make every format in every precision, and measure it.")
    parser.add_argument("--data", type=Path, help="root of a data set in the WIDER FACE layout")
    parser.add_argument("--model", default="front-128", help="a shipped model (default front-128)")
    parser.add_argument("--val-limit", type=int, help="an even choice of val pictures instead of all")
    parser.add_argument("--rounds", type=int, default=200, help="timed calls of each file (default 200)")
    parser.add_argument("--only", choices=("accuracy", "latency"), help="one half of the work (default: both)")
    parser.add_argument(
        "--formats", nargs="+", choices=FORMATS, default=list(FORMATS), help="the others' rows stay"
    )
    parser.add_argument("--check", action="store_true", help="only compare docs/export.md with the results")
    args = parser.parse_args()
    if args.check:
        return check()
    if args.data is None:
        parser.error("--data is needed")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        if args.only == "latency":
            results, passed = json.loads(FIGURES.read_text(encoding="utf-8")), True
            if results["sha256"] != weights_digest(args.model):
                raise BlazeFaceError(f"{FIGURES.name} is of other weights than {args.model}: measure all of it")
        else:
            results, passed = measure(args.model, args.data, args.val_limit, args.formats)
            results["rows"] = merged(results, args.formats)
        if args.only != "accuracy":
            time_files(results, args.data, args.rounds)
    except BlazeFaceError as error:
        print(f"export_report: {error}", file=sys.stderr)
        return 1
    print(table(results))
    with staged_file(FIGURES) as part:
        part.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    text = rewritten(DOCS.read_text(encoding="utf-8"), results)
    with staged_file(DOCS) as part:
        part.write_text(text, encoding="utf-8")
    return 0 if passed else 1


def check() -> int:
    text = DOCS.read_text(encoding="utf-8")
    if rewritten(text, json.loads(FIGURES.read_text(encoding="utf-8"))) == text:
        return 0
    print("docs/export.md: its table differs from benchmarks/results/export.json", file=sys.stderr)
    return 1


def measure(model: str, data: Path, val_limit: int | None, formats: Sequence[str]) -> tuple[dict[str, Any], bool]:
    """Sizes, differences and AP, ready for JSON, and whether all files held their limits."""
    network = inference_copy(load_weights(model_path(model, "torch")))
    pictures = [read_picture(str(path)) for path in sorted((ROOT / "data" / "pictures").iterdir())]
    chosen = chosen_evenly(load_split(data, "val"), val_limit)
    pictures += [read_picture(str(sample.path)) for sample in chosen_evenly(chosen, 31)]
    labelled = LabelledSet(network, chosen)
    calibration = calibration_pictures(data, CALIBRATION)
    rows: list[dict[str, Any]] = []
    passed = True
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in FORMATS.items():
            if name not in formats:
                continue
            try:
                load_format(name)
            except BlazeFaceError as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            for precision in kind.precisions:
                path = Path(folder) / f"{name}-{precision}{kind.suffix}"
                try:
                    proof = export_network(
                        network, path, name, options(name, precision, calibration), pictures, labelled
                    )
                except BlazeFaceError as error:
                    print(f"{name} {precision}: {error}", file=sys.stderr)
                    passed = False
                    continue
                row = {"format": name, "precision": precision, "bytes": file_size(path)} | proof.as_dict()
                row.pop("accuracy")
                row["figures"] = {key: proof.found[key] for key in COLUMNS} if proof.found else None
                rows.append(row)
                print(f"{name} {precision}: made and proved", file=sys.stderr, flush=True)
    return {
        "model": model,
        "sha256": weights_digest(model),
        "val_pictures": labelled.pictures,
        "compared_pictures": len(pictures),
        "calibration_pictures": len(calibration),
        "pytorch": {key: labelled.expected[key] for key in COLUMNS},
        "rows": rows,
    }, passed


def merged(results: dict[str, Any], formats: Sequence[str]) -> list[dict[str, Any]]:
    """The new rows, and those of other formats in the results that are there, which must have been found alike."""
    rows: list[dict[str, Any]] = results["rows"]
    if set(formats) != set(FORMATS):
        before = json.loads(FIGURES.read_text(encoding="utf-8"))
        if any(before.get(key) != value for key, value in results.items() if key != "rows"):
            raise BlazeFaceError(f"{FIGURES.name} is of other weights or pictures: measure all formats")
        rows += [row for row in before["rows"] if row["format"] not in formats]
    order = list(FORMATS)
    return sorted(rows, key=lambda row: order.index(row["format"]))


def time_files(results: dict[str, Any], data: Path, rounds: int) -> None:
    """Put the latencies of all files that the results have a row of into these rows; see `latencies`."""
    network = inference_copy(load_weights(model_path(results["model"], "torch")))
    picture = read_picture(str(next((ROOT / "data" / "pictures").iterdir())))
    calibration = calibration_pictures(data, CALIBRATION)
    contenders: dict[int, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for index, row in enumerate(results["rows"]):
            name, precision = row["format"], row["precision"]
            if backend := FORMATS[name].backend:
                path = Path(folder) / f"{name}-{precision}{FORMATS[name].suffix}"
                chosen = options(name, precision, calibration)
                export_network(network, path, name, chosen, [picture], report=False, labelled=None)
                contenders[index] = open_backend(path, backend, threads=1)
        for index, times in latencies(contenders, picture, rounds).items():
            results["rows"][index]["latency_ms"] = times
    results |= {"rounds": rounds, "processor": processor()}


def options(name: str, precision: str, calibration: list[Image]) -> Options:
    """Any number of pictures at once where the format can, else one."""
    return Options(precision, None if FORMATS[name].dynamic else 1, calibration=calibration)


def weights_digest(model: str) -> str:
    return hashlib.sha256(model_path(model, "torch").read_bytes()).hexdigest()


def latencies(contenders: dict[int, Any], picture: Image, rounds: int) -> dict[int, dict[str, dict[str, float]]]:
    """Median and 95th percentile in milliseconds of each contender's network alone and end to end."""
    frame: Image = cv2.resize(picture, (1280, 720))  # type: ignore[assignment]
    calls: dict[tuple[int, str], Callable[[], Any]] = {}
    for index, backend in contenders.items():
        tensor = prepare(frame, backend.spec)[0][None]
        detector = FaceDetector.from_backend(backend)
        calls[index, "network"] = partial(backend.run, tensor)
        calls[index, "end to end"] = partial(detector.detect, frame)
    times: dict[tuple[int, str], list[float]] = {key: [] for key in calls}
    for number in range(rounds + 10):
        for key, call in calls.items():
            start = time.perf_counter()
            call()
            if number >= 10:  # the first ones warm up
                times[key].append((time.perf_counter() - start) * 1000)
    return {
        index: {
            what: {
                "median": round(float(np.median(times[index, what])), 3),
                "p95": round(float(np.percentile(times[index, what], 95)), 3),
            }
            for what in ("network", "end to end")
        }
        for index in contenders
    }


def processor() -> str:
    """What the machine calls its processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def table(results: dict[str, Any]) -> str:
    """In Markdown, with what it was measured on below."""
    head = [
        "",
        "kB",
        "largest difference",
        "mean difference",
        "AP >=.1",
        "AP >=.05",
        "network, ms",
        "end to end, ms",
    ]
    expected = results["pytorch"]
    rows = [
        head,
        ["---"] + ["---:"] * 7,
        ["PyTorch", "", "", "", *(_ap(expected[key]) for key in COLUMNS), "", ""],
    ]
    for row in results["rows"]:
        gap, figures, times = row["differences"], row["figures"], row.get("latency_ms")
        rows.append(
            [
                f"{TITLES.get(row['format'], row['format'])}, {row['precision']}",
                f"{row['bytes'] / 1000:,.0f}",
                f"{max(gap['scores'], gap['coordinates']):.1e}" if gap else "not run here",
                f"{max(gap['mean_scores'], gap['mean_coordinates']):.1e}" if gap else "",
                *(_ap(figures[key]) if figures else "" for key in COLUMNS),
                *(f"{times[key]['median']:.2f}" if times else "" for key in ("network", "end to end")),
            ]
        )
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    note = (
        f"{results['model']}. AP on {results['val_pictures']:,} val pictures, differences on"
        f" {results['compared_pictures']}, int8 calibrated on {results['calibration_pictures']} train pictures."
    )
    if "rounds" in results:
        note += (
            f" Median of {results['rounds']} calls, all files in turn in one process, one thread, {results['processor']};"
            " end to end from a 1280 x 720 picture to faces."
        )
    return "\n".join([*lines, "", note])


def rewritten(docs: str, results: dict[str, Any]) -> str:
    """docs/export.md with a fresh table between its markers."""
    before, rest = docs.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table(results)}\n{END}{after}"


def _ap(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}".removeprefix("0")


if __name__ == "__main__":
    sys.exit(main())
