"""`blazeface refine`: train the second stage, which refines keypoints, and measure its gain."""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from blazeface.cli.shared_flags import add_overwrite, refuse_unless
from blazeface.data.samples import Sample, load_split
from blazeface.detector import FaceDetector
from blazeface.errors import BlazeFaceError, install_command
from blazeface.evaluation.record import SCORE_CUT, Detect, keypoint_error, make_record, with_points_of_labels
from blazeface.files.pictures import read_picture
from blazeface.files.staged import write_text
from blazeface.refine import KeypointRefiner

MISSING = f"training needs PyTorch and a few more: {install_command('train')}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="ROOT", help="folder of labelled pictures, with keypoints")
    add("--out", type=Path, metavar="DIR", help="the run's folder; a run that was stopped there is gone on with")
    add("--evaluate", type=Path, metavar="FILE", help="train nothing, measure this .onnx file")
    add(
        "--kind",
        choices=("dense", "separable", "residual", "residual-separable"),
        default="dense",
        help="two branches that exchange what they see (dense, the default), or a residual network; each also with separable"
        " 3 x 3 convolutions",
    )
    add(
        "--init",
        type=Path,
        metavar="FILE",
        help="start from this model.safetensors of a run; a dense one is made light for --kind separable",
    )
    add("--epochs", type=int, default=30, help="passes over the faces (default 30)")
    add("--seed", type=int, default=0, help="of the first weights and of all crops (default 0)")
    add("--model", default="front-128", help="the detector whose faces are refined (default: front-128)")
    add(
        "--json",
        type=Path,
        metavar="FILE",
        help="write the figures there (default: report.json of the run's folder)",
    )
    add_overwrite(parser)
    add("--limit", type=int, metavar="N", help="measure on an even choice of N pictures of val instead of all")
    add("--threads", type=int, default=1, help="CPU threads of training (default 1)")


def run(args: argparse.Namespace) -> int:
    """Write model.safetensors, refine.onnx, refine.tflite (where LiteRT is installed) and report.json into the run's folder;
    print the keypoint errors."""
    if (args.out is None) == (args.evaluate is None):
        raise BlazeFaceError("name the run's folder with --out, or a file to measure with --evaluate")
    refuse_unless(args.overwrite, "--json", [args.json] if args.json else [])
    path: Path = args.evaluate or args.out / "refine.onnx"
    about: dict[str, Any] = {}
    if args.out:
        trained = _train(args)
        if trained is None:
            print(f"stopped; the same command goes on in {args.out}")
            return 130
        about = trained
    detector = FaceDetector(args.model, SCORE_CUT)
    detect = with_points_of_labels(detector.detect_batch, detector.spec.keypoint_names)
    samples = load_split(args.data, "val")
    if args.limit is not None:
        if args.limit < 1:
            raise BlazeFaceError(f"--limit must be 1 or more, not {args.limit}")
        samples = samples[:: max(1, len(samples) // args.limit)][: args.limit]
    report = {**about, "model": detector.spec.name, **compare(samples, detect, KeypointRefiner(path))}
    print(
        f"keypoint error on {report['faces']:,} faces of val: {args.model} {report['before']:.4f},"
        f" refined {report['after']:.4f} ({report['gain']:+.1%})"
    )
    record = args.json or (args.out and args.out / "report.json")
    if record:
        write_text(record, json.dumps(report, indent=2) + "\n")
    return 0


def compare(samples: list[Sample], detect: Detect, refiner: KeypointRefiner) -> dict[str, Any]:
    """Median keypoint error (see docs/evaluation.md) of the same found faces before and after, also by source."""
    pairs: list[tuple[str, float, float]] = []
    for sample in tqdm(samples, desc="measuring", unit="picture", leave=False, disable=None):
        image = read_picture(str(sample.path))
        (found,) = detect([image])
        record = make_record(sample, image.shape[0], image.shape[1], found)
        expected, visibility = sample.keypoints[~sample.ignore], sample.visibility[~sample.ignore]
        matched = [
            i for i, face in enumerate(record.face) if face >= 0 and np.isfinite(record.keypoint_error[face])
        ]
        refined = refiner.refine(image, found[matched])
        for i, points in zip(matched, refined.keypoints, strict=True):
            face = record.face[i]
            after = keypoint_error(points, expected[face], visibility[face])
            pairs.append((sample.source, float(record.keypoint_error[face]), after))
    if not pairs:
        raise BlazeFaceError("no face with annotated keypoints was found")
    errors = np.array([pair[1:] for pair in pairs])
    sources = np.array([pair[0] for pair in pairs])
    before, after = np.median(errors, axis=0)
    by_source = {
        str(source): [
            int((sources == source).sum()),
            *map(float, np.median(errors[sources == source], axis=0).round(4)),
        ]
        for source in np.unique(sources)
    }
    return {
        "faces": len(errors),
        "before": round(float(before), 5),
        "after": round(float(after), 5),
        "gain": round(float(1 - after / before), 4),
        "mean_before": round(float(errors[:, 0].mean()), 5),
        "mean_after": round(float(errors[:, 1].mean()), 5),
        "by_source": by_source,
    }


def _train(args: argparse.Namespace) -> dict[str, Any] | None:
    try:
        import torch

        from blazeface.data.face_crops import cut_faces
        from blazeface.export.refine import export_refine, export_refine_tflite
        from blazeface.models.cost import count
        from blazeface.models.refine import load_refine, save_refine
        from blazeface.training.tasks.refine import refine_config, train_refine
    except ImportError as error:
        raise BlazeFaceError(f"{MISSING} ({error})") from error
    torch.set_num_threads(max(1, args.threads))
    config = refine_config(args.kind, args.epochs, seed=args.seed)
    init = load_refine(args.init) if args.init else None
    args.out.mkdir(parents=True, exist_ok=True)
    crops = cut_faces(load_split(args.data, "train"))
    network = train_refine(crops, config, args.out, log=lambda line: print(line, flush=True), init=init)
    if network is None:
        return None
    save_refine(network, args.out / "model.safetensors")
    difference = export_refine(network, args.out / "refine.onnx")
    with_litert = find_spec("ai_edge_litert") is not None
    tflite = export_refine_tflite(network, args.out / "refine.tflite") if with_litert else None
    size = network.spec.size
    cost = count(network.folded(), torch.zeros(1, 3, size, size))
    return {
        "kind": config.kind,
        "init": init.kind if init else None,
        "epochs": config.epochs,
        "seed": config.seed,
        "train_faces": len(crops),
        "parameters": cost.parameters,
        "macs": cost.macs,
        "onnx_difference": difference,
        "tflite_difference": tflite,
    }
