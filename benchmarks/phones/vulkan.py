"""ncnn on a GPU by Vulkan, a software driver's where the machine has no other, against ncnn on the CPU: the same faces.

    apt-get install mesa-vulkan-drivers                                     # lavapipe, a driver that computes on the CPU
    python -m benchmarks.phones.vulkan --data ROOT --count 40               # ROOT in the WIDER FACE layout, or a folder of pictures

Exports front-128 and back-256 (extra "ncnn"), prints how far faces lie apart, writes benchmarks/results/phones_vulkan.md and ends
with status 1 where a face is found by one alone or a number lies further apart than the limit. In float32: what a phone's
float16 makes of it is another matter.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks import RESULTS
from benchmarks.phones.parity import chosen
from benchmarks.phones.recording import face_rows, largest_difference, same_faces
from blazeface.anchors import anchor_centers
from blazeface.detector import WEIGHTS, postprocess, prepare
from blazeface.export.format_table import Options
from blazeface.files.pictures import read_picture
from blazeface.files.staged import write_text
from blazeface.models.weights import load_weights

MODELS = ("front-128", "back-256")
NEAR = 1e-3
"""Of a coordinate in pixels of the picture and of a score: sums in another order, as ncnn's own shaders have it."""


@dataclass
class Comparison:
    """One model on all pictures. logit: furthest difference of a logit. furthest: of a face's coordinate, in pixels of the
    picture, or its score; infinite where one finds another number of faces. beyond: pictures beyond the limit."""

    model: str
    device: str
    pictures: int = 0
    faces: int = 0
    logit: float = 0.0
    furthest: float = 0.0
    beyond: int = 0


def compare(model: str, paths: Sequence[Path], folder: Path) -> Comparison:
    """Run one shipped model on the CPU and by Vulkan. Raises BlazeFaceError where no driver is installed."""
    import ncnn

    from blazeface.backends.ncnn_backend import NcnnBackend
    from blazeface.export.formats import ncnn as export

    param = folder / f"{model}.param"
    export.write(load_weights(WEIGHTS / f"{model}.safetensors").folded(), param, Options())
    cpu, gpu = NcnnBackend(param, 1), NcnnBackend(param, 1, vulkan=True)
    found = Comparison(model, ncnn.get_gpu_info(ncnn.get_default_gpu_index()).device_name())
    centers = anchor_centers(cpu.spec.anchor_maps)
    for path in paths:
        tensor, letterbox = prepare(read_picture(str(path)), cpu.spec)
        answers = [backend.run(tensor[None]) for backend in (cpu, gpu)]
        found.logit = max(found.logit, float(np.abs(answers[0][0] - answers[1][0]).max()))
        one, other = (
            face_rows(
                postprocess(logits[0], regressions[0], letterbox, cpu.spec, centers, cpu.spec.score_threshold)
            )
            for logits, regressions in answers
        )
        found.pictures += 1
        found.faces += len(one)
        found.furthest = max(found.furthest, largest_difference(one, other))
        found.beyond += not same_faces(one, other, NEAR)
    return found


def table(rows: Sequence[Comparison]) -> str:
    lines = [
        "| model | Vulkan device | pictures | faces | furthest logit | furthest coordinate or score | pictures beyond the limit |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in rows:
        lines.append(
            f"| {r.model} | {r.device} | {r.pictures} | {r.faces} | {r.logit:.1e} | {r.furthest:.1e} | {r.beyond} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, metavar="ROOT")
    parser.add_argument("--count", type=int, default=40, metavar="N")
    args = parser.parse_args(arguments)
    paths = chosen(args.data, args.count)
    if not paths:
        print(f"{args.data}: holds no pictures", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        rows = [compare(model, paths, Path(folder)) for model in MODELS]
    text = table(rows)
    print(text, end="")
    write_text(RESULTS / "phones_vulkan.json", json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    write_text(RESULTS / "phones_vulkan.md", text)
    return int(any(row.beyond for row in rows))


if __name__ == "__main__":
    sys.exit(main())
