"""Train the light networks, measure them, and write what came out: everything behind docs/lightweight.md.

    make lightweight-report DATA=ROOT                                    # all of it; days on two CPU cores
    python benchmarks/lightweight.py --data ROOT --only cost refine      # parts
    python benchmarks/lightweight.py --data ROOT --only detectors --epochs 2 --seeds 0
    python benchmarks/lightweight.py --only cost tables                  # no training, minutes

Every part goes on where it stopped, and a part that is finished is not done again: runs lie in --runs. Results go to
benchmarks/results/lightweight/*.json, one file a part, and from there into the tables and the plot
(benchmarks/lightweight_tables.py). What was not trained is said to be missing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from lightweight_detectors import FAMILY, detector_row, recipe, train_detector
from lightweight_latency import latencies
from lightweight_tables import write_tables

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "lightweight"
PARTS = ("cost", "detectors", "lighten", "segment", "refine", "latency", "tables")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and compare the light networks.")
    add = parser.add_argument
    add("--data", type=Path, metavar="ROOT", help="folder in the WIDER FACE layout")
    add("--only", nargs="+", choices=PARTS, default=PARTS, help="parts (default: all, in this order)")
    add("--runs", type=Path, default=ROOT / "runs" / "lightweight", help="where the runs lie")
    add("--results", type=Path, default=RESULTS, help="where the figures go")
    add("--doc", type=Path, default=ROOT / "docs" / "lightweight.md", help="the page whose tables are written")
    add("--epochs", type=int, default=1, help="of each detector (default 1)")
    add("--pictures", type=int, default=10_240, help="that each detector is trained on (default 10,240)")
    add("--seeds", type=int, nargs="+", default=[0, 1], help="of the detectors (default 0 1)")
    add("--refine-epochs", type=int, default=30)
    add("--segment-epochs", type=int, default=10)
    add("--finetune", type=int, default=2, help="epochs after making a network light (default 2)")
    add("--val-pictures", type=int, default=500, help="of evaluations on the way and of `lighten` (default 500)")
    add("--threads", type=int, default=1)
    args = parser.parse_args()
    needs_data = {"detectors", "lighten", "segment", "refine"} & set(args.only)
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


def _detectors(args: argparse.Namespace) -> None:
    """One recipe, the same pictures in the same order for all; seed by seed, so that a first answer comes early."""
    for seed in args.seeds:
        for model in FAMILY:
            out = args.runs / f"{model}-{seed}"
            config = recipe(model, seed, args.epochs)
            if not train_detector(args.data, out, config, args.pictures, args.threads):
                raise SystemExit("stopped; the same command goes on")
            if not (out / "model.tflite").is_file():
                files = ["--weights", str(out / "model.safetensors"), "--out", str(out / "model.tflite")]
                _run("export", *files, "--format", "tflite")
            folders = [args.runs / f"{m}-{s}" for s in args.seeds for m in FAMILY]
            _write(
                args.results / "detectors.json", [row for f in folders if (row := detector_row(f, args.pictures))]
            )


def _lighten(args: argparse.Namespace) -> None:
    """The story on the one of the six whose 3 x 3 convolutions are dense."""
    weights = args.runs / "squeezenet-128-0" / "model.safetensors"
    if not weights.is_file():
        print(f"{weights} is not there: the detectors come first", file=sys.stderr)
        return
    out = args.runs / "squeezenet-128-light"
    if not (out / "lighten.json").is_file():
        pictures = ["--val-pictures", str(args.val_pictures), "--threads", str(args.threads)]
        data = ["--data", str(args.data), "--finetune", str(args.finetune)]
        _run("lighten", str(weights), "--rule", "separable", "--out", str(out), *data, *pictures)
    _write(args.results / "lighten.json", json.loads((out / "lighten.json").read_text()))


def _segment(args: argparse.Namespace) -> None:
    _small(args, "segment", ("dense", "light"), args.segment_epochs)


def _refine(args: argparse.Namespace) -> None:
    _small(args, "refine", ("dense", "separable"), args.refine_epochs)


def _small(args: argparse.Namespace, task: str, kinds: tuple[str, ...], epochs: int) -> None:
    rows = []
    for kind in kinds:
        out = args.runs / f"{task}-{kind}"
        if not (out / "report.json").is_file():
            fixed = ["--kind", kind, "--epochs", str(epochs), "--threads", str(args.threads)]
            _run(task, "--data", str(args.data), "--out", str(out), *fixed)
        rows.append(json.loads((out / "report.json").read_text()))
        _write(args.results / f"{task}.json", rows)


def _latency(args: argparse.Namespace) -> None:
    """All files that there are, taking turns; on a machine that is busy with other work the figures say little."""
    files = {}
    for model in FAMILY:
        for suffix in ("onnx", "tflite"):
            files[f"{model}.{suffix}"] = args.runs / f"{model}-{args.seeds[0]}" / f"model.{suffix}"
    for task, kinds in (("refine", ("dense", "separable")), ("segment", ("dense", "light"))):
        for kind in kinds:
            files[f"{task}-{kind}.onnx"] = args.runs / f"{task}-{kind}" / f"{task}.onnx"
    _write(
        args.results / "latency.json", latencies({name: path for name, path in files.items() if path.is_file()})
    )


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
