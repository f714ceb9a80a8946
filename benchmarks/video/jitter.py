"""How steady faces are: blending against hard non-maximum suppression on the same raw outputs, and the One-Euro filter.

    python -m benchmarks.video.jitter --data ROOT --videos FOLDER

Still pictures: those of val with one large face (relative size from 0.2) whose eyes were marked by a person, an even
choice of them, are shown to the network in displaced copies; see blazeface/evaluation/jitter.py. Videos: the
energy of the tracks at high frequencies; see tracks.py. Writes benchmarks/results/jitter.json and jitter.md. The
paper (arXiv 1907.05047, section 3.4) says that blending is at least 30 % steadier.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks import RESULTS
from benchmarks.video.tracks import measure_videos
from blazeface.backends import Backend, open_backend
from blazeface.blend import blend, hard_nms
from blazeface.data.samples import Sample, load_split
from blazeface.detector import model_path
from blazeface.evaluation.jitter import MAX_SCALING, MAX_SHIFT, draw_displacements, found_points, jitter
from blazeface.evaluation.matching import relative_size
from blazeface.files.pictures import read_picture
from blazeface.files.staged import staged_file

SMALLEST = 0.2
MIN_EYE_DISTANCE = 3.0
CLAIM = 0.3
"""How much steadier the paper finds blending."""
REDUCTIONS = {"blend": blend, "hard_nms": hard_nms}
RESULT = RESULTS / "jitter.json"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the jitter of blending and of hard suppression.")
    parser.add_argument("--data", type=Path, required=True, help="folder in the WIDER FACE layout")
    parser.add_argument(
        "--model", default="front-128", help="a shipped model or an .onnx file (default: front-128)"
    )
    parser.add_argument("--videos", type=Path, help="folder of videos; left out: still pictures only")
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--copies", type=int, default=24, help="displaced copies of each picture (default: 24)")
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    backend = open_backend(model_path(args.model), "onnxruntime", 1)
    result = measure(load_split(args.data, "val"), backend, args.pictures, args.copies, args.seed)
    digest = hashlib.sha256(model_path(args.model).read_bytes()).hexdigest()
    result = {"model": backend.spec.name, "sha256": digest, "seed": args.seed, **result}
    if args.videos:
        result["video"] = measure_videos(args.videos, backend)
    text = json.dumps(result, indent=2) + "\n"
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for path, content in ((args.out, text), (args.out.with_suffix(".md"), markdown(result))):
        with staged_file(path) as part:
            part.write_text(content, encoding="utf-8")
    print(markdown(result), end="")


def measure(samples: list[Sample], backend: Backend, pictures: int, copies: int, seed: int) -> dict[str, Any]:
    """The figures of an even choice of the samples that qualify."""
    rng = np.random.default_rng(seed)
    values, left_out, lost = [], 0, 0
    chosen = qualifying(samples, pictures)
    for sample, face, eyes in tqdm(chosen, "measuring", unit="picture", leave=False, disable=None):
        image = read_picture(str(sample.path))
        height, width = image.shape[:2]
        displacements = draw_displacements(rng, copies, height, width, backend.spec.input_size)
        points = found_points(image, face, displacements, backend, backend.spec.score_threshold, REDUCTIONS)
        seen = len(points["blend"])
        if seen < copies / 2:
            left_out += 1  # hardly found at all: that is a miss, not jitter
            continue
        lost += copies - seen
        values.append([jitter(points[name], eyes) for name in REDUCTIONS])
    if not values:
        raise SystemExit("no picture of val has one large face with marked eyes that the model finds")
    return {
        "pictures": len(values),
        "pictures_left_out": left_out,
        "copies": copies,
        "copies_without_the_face": lost,
        "max_shift_input_pixels": MAX_SHIFT,
        "max_scaling": MAX_SCALING,
        "score_threshold": backend.spec.score_threshold,
        **figures(np.array(values), rng),
    }


def qualifying(samples: list[Sample], count: int) -> list[tuple[Sample, NDArray[np.float64], float]]:
    """Samples with one face, large, with marked eyes; its box (4,) and the distance between the eyes."""
    found = []
    for sample in samples:
        if len(sample.boxes) != 1 or sample.ignore[0] or not (sample.visibility[0, :2] == 2).all():
            continue
        eyes = float(np.linalg.norm(sample.keypoints[0, 0] - sample.keypoints[0, 1]))
        if eyes > MIN_EYE_DISTANCE:
            found.append((sample, sample.boxes[0].astype(np.float64), eyes))
    large = []
    for sample, box, eyes in found:
        height, width = read_picture(str(sample.path)).shape[:2]
        if relative_size(box[None], height, width)[0] >= SMALLEST:
            large.append((sample, box, eyes))
    count = min(count, len(large))
    return [large[i * len(large) // count] for i in range(count)]


def figures(values: NDArray[np.float64], rng: np.random.Generator) -> dict[str, Any]:
    """values: (N, 2), each picture's jitter with blending and with hard suppression."""
    draws = rng.integers(0, len(values), (1000, len(values)))
    means = values[draws].mean(axis=1)
    low, high = np.percentile(1 - means[:, 0] / means[:, 1], [2.5, 97.5])
    mean, median = values.mean(axis=0), np.median(values, axis=0)
    return {
        **{name: {"mean": round(mean[i], 5), "median": round(median[i], 5)} for i, name in enumerate(REDUCTIONS)},
        "ratio": round(mean[0] / mean[1], 4),
        "less_with_blending": round(1 - mean[0] / mean[1], 4),
        "less_with_blending_interval": [round(float(low), 4), round(float(high), 4)],
        "steadier_pictures": round(float((values[:, 0] < values[:, 1]).mean()), 4),
    }


def markdown(result: dict[str, Any]) -> str:
    """The figures as tables, and in words what they say of the paper's claim."""
    low, high = result["less_with_blending_interval"]
    lines = [
        "# Jitter",
        f"Model {result['model']}, SHA-256 {result['sha256'][:12]}...; written by `benchmarks/video/jitter.py`. All in units of the distance between the eyes.",
        "",
        f"## Displaced copies of {result['pictures']} pictures",
        "",
        "|  | mean | median |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {result[name]['mean']:.4f} | {result[name]['median']:.4f} |" for name in REDUCTIONS),
        "",
        f"Blending shows {result['less_with_blending']:.1%} less jitter than hard suppression"
        f" (95 % interval {low:.1%} to {high:.1%}). {verdict(result['less_with_blending'])}",
    ]
    video = result.get("video", {})
    if "mean" in video:
        titles = ("blend", "hard_nms", "blend_one_euro", "less_with_blending", "less_with_one_euro")
        lines += [
            "",
            "## Tracks of videos",
            "",
            "| video | tracks | frames | blend | hard NMS | blend + One-Euro | less by blending | less by One-Euro |",
            "| --- " + "| ---: " * 7 + "|",
        ]
        for name, row in [*video["videos"].items(), ("mean", {"tracks": "", "frames": "", **video["mean"]})]:
            cells = [
                format(row[title], ".1%" if "less" in title else ".4f") if title in row else "-"
                for title in titles
            ]
            lines.append("| " + " | ".join([name, str(row["tracks"]), str(row["frames"]), *cells]) + " |")
        mean = video["mean"]
        lines += [
            "",
            f"Blending shows {mean['less_with_blending']:.1%} less jitter than hard suppression over the videos."
            f" {verdict(mean['less_with_blending'])} The One-Euro filter takes away"
            f" {mean['less_with_one_euro']:.1%} of what blending leaves.",
        ]
    return "\n".join(lines) + "\n"


def verdict(less: float) -> str:
    if less >= CLAIM:
        return "That is the 30 % that the paper claims, or more."
    return "That is less than the 30 % that the paper claims."


if __name__ == "__main__":
    main()
