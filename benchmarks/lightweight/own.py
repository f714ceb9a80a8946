"""`blazeface lighten` on networks that are no detectors: a residual one with basic blocks and U-Net; lost, regained, saved.

    python -m benchmarks.lightweight.own --data ROOT --runs runs/lightweight

trains what is missing there (the residual keypoint network, dense and separable, and the dense U-Net), runs
benchmarks/lightweight/own_networks.py through every rule of --rules, measures the keypoint networks on the faces that the
detector finds in val, and writes benchmarks/results/lightweight/own.json and residual.json. What is finished is not done again.
Their times are measured with all others: `python -m benchmarks.lightweight.measure --only latency tables`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import RESULTS, ROOT
from benchmarks.lightweight.task_tables import LIGHTENED
from blazeface.files.staged import write_text

FILE = "benchmarks/lightweight/own_networks.py"
RULES = ("separable", "grouped", "factorized")
KINDS = ("residual", "residual-separable")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make networks light that are no detectors, and measure it.")
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="ROOT", help="folder in the WIDER FACE layout")
    add("--runs", type=Path, default=ROOT / "runs" / "lightweight", help="where the runs lie")
    add("--results", type=Path, default=RESULTS / "lightweight", help="where the figures go")
    add("--epochs", type=int, default=8, help="of each keypoint network (default 8)")
    add("--segment-epochs", type=int, default=2, help="of the dense U-Net (default 2)")
    add("--segment-pictures", type=int, default=6000, help="that it sees (default 6,000)")
    add("--steps", type=int, default=300, help="of fine-tuning (default 300)")
    add("--rules", nargs="+", choices=RULES, default=["separable"], help="default: separable")
    add("--pictures", type=int, default=1500, help="of each split, for fine-tuning and scores (default 1,500)")
    add("--val-pictures", type=int, metavar="N", help="that the keypoint networks are measured on (default: all)")
    args = parser.parse_args()
    os.environ |= {
        "LIGHTEN_DATA": str(args.data),
        "LIGHTEN_RUNS": str(args.runs),
        "LIGHTEN_PICTURES": str(args.pictures),
    }
    _trained(args)
    write_text(args.results / "residual.json", json.dumps(_keypoints(args), indent=2) + "\n")
    write_text(args.results / "own.json", json.dumps(_lightened(args), indent=2) + "\n")


def _trained(args: argparse.Namespace) -> None:
    for kind in KINDS:
        out = args.runs / f"refine-{kind}"
        if not (out / "model.safetensors").is_file():
            limit = ["--limit", "50"]  # measured below, on more
            _run("refine", "--data", args.data, "--out", out, "--kind", kind, "--epochs", args.epochs, *limit)
    out = args.runs / "segment-dense"
    if not (out / "report.json").is_file():
        fixed = ["--kind", "dense", "--epochs", args.segment_epochs, "--limit", args.segment_pictures]
        _run("segment", "--data", args.data, "--out", out, *fixed)


def _keypoints(args: argparse.Namespace) -> dict[str, Any]:
    """Dense beside separable: sizes, and the error on the faces that front-128 finds in val."""
    rows = []
    for kind in KINDS:
        out = args.runs / f"refine-{kind}"
        measured = out / "front-128.json"
        if not measured.is_file():
            limit = [] if args.val_pictures is None else ["--limit", args.val_pictures]
            _run("refine", "--data", args.data, "--evaluate", out / "refine.onnx", "--json", measured, *limit)
        report = json.loads((out / "report.json").read_text()) | json.loads(measured.read_text())
        kept = ("kind", "epochs", "train_faces", "parameters", "macs", "faces", "before", "after", "gain")
        rows.append({name: report[name] for name in kept})
    return {"rows": rows}


def _lightened(args: argparse.Namespace) -> dict[str, Any]:
    """One row a network and rule."""
    rows = []
    for network in LIGHTENED:
        for rule in args.rules:
            out = args.runs / f"own-{network}-{rule}"
            if not (out / "lighten.json").is_file():
                fixed = ["--rule", rule, "--steps", args.steps, "--out", out, "--format", "onnx", "tflite"]
                _run("lighten", f"{ROOT / FILE}:{network}", *fixed)
            report = json.loads((out / "lighten.json").read_text())
            changes = report.pop("changes")
            del report["milliseconds"]  # of the moment of its fine-tuning; all networks are timed together
            errors = sorted(change["error"] for change in changes)
            rows.append(
                {
                    **report,
                    "pictures": args.pictures,
                    "layers": len(changes),
                    "median_error": errors[len(errors) // 2],
                }
            )
    return {"rows": rows}


def _run(command: str, *arguments: object) -> None:
    line = [sys.executable, "-m", "blazeface", command, *map(str, arguments)]
    if subprocess.run(line, cwd=Path.cwd(), check=False).returncode:
        raise SystemExit(f"blazeface {command} did not end well; the same command goes on")


if __name__ == "__main__":
    main()
