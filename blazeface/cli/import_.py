"""blazeface import: Google's released .tflite weights as a file that is evaluated, fine-tuned and exported here."""

from __future__ import annotations

import argparse
from pathlib import Path

from blazeface.cli.shared_flags import add_overwrite, refuse_unless
from blazeface.errors import BlazeFaceError, install_command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        type=Path,
        help="one of MediaPipe's float models: face_detection_short_range.tflite (or _front), face_detection_back.tflite,"
        " face_detection_full_range.tflite (dense)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.safetensors", help="the file to write")
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    if args.out.suffix != ".safetensors":
        raise BlazeFaceError(f"--out must name a .safetensors file, not {args.out}")
    if not args.out.parent.is_dir():
        raise BlazeFaceError(f"--out {args.out}: there is no folder {args.out.parent}")
    refuse_unless(
        args.overwrite or args.out.is_dir(), "--out", [args.out]
    )  # a folder: not ours to replace, said below
    try:
        from blazeface.models.google_weights import import_tflite, is_released
        from blazeface.models.weights import save_weights
    except ImportError as error:
        raise BlazeFaceError(
            f"importing weights needs PyTorch and safetensors: {install_command('train')} ({error})"
        ) from error
    network = import_tflite(args.file)
    save_weights(network, args.out)
    origin = (
        "as Google released it"
        if is_released(network)
        else "with other weights than Google released (retrained, or damaged)"
    )
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(f"{args.file}: {network.spec.name}, {parameters:,} parameters, {origin}\nwritten to {args.out}")
    return 0
