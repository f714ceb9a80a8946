"""How steady faces are: blending against hard non-maximum suppression on the same raw outputs, and the One-Euro filter.

    python -m benchmarks.video.jitter --data ROOT --videos FOLDER [--model front-128 back-256]

Still pictures: displaced copies, see stills.py. Videos: the energy of the tracks at high frequencies, and the lag of
smoothing, see tracks.py. A face whose motion is known: the lag of smoothing, see moving_face.py. Writes
benchmarks/results/jitter.json and jitter.md. The paper (arXiv 1907.05047, section 3.4) says that blending is at least
30 % steadier.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

from benchmarks import RESULTS
from benchmarks.video.moving_face import moving_face
from benchmarks.video.report import markdown
from benchmarks.video.stills import measure_stills
from benchmarks.video.tracks import measure_videos
from blazeface.backends import open_backend
from blazeface.data.samples import load_split
from blazeface.detector import model_path
from blazeface.files.staged import staged_file
from blazeface.tracking.one_euro import OneEuro


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the jitter of blending, hard suppression and smoothing.")
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder in the WIDER FACE layout")
    add("--videos", type=Path, help="folder of videos; left out: still pictures only")
    add(
        "--model",
        nargs="+",
        default=["front-128", "back-256"],
        help="shipped models or .onnx files (default: front-128 back-256)",
    )
    add("--pictures", type=int, default=300)
    add("--copies", type=int, default=24, help="displaced copies of each picture (default: 24)")
    add("--seed", type=int, default=6)
    add("--out", type=Path, default=RESULTS / "jitter.json")
    args = parser.parse_args()
    val = load_split(args.data, "val")
    models: dict[str, Any] = {}
    for name in args.model:
        backend = open_backend(model_path(name), "onnxruntime", 1)
        row = models[backend.spec.name] = {
            "sha256": hashlib.sha256(model_path(name).read_bytes()).hexdigest(),
            "stills": measure_stills(val, backend, args.pictures, args.copies, args.seed),
        }
        if args.videos:
            row["video"] = measure_videos(args.videos, backend)
    result = {"seed": args.seed, "filter": vars(OneEuro()), "moving_face": moving_face(), "models": models}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    page = markdown(result)
    for path, content in ((args.out, json.dumps(result, indent=2) + "\n"), (args.out.with_suffix(".md"), page)):
        with staged_file(path) as part:
            part.write_text(content, encoding="utf-8")
    print(page, end="")


if __name__ == "__main__":
    main()
