"""`blazeface classify`: train one of the light classifiers on folders of pictures, and export it."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blazeface.data.class_folders import find_classes, load_pictures
from blazeface.errors import BlazeFaceError, install_command
from blazeface.files.staged import write_text

if TYPE_CHECKING:
    from blazeface.data.class_folders import LabelledPictures
    from blazeface.models.light.classifier_file import ClassifierSpec
    from blazeface.models.light.classifiers import Classifier

MISSING = f"training needs PyTorch and a few more: {install_command('train')}"
NAMES = ("pictures", "logits")
"""Of input and output of the exported files."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        required=True,
        metavar="ROOT",
        help="pictures in ROOT/train/CLASS and ROOT/val/CLASS, or in ROOT/CLASS, every fifth of which is for validation",
    )
    add("--out", type=Path, required=True, metavar="DIR", help="the run's folder; a stopped run is gone on with")
    add(
        "--network",
        required=True,
        metavar="NAME",
        help="squeezenet-1.0 or -1.1, mobilenet-v1 or -v2, shufflenet, shufflenet-32-g2 or -g3, xception",
    )
    add(
        "--width",
        type=float,
        default=1.0,
        metavar="X",
        help="width multiplier of a MobileNet or of Xception (default 1)",
    )
    add("--size", type=int, default=64, metavar="PX", help="side that pictures are letterboxed to (default 64)")
    add("--epochs", type=int, default=20, help="passes over the pictures (default 20)")
    add("--batch", type=int, default=32, help="pictures of a step (default 32)")
    add("--learning-rate", type=float, default=2e-3, help="peak of the schedule (default 0.002)")
    add("--no-mirror", action="store_true", help="do not mirror pictures: for letters, digits, left and right")
    add("--seed", type=int, default=0, help="of the first weights and of the order (default 0)")
    add("--threads", type=int, default=1, help="CPU threads of training (default 1)")


def run(args: argparse.Namespace) -> int:
    """Write model.safetensors, classify.onnx, classify.tflite and report.json into the run's folder; print the accuracies."""
    try:
        import torch

        from blazeface.models.light.classifier_file import ClassifierSpec, save_classifier
        from blazeface.training.tasks.classify import WARMUP, classify_config, train_classifier
    except ImportError as error:
        raise BlazeFaceError(f"{MISSING} ({error})") from error
    if not 0 < args.learning_rate <= 1:
        raise BlazeFaceError(f"--learning-rate must lie in (0, 1], not {args.learning_rate:g}")
    names, found = find_classes(args.data)
    spec = ClassifierSpec(args.network, names, args.size, args.width)
    with torch.device("meta"):
        spec.build()  # an unknown name is an error before any picture is read
    kind = f"{spec.to_json()} mirror={not args.no_mirror}"
    steps = args.epochs * -(-len(found["train"]) // max(1, args.batch))
    warmup = max(1, min(WARMUP, steps // 10))
    config = classify_config(kind, args.epochs, args.batch, args.learning_rate, warmup, seed=args.seed)
    torch.set_num_threads(max(1, args.threads))
    pictures = {split: load_pictures(items, args.size) for split, items in found.items()}
    args.out.mkdir(parents=True, exist_ok=True)
    network = train_classifier(spec.build, pictures["train"], config, args.out, _log, mirror=not args.no_mirror)
    if network is None:
        print(f"stopped; the same command goes on in {args.out}")
        return 130
    save_classifier(network, spec, args.out / "model.safetensors")
    report = {
        "network": args.network,
        "width": args.width,
        "size": args.size,
        "classes": len(names),
        "epochs": args.epochs,
        "seed": args.seed,
        "train_pictures": len(pictures["train"]),
        "val_pictures": len(pictures["val"]),
        **export(network, spec, args.out, pictures["val"]),
    }
    write_text(args.out / "report.json", json.dumps(report, indent=2) + "\n")
    print(f"accuracy on {len(pictures['val']):,} pictures of val: {report['accuracy']:.1%}")
    return 0


def export(network: Classifier, spec: ClassifierSpec, out: Path, val: LabelledPictures) -> dict[str, Any]:
    """Write both files; cost, differences from PyTorch and the accuracies of all three on `val`. Without LiteRT no .tflite
    file is written, which is said."""
    import torch

    from blazeface.export.auxiliary import export_onnx, export_tflite
    from blazeface.export.auxiliary_run import onnx_runner, tflite_runner
    from blazeface.models.cost import count
    from blazeface.models.light.classifier_file import CLASSIFIER_KEY
    from blazeface.training.tasks.classify import accuracy

    def answer(images: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
        with torch.inference_mode():
            return network(torch.from_numpy(images)).numpy()  # type: ignore[no-any-return]

    given = ((3, spec.size, spec.size), NAMES, {CLASSIFIER_KEY: spec.to_json()}, spec.about())
    cost = count(network, torch.zeros(1, 3, spec.size, spec.size))
    figures: dict[str, Any] = {"parameters": cost.parameters, "macs": cost.macs, "accuracy": accuracy(answer, val)}
    figures["onnx_difference"] = export_onnx(network, out / "classify.onnx", *given)
    figures["onnx_accuracy"] = accuracy(onnx_runner(out / "classify.onnx"), val)
    if importlib.util.find_spec("ai_edge_litert") is None:
        print(f"no .tflite file is written without LiteRT: {install_command('tflite')}", file=sys.stderr)
        return figures
    figures["tflite_difference"] = export_tflite(network, out / "classify.tflite", *given)
    figures["tflite_accuracy"] = accuracy(tflite_runner(out / "classify.tflite"), val)
    return figures


def _log(line: str) -> None:
    print(line, flush=True)
