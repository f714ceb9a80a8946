"""`blazeface segment`: train a small network that tells faces from background, and score it."""

from __future__ import annotations

import argparse
import json
import sys
from importlib.util import find_spec
from pathlib import Path

from blazeface.data.samples import load_split
from blazeface.errors import BlazeFaceError, install_command
from blazeface.files.staged import staged_file

MISSING = f"training needs PyTorch and a few more: {install_command('train')}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="ROOT", help="folder of labelled pictures, with keypoints")
    add("--out", type=Path, required=True, metavar="DIR", help="the run's folder; a stopped run is gone on with")
    add(
        "--kind",
        choices=("dense", "light", "xception"),
        default="dense",
        help="a U-Net of dense (default) or of light convolutions, or a narrow Aligned Xception",
    )
    add("--epochs", type=int, default=10, help="passes over the pictures (default 10)")
    add("--seed", type=int, default=0, help="of the first weights and of the order (default 0)")
    add("--limit", type=int, metavar="N", help="an even choice of N pictures of each split instead of all")
    add("--threads", type=int, default=1, help="CPU threads of training (default 1)")


def run(args: argparse.Namespace) -> int:
    """Write model.safetensors, segment.onnx, segment.tflite (where LiteRT is installed) and report.json into the run's folder;
    print the IoU on val."""
    try:
        import torch

        from blazeface.data.face_masks import masked_pictures
        from blazeface.export.auxiliary import export_auxiliary, export_tflite
        from blazeface.models.cost import count
        from blazeface.models.light.segmenters import SEGMENT_KEY, SEGMENT_SIZE, save_segmenter
        from blazeface.training.tasks.segment import mask_iou, segment_config, train_segmenter
    except ImportError as error:
        raise BlazeFaceError(f"{MISSING} ({error})") from error
    if args.limit is not None and args.limit < 1:
        raise BlazeFaceError(f"--limit must be 1 or more, not {args.limit}")
    torch.set_num_threads(max(1, args.threads))
    config = segment_config(args.kind, args.epochs, seed=args.seed)
    splits = {split: load_split(args.data, split) for split in ("train", "val")}
    if args.limit is not None:
        splits = {name: part[:: max(1, len(part) // args.limit)][: args.limit] for name, part in splits.items()}
    args.out.mkdir(parents=True, exist_ok=True)
    pictures = masked_pictures(splits["train"], SEGMENT_SIZE)
    network = train_segmenter(pictures, config, args.out, log=lambda line: print(line, flush=True))
    if network is None:
        print(f"stopped; the same command goes on in {args.out}")
        return 130
    save_segmenter(network, args.kind, args.out / "model.safetensors")
    names, kind = ("pictures", "logits"), {SEGMENT_KEY: args.kind}
    scaled = "float32, RGB, (value - 127.5) / 127.5, letterboxed"
    about = (
        f"Faces and background. pictures: (batch, 3, {SEGMENT_SIZE}, {SEGMENT_SIZE}) {scaled}. logits: (batch, 2, H, W),"
        " background first."
    )
    difference = export_auxiliary(network, args.out / "segment.onnx", SEGMENT_SIZE, names, kind, about)
    tflite = None
    if find_spec("ai_edge_litert") is not None:
        about = f"Faces and background. pictures: (1, H, W, 3) {scaled}. logits: (1, H, W, 2), background first."
        shape = (3, SEGMENT_SIZE, SEGMENT_SIZE)
        tflite = export_tflite(network, args.out / "segment.tflite", shape, names, kind, about)
    cost = count(network, torch.zeros(1, 3, SEGMENT_SIZE, SEGMENT_SIZE))
    val = masked_pictures(splits["val"], SEGMENT_SIZE)
    report = {
        "kind": args.kind,
        "epochs": args.epochs,
        "seed": args.seed,
        "train_pictures": len(pictures),
        "val_pictures": len(val),
        "iou": round(mask_iou(network, val), 4),
        "parameters": cost.parameters,
        "macs": cost.macs,
        "onnx_difference": difference,
        "tflite_difference": tflite,
    }
    with staged_file(args.out / "report.json") as part:
        part.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"IoU of face pixels on {len(val):,} pictures of val: {report['iou']:.3f}")
    if not report["iou"]:
        print(
            "blazeface segment: the network finds no face pixel at all: train it longer (--epochs)",
            file=sys.stderr,
        )
        return 1
    return 0
