"""kill -9 at random moments of training, export, detection and recording: is anything ever half-written, is what was recorded
lost, does the next run go on?

    python -m reliability.chaos --rounds 50
    python -m reliability.chaos --rounds 50 --add       # adds to the newest report

Each round is a process of its own, forked from this one, which has loaded everything already: so the moments of the
kills fall on the work and not on the loading. After each kill the folder is looked at, and the next round goes on in
it. A round that is not killed in time has to end well.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2

from reliability.chaos_trials import TRIALS
from reliability.kills import kill_rounds
from reliability.report import resumed, table, write_report

PART = 25
"""Kills of one command, before the next one has its turn and the report is written."""

COUNTED = ("killed", "ended", "went on", "refused", "parts left")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="kills of each command (default 50)")
    parser.add_argument("--only", choices=sorted(TRIALS), nargs="+", default=list(TRIALS))
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--add", action="store_true", help="add to the newest report, which has the same seed")
    args = parser.parse_args()
    load_everything()
    kind = "chaos" if args.only == list(TRIALS) else "kills"
    figures = resumed(kind, args.seed, args.add)
    rows: dict[str, dict[str, Any]] = figures.setdefault("trials", {})
    for start in range(0, args.rounds, PART):
        for name in args.only:
            row = rows.setdefault(name, dict.fromkeys(COUNTED, 0) | {"failures": []})
            with tempfile.TemporaryDirectory(prefix="blazeface-chaos-") as folder:
                trial = TRIALS[name](Path(folder))
                moments = random.Random(f"{args.seed} {name} {row['killed']}")
                kill_rounds(trial, min(PART, args.rounds - start), moments, Path(folder))
            for count in COUNTED:
                row[count] += trial.counts[count]
            row["failures"] += trial.failures
            figures |= {"passed": not any(row["failures"] for row in rows.values())}
            path = write_report(kind, figures, as_text(figures))
            print(path, name, dict(trial.counts), trial.failures, flush=True)
    return 0 if figures["passed"] else 1


def load_everything() -> None:
    """Import what the commands would import, and let nothing start a thread that a fork would lose."""
    cv2.setNumThreads(0)
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    import torch

    torch.set_num_threads(1)
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401
    import onnxscript  # noqa: F401
    import torch.onnx
    import torch.utils.tensorboard
    from ai_edge_litert import interpreter  # noqa: F401
    from matplotlib import pyplot  # noqa: F401

    import blazeface.data.dataset
    import blazeface.export.formats.onnx
    import blazeface.export.formats.tflite
    import blazeface.training.finish
    import blazeface.training.loop  # noqa: F401


def as_text(figures: dict[str, Any]) -> str:
    rows = [
        [
            name,
            trial["killed"],
            trial["ended"],
            trial["went on"],
            trial["refused"],
            trial["parts left"],
            len(trial["failures"]),
        ]
        for name, trial in figures["trials"].items()
    ]
    told = "".join(
        f"\n- {name}: {line}" for name, trial in figures["trials"].items() for line in trial["failures"]
    )
    head = [
        "command",
        "killed",
        "ended",
        "went on with what was there",
        "refused to go on",
        "hidden parts left",
        "failures",
    ]
    return (
        f"{sum(trial['killed'] for trial in figures['trials'].values())} kills (kill -9) at random moments of the rounds, seed"
        f" {figures['seed']}, by the code of {', '.join(figures['commits'])}."
        " After each kill every file that has its final name is opened and compared; the next round goes on from"
        " there. Training writes a checkpoint after each step here. Hidden parts, which a kill may leave, are removed"
        f" by a later run once they are an hour old.\n\n{table(head, rows)}\n\nFailures:{told or ' none.'}"
    )


if __name__ == "__main__":
    sys.exit(main())
