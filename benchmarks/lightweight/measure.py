"""Train the light networks, measure them, and write what came out: everything behind docs/lightweight.md.

    make lightweight-report DATA=ROOT                                    # all of it; some hours of one core
    python -m benchmarks.lightweight.measure --data ROOT --only cost refine      # parts
    python -m benchmarks.lightweight.measure --data ROOT --runs runs/longer --only detectors --pictures 15000 --epochs 10
    python -m benchmarks.lightweight.measure --only latency convolutions tables  # all times: no training, some minutes on a quiet machine

Every part goes on where it stopped, and a part that is finished is not done again: runs lie in --runs. Results go to
benchmarks/results/lightweight/*.json, one file a part, and from there into the tables and the plot
(benchmarks/lightweight/tables.py). What was not trained is said to be missing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks import RESULTS, ROOT
from benchmarks.lightweight.classifiers import train_classifiers
from benchmarks.lightweight.convolutions import measure_convolutions
from benchmarks.lightweight.detectors import detector_row, recipe, train_detector
from benchmarks.lightweight.files import (
    auxiliary_files,
    detector_files,
    digit_files,
    lightened_files,
    published_files,
)
from benchmarks.lightweight.latency import latencies
from benchmarks.lightweight.minute import minutes
from benchmarks.lightweight.tables import FAMILY, MINUTES, WRITTEN, write_tables
from blazeface.models.light.segmenters import SEGMENTERS
from tools.ship_small import refine_report

PARTS = (
    *("cost", "detectors", "written", "classify", "lighten", "segment", "refine", "own"),
    *("minute", "latency", "convolutions", "tables"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and compare the light networks.")
    add = parser.add_argument
    add("--data", type=Path, metavar="ROOT", help="folder in the WIDER FACE layout")
    add("--only", nargs="+", choices=PARTS, default=PARTS, help="parts (default: all, in this order)")
    add("--runs", type=Path, default=ROOT / "runs" / "lightweight", help="where the runs lie")
    add("--results", type=Path, default=RESULTS / "lightweight", help="where the figures go")
    add("--doc", type=Path, default=ROOT / "docs" / "lightweight.md", help="the page whose tables are written")
    add("--epochs", type=int, default=1, help="of each detector (default 1)")
    add("--pictures", type=int, default=10_240, help="that each detector is trained on (default 10,240)")
    add("--seeds", type=int, nargs="+", default=[0, 1], help="of the detectors (default 0 1)")
    add("--refine-epochs", type=int, default=16, help="of the dense second stage (default 16)")
    add("--separable-epochs", type=int, default=4, help="of the separable one made from it (default 4)")
    add("--segment-epochs", type=int, default=2, help="of the segmenters (default 2)")
    add("--segment-pictures", type=int, default=6000, help="that the segmenters see (default 6,000)")
    add("--finetune", type=int, default=1, help="epochs after making a network light (default 1)")
    add("--finetune-pictures", type=int, default=6000, help="of such an epoch (default 6,000)")
    add("--val-pictures", type=int, default=500, help="that `lighten` is scored on (default 500)")
    add("--classify-epochs", type=int, default=8, help="of each classifier (default 8)")
    add("--seconds", type=float, default=60, help="that each network trains in the part `minute` (default 60)")
    add("--rounds", type=int, default=200, help="of the times; larger networks take fewer (default 200)")
    add("--threads", type=int, default=1)
    args = parser.parse_args()
    needs_data = {"detectors", "written", "lighten", "segment", "refine", "own", "minute"} & set(args.only)
    if needs_data and args.data is None:
        parser.error(f"--data is needed for {', '.join(sorted(needs_data))}")
    args.results.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        if part in args.only:
            print(f"== {part}", flush=True)
            globals()[f"_{part}"](args)


def _cost(args: argparse.Namespace) -> None:
    found = _run("cost", "--list", "--json", capture=True)
    _write(args.results / "cost.json", json.loads(found))
    one = ("--in", "64", "--out", "128", "--kernel", "3", "--size", "32x32")
    _write(args.results / "separable.json", json.loads(_run("cost", "separable", *one, "--json", capture=True)))


def _detectors(args: argparse.Namespace) -> None:
    """One recipe, the same pictures in the same order for all; seed by seed, so that a first answer comes early."""
    _trained(args, FAMILY, "detectors")


def _written(args: argparse.Namespace) -> None:
    """BlazeFace as the paper has it and as a well-known text writes it."""
    _trained(args, WRITTEN, "written")


def _trained(args: argparse.Namespace, models: tuple[str, ...], name: str) -> None:
    for seed in args.seeds:
        for model in models:
            out = args.runs / f"{model}-{seed}"
            config = recipe(model, seed, args.epochs)
            if not train_detector(args.data, out, config, args.pictures, args.threads):
                raise SystemExit("stopped; the same command goes on")
            folders = [args.runs / f"{m}-{s}" for s in args.seeds for m in models]
            rows = [row for f in folders if (row := detector_row(f, args.pictures))]
            _write(args.results / f"{name}.json", rows)


def _classify(args: argparse.Namespace) -> None:
    for rows in train_classifiers(args.runs, args.classify_epochs, args.threads):
        _write(args.results / "classifiers.json", rows)


def _minute(args: argparse.Namespace) -> None:
    path = args.results / "minute.json"
    done = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    for rows in minutes(args.data, args.runs, MINUTES, done, args.seconds, args.threads):
        _write(path, rows)


def _lighten(args: argparse.Namespace) -> None:
    """The story on the one of the six whose 3 x 3 convolutions are dense."""
    weights = args.runs / "squeezenet-128-0" / "model.safetensors"
    if not weights.is_file():
        print(f"{weights} is not there: the detectors come first", file=sys.stderr)
        return
    out = args.runs / "squeezenet-128-light"
    if not (out / "lighten.json").is_file():
        pictures = ["--val-pictures", str(args.val_pictures), "--threads", str(args.threads)]
        tune = ["--finetune", str(args.finetune), "--train-pictures", str(args.finetune_pictures)]
        data = ["--data", str(args.data), *tune]
        _run("lighten", str(weights), "--rule", "separable", "--out", str(out), *data, *pictures)
    _write(args.results / "lighten.json", json.loads((out / "lighten.json").read_text()))


def _segment(args: argparse.Namespace) -> None:
    rows = []
    for kind in SEGMENTERS:
        out = args.runs / f"segment-{kind}"
        if not (out / "report.json").is_file():
            fixed = ["--kind", kind, "--epochs", str(args.segment_epochs), "--limit", str(args.segment_pictures)]
            _run("segment", "--data", str(args.data), "--out", str(out), *fixed, "--threads", str(args.threads))
        rows.append(json.loads((out / "report.json").read_text()))
        _write(args.results / "segment.json", rows)


def _refine(args: argparse.Namespace) -> None:
    """Dense from scratch, then separable from the dense one made light; both with both shipped detectors."""
    rows = []
    dense = ["--epochs", str(args.refine_epochs)]
    made = [
        "--epochs",
        str(args.separable_epochs),
        "--init",
        str(args.runs / "refine-dense/model.safetensors"),
    ]
    for kind, fixed in (("dense", dense), ("separable", made)):
        out = args.runs / f"refine-{kind}"
        data = ["--data", str(args.data), "--threads", str(args.threads)]
        if not (out / "report.json").is_file():
            _run("refine", *data, "--out", str(out), "--kind", kind, *fixed)
        for model in ("front-128", "back-256"):
            measured = out / f"{model}.json"
            if not measured.is_file():
                file = str(out / "refine.onnx")
                _run("refine", *data, "--evaluate", file, "--model", model, "--json", str(measured))
        rows.append(refine_report(out))
        _write(args.results / "refine.json", rows)


def _own(args: argparse.Namespace) -> None:
    """Networks that are no detectors, made light: see own.py."""
    runs = ["--runs", str(args.runs), "--results", str(args.results)]
    command = [sys.executable, "-m", "benchmarks.lightweight.own", "--data", str(args.data), *runs]
    if subprocess.run(command, check=False).returncode:
        raise SystemExit("benchmarks.lightweight.own did not end well; the same command goes on")


def _latency(args: argparse.Namespace) -> None:
    """All files, taking turns; on a machine that is busy with other work the figures say little."""
    folder = args.runs / "files"
    small = detector_files(folder, (*FAMILY, *(name for name in WRITTEN if name not in FAMILY)))
    small |= (
        auxiliary_files(folder) | digit_files(folder) | lightened_files(folder, _lightened_pairs(args.results))
    )
    _write(args.results / "latency.json", latencies(small, args.rounds))
    large = max(3, args.rounds // 10)
    _write(args.results / "latency_published.json", latencies(published_files(folder), large))


def _lightened_pairs(results: Path) -> list[tuple[str, str]]:
    """(network, rule) of the rows of own.json."""
    path = results / "own.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.is_file() else []
    return [(row["network"].partition(":")[2], row["rule"]) for row in rows]


def _convolutions(args: argparse.Namespace) -> None:
    _write(args.results / "convolutions.json", measure_convolutions(max(3, args.rounds // 4)))


def _tables(args: argparse.Namespace) -> None:
    write_tables(args.results, args.doc)


def _run(command: str, *arguments: str, capture: bool = False) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "blazeface", command, *arguments],
        cwd=Path.cwd(),
        text=True,
        stdout=subprocess.PIPE if capture else None,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"blazeface {command} ended with status {done.returncode}; the same command goes on")
    return done.stdout or ""


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
