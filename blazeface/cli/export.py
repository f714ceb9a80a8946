"""`blazeface export`: trained weights in, a file for another runtime out, verified on pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import blazeface
from blazeface.detector import model_path
from blazeface.errors import BlazeFaceError
from blazeface.export.pictures import made_up, varied
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image
from blazeface.video.inputs import find_inputs

if TYPE_CHECKING:
    from blazeface.export.verify import Differences
    from blazeface.models.network import BlazeFace

FORMATS = {"onnx": ".onnx", "tflite": ".tflite"}
"""Formats and the suffix of their files."""

PRECISIONS = {"onnx": ("float32",), "tflite": ("float32", "float16")}
"""Precisions of the weights that each format is written in."""

SHIPPED_PICTURES = Path(blazeface.__file__).parents[1] / "data" / "pictures"
"""They come with the repository; an installed package has no such folder beside it."""

MOST_PICTURES = 64
"""More would not find more: what differs, differs on any picture."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--weights", required=True, metavar="FILE", help="a .safetensors file, or the name of a shipped model")
    add("--format", required=True, choices=sorted(FORMATS), help="what to write")
    add("--precision", default="float32", choices=("float32", "float16"), help="of the weights (default: float32)")
    add("--out", type=Path, required=True, metavar="FILE", help="the file to write")
    add(
        "--pictures",
        nargs="+",
        metavar="PATH",
        help="pictures, and folders of them, on which the file must agree with PyTorch"
        f" (the first {MOST_PICTURES} are used; default: the repository's data/pictures)",
    )


def run(args: argparse.Namespace) -> int:
    """Export, and print the largest difference from PyTorch and on which pictures it was measured."""
    suffix = FORMATS[args.format]
    if args.out.suffix != suffix:
        raise BlazeFaceError(f"--out must name a {suffix} file for --format {args.format}, not {args.out}")
    if not args.out.parent.is_dir():
        raise BlazeFaceError(f"--out {args.out}: there is no folder {args.out.parent}")
    if args.precision not in PRECISIONS[args.format]:
        raise BlazeFaceError(
            f"--precision {args.precision} is not written as {args.format}, only {', '.join(PRECISIONS[args.format])}"
        )
    extra = "export,tflite" if args.format == "tflite" else "export"
    try:
        from blazeface.models.weights import load_weights

        write = _writer(args.format, args.precision)
    except ImportError as error:
        raise BlazeFaceError(
            f"exporting needs PyTorch and a few more: pip install 'blazeface[{extra}]' ({error})"
        ) from error
    network = load_weights(model_path(args.weights, "torch"))
    pictures, origin = choose_pictures(args.pictures)
    differences = write(network, args.out, pictures)
    print(f"{args.out}: {network.spec.name}, {args.out.stat().st_size / 1000:,.0f} kB")
    print(f"{differences}; pictures: {origin}")
    return 0


def _writer(kind: str, precision: str) -> Callable[[BlazeFace, Path, Sequence[Image]], Differences]:
    if kind == "tflite":
        from blazeface.export.tflite import export_tflite

        return partial(export_tflite, precision=precision)
    from blazeface.export.onnx import export_onnx

    return export_onnx


def choose_pictures(paths: list[str] | None) -> tuple[list[Image], str]:
    """Pictures to compare on, and where they are from: the user's, the repository's, or made up."""
    if paths is None:
        if not SHIPPED_PICTURES.is_dir():
            return made_up(), "made up; name real ones with --pictures"
        return _read([str(SHIPPED_PICTURES)]), "data/pictures"
    return _read(paths), ", ".join(paths)


def _read(paths: list[str]) -> list[Image]:
    """The first pictures of files and folders; what cannot be read is named on stderr."""

    def report(fault: BlazeFaceError) -> None:
        print(f"--pictures: {fault}", file=sys.stderr)

    pictures: list[Image] = []
    for found in find_inputs(paths, report):
        if found.kind != "picture":
            report(BlazeFaceError(f"{found.name}: is not a picture"))
        elif len(pictures) < MOST_PICTURES:
            try:
                pictures.append(read_picture(found.address))
            except BlazeFaceError as fault:
                report(fault)
    if not pictures:
        raise BlazeFaceError(f"--pictures: no picture can be read in {', '.join(paths)}")
    return varied(pictures)
