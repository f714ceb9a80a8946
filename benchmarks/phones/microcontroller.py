"""tiny-96 for microcontrollers: its memory, and its accuracy as int8 beside its float32 and front-128.

    python -m benchmarks.phones.microcontroller --data ROOT
    python -m benchmarks.phones.microcontroller --arena-only                # no pictures are looked at

Memory: the plan of phones/micro, and what TensorFlow Lite Micro's own interpreter needs where the package tflite-micro is installed (it
is asked for by the smallest arena with which it runs). Accuracy: on val, as `blazeface evaluate` has it, by LiteRT's int8 kernels.
Writes benchmarks/results/micro.json and micro.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks import RESULTS
from blazeface.data.samples import load_split
from blazeface.detector import WEIGHTS, FaceDetector
from blazeface.evaluation.headline import headline_figures
from blazeface.evaluation.record import records
from blazeface.evaluation.report import figures
from blazeface.export.formats.micro import grey_pixels
from blazeface.files.pictures import read_picture
from blazeface.files.staged import write_text
from blazeface.tflite.arena import least, planned
from tools.microcontroller import SHIPPED, raw_answers, read_bytes, spec_of

LIMIT = 150_000
"""Bytes, of the network and its arena together."""

MODELS = ("front-128", "tiny-96")
"""Whose reports stand beside it."""

SCORE_CUT = 0.02
"""As `blazeface evaluate` has it."""

ASK = """
import sys
import numpy as np
from tflite_micro import runtime
data = open(sys.argv[1], "rb").read()
def runs(size):
    try:
        net = runtime.Interpreter.from_bytes(data, arena_size=size)
        net.set_input(np.zeros([int(n) for n in sys.argv[2].split(",")], np.int8), 0)
        net.invoke()
        return True
    except Exception:
        return False
low, high = 0, 1 << 20
assert runs(high)
while high - low > 16:
    middle = (low + high) // 2
    low, high = (low, middle) if runs(middle) else (middle, high)
print("bytes", high)
"""
"""A process of its own: the interpreter writes to standard error what it has no room for."""


class MicroBackend:
    """A file of `export.formats.micro` as a detector's backend: colours in, made grey first."""

    input_multiple: int | None = None

    def __init__(self, data: bytes):
        from ai_edge_litert.interpreter import Interpreter

        self._model = read_bytes(data)
        self.spec = spec_of(self._model)
        self._runtime = Interpreter(model_content=data, num_threads=1)
        self._runtime.allocate_tensors()
        self._entry = self._runtime.get_input_details()[0]["index"]
        self._outputs = [detail["index"] for detail in self._runtime.get_output_details()]

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        found = []
        for tensor in batch:
            self._runtime.set_tensor(self._entry, grey_pixels(tensor)[None])
            self._runtime.invoke()
            answers = [self._runtime.get_tensor(number) for number in self._outputs]
            found.append(raw_answers(self._model, self.spec, answers))
        return np.stack([logits for logits, _ in found]), np.stack([regressions for _, regressions in found])


def memory(path: Path, python: str = sys.executable) -> dict[str, Any]:
    """Bytes of a file and of what it computes. python: an interpreter of Python that has tflite-micro, if any has."""
    data = path.read_bytes()
    model = read_bytes(data)
    graph = model.graphs[0]
    shape = ",".join(map(str, graph.tensors[graph.inputs[0]].shape))
    done = subprocess.run([python, "-c", ASK, str(path), shape], capture_output=True, text=True)
    said = [line for line in done.stdout.splitlines() if line.startswith("bytes ")]
    micro = int(said[0].split()[1]) if done.returncode == 0 and said else None
    return {
        "file": len(data),
        "plan": planned(graph).size,
        "needed_at_once": least(graph),
        "tflite_micro_arena": micro,
    }


def accuracy(root: Path) -> dict[str, dict[str, float | None]]:
    """Of the int8 file on val, and of the shipped models by their reports."""
    samples = load_split(root, "val")
    detector = FaceDetector.from_backend(MicroBackend(SHIPPED.read_bytes()), score_threshold=SCORE_CUT)
    progress = tqdm(samples, desc="scoring", unit="picture", leave=False, disable=None)
    answers = list(records(progress, lambda path: read_picture(str(path)), detector.detect_batch))
    row = headline_figures(answers) | figures(answers)
    mine = {figure: None if value != value else round(float(value), 4) for figure, value in row.items()}
    return {"tiny-96, int8": mine, **{name: reported(name) for name in reversed(MODELS)}}


def reported(name: str) -> dict[str, float | None]:
    """The figures of a shipped model's report, under the names of `headline_figures`."""
    report: dict[str, Any] = json.loads((WEIGHTS / f"{name}.report.json").read_text("utf-8"))
    found: dict[str, float | None] = {
        f"recall {size} at {at}" + ("" if group == "general" else f", {group}"): value
        for group, part in report["headline"]["recall"].items()
        for at, recalls in part["recall"].items()
        for size, value in recalls.items()
    }
    found |= report["figures"]
    return found


def table(found: dict[str, Any]) -> str:
    lines = ["| memory, bytes | |", "| --- | ---: |"]
    size = found["memory"]
    lines.append(f"| the network, a `.tflite` file | {size['file']:,} |")
    lines.append(f"| what it computes, as `phones/micro` plans it | {size['plan']:,} |")
    lines.append(f"| both | {size['file'] + size['plan']:,} |")
    if size["tflite_micro_arena"]:
        lines.append(f"| arena of TensorFlow Lite Micro, with its own tables | {size['tflite_micro_arena']:,} |")
        lines.append(f"| both, with TensorFlow Lite Micro | {size['file'] + size['tflite_micro_arena']:,} |")
    if found.get("accuracy"):
        columns = list(next(iter(found["accuracy"].values())))
        shown = [name for name in columns if name.startswith("recall") and "crowds" not in name]
        shown += [name for name in columns if not name.startswith("recall")]
        lines += [
            "",
            "| | " + " | ".join(found["accuracy"]) + " |",
            "| --- " + "| ---: " * len(found["accuracy"]) + "|",
        ]
        for figure in shown:
            cells = [row.get(figure) for row in found["accuracy"].values()]
            lines.append(f"| {figure} | " + " | ".join("-" if c is None else f"{c:.3f}" for c in cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, metavar="ROOT")
    parser.add_argument("--arena-only", action="store_true", help="keep the accuracy that was measured before")
    parser.add_argument("--python", default=sys.executable, help="a Python that has tflite-micro")
    args = parser.parse_args(arguments)
    path = RESULTS / "micro.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() and args.arena_only else {}
    found["memory"] = memory(SHIPPED, args.python)
    if not args.arena_only:
        if args.data is None:
            parser.error("--data is needed, or --arena-only")
        found["accuracy"] = accuracy(args.data)
    write_text(path, json.dumps(found, indent=2) + "\n")
    write_text(RESULTS / "micro.md", table(found))
    print(table(found), end="")
    size = found["memory"]
    return int(size["file"] + max(size["plan"], size["tflite_micro_arena"] or 0) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
