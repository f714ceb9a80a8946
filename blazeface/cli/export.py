"""`blazeface export`: trained weights in, a file for another runtime out, verified on pictures."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import blazeface
from blazeface.cli.shared_flags import add_overwrite, refuse_unless
from blazeface.data.even_choice import chosen_evenly
from blazeface.data.samples import load_split
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import (
    DYNAMIC,
    FORMATS,
    NEWEST_OPSET,
    OLDEST_OPSET,
    PRECISIONS,
    Options,
    check_options,
    load_format,
    missing,
)
from blazeface.export.pictures import enough_pictures, synthetic_pictures
from blazeface.files.names import printable
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image
from blazeface.sources.inputs import find_inputs

SHIPPED_PICTURES = Path(blazeface.__file__).parents[1] / "data" / "pictures"
"""They come with the repository; an installed package has no such folder beside it."""

MAX_PICTURES = 64
"""More would not find more: what differs, differs on any picture."""

MAX_AT_ONCE = 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--weights",
        required=True,
        metavar="FILE",
        help="a .safetensors file, the name of a shipped model, or the folder of a training run (or its checkpoint.pt)",
    )
    add("--format", required=True, choices=sorted(FORMATS), help="what to write")
    add("--precision", default="float32", choices=PRECISIONS, help="default: float32")
    add(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="the file to write; FILE.report.json goes beside it",
    )
    add_overwrite(parser)
    add(
        "--batch",
        type=_batch,
        metavar=f"N|{DYNAMIC}",
        help=f"pictures at once (default: {DYNAMIC} where the format can, else 1)",
    )
    add(
        "--shape",
        choices=("square", DYNAMIC),
        default="square",
        help=f"{DYNAMIC}: any height and width that the strides divide, for searching large pictures (default: square)",
    )
    add(
        "--opset",
        type=int,
        metavar="N",
        help="ONNX's operator set (default: the oldest that the network needs, which the most runtimes read)",
    )
    add("--decode", action="store_true", help="NHWC uint8 RGB pictures in; boxes, keypoints and scores out")
    add("--nms", action="store_true", help="with --decode: also the format's own non-maximum suppression")
    add(
        "--data",
        type=Path,
        metavar="ROOT",
        help="folder of labelled pictures: AP on its val pictures must agree with PyTorch; int8 needs it, and takes"
        " its ranges from its train pictures",
    )
    add("--val-limit", type=int, metavar="N", help="an even choice of N val pictures instead of all")
    add("--calibrate", type=int, default=256, metavar="N", help="train pictures for int8's ranges (default: 256)")
    add(
        "--pictures",
        nargs="+",
        metavar="PATH",
        help="pictures, and folders of them, on which the file must agree with PyTorch"
        f" (the first {MAX_PICTURES} are used; default: the repository's data/pictures)",
    )


def run(args: argparse.Namespace) -> int:
    """Export, and print how far the file is from PyTorch and on which pictures that was measured."""
    options = Options(
        args.precision,
        _batch_or_default(args),
        args.decode,
        args.nms,
        free_shape=args.shape == DYNAMIC,
        opset=args.opset,
    )
    _refuse(args, options)
    load_format(args.format)  # a missing package is said before anything is read
    try:
        from blazeface.export.calibration import calibration_pictures, require_faces
        from blazeface.export.labelled import LabelledSet
        from blazeface.export.make import export_network, file_size
        from blazeface.export.verify import inference_copy
        from blazeface.training.runs.initial import finished_network
    except ImportError as error:
        raise missing(args.format, error) from error

    network = finished_network(args.weights)
    pictures, origin = choose_pictures(args.pictures)
    labelled = None
    if args.data:
        if args.precision == "int8":
            options = replace(options, calibration=calibration_pictures(args.data, args.calibrate))
            require_faces(inference_copy(network), options.calibration)
        labelled = LabelledSet(
            inference_copy(network), chosen_evenly(load_split(args.data, "val"), args.val_limit)
        )
        for fault in labelled.left_out:
            print(printable(f"{fault}; left out"), file=sys.stderr)
    parity = export_network(network, args.out, args.format, options, pictures, labelled)
    print(f"{args.out}: {network.spec.name}, {args.precision}, {file_size(args.out) / 1000:,.0f} kB")
    print(parity.table())
    if parity.differences:
        print(f"pictures: {parity.differences.pictures}, {origin}")
    if parity.differences and not args.data:
        print("AP was not compared: name labelled pictures with --data ROOT")
    return 0


def _batch(text: str) -> int | str:
    if text == DYNAMIC:
        return text
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 0 < number <= MAX_AT_ONCE:
        raise argparse.ArgumentTypeError(f"must be {DYNAMIC} or a number from 1 to {MAX_AT_ONCE}, not {text}")
    return number


def _batch_or_default(args: argparse.Namespace) -> int | None:
    if args.batch is None:
        return None if FORMATS[args.format].dynamic else 1
    return None if args.batch == DYNAMIC else int(args.batch)


def _refuse(args: argparse.Namespace, options: Options) -> None:
    """Raise BlazeFaceError for flags that do not go together, before anything slow begins."""
    suffix = FORMATS[args.format].suffix
    if args.out.suffix != suffix:
        raise BlazeFaceError(f"--out must name a {suffix} file for --format {args.format}, not {args.out}")
    if not args.out.parent.is_dir():
        raise BlazeFaceError(f"--out {args.out}: there is no folder {args.out.parent}")
    refuse_unless(args.overwrite, "--out", [args.out, args.out.with_name(f"{args.out.name}.report.json")])
    check_options(args.format, options)
    if args.opset is not None and not OLDEST_OPSET <= args.opset <= NEWEST_OPSET:
        raise BlazeFaceError(f"--opset must be a number from {OLDEST_OPSET} to {NEWEST_OPSET}, not {args.opset}")
    if args.precision == "int8" and args.data is None:
        raise BlazeFaceError(
            "--precision int8 needs --data ROOT: its ranges come from the train pictures there, and it is held to AP on"
            " the val pictures"
        )
    for name in ("val_limit", "calibrate"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise BlazeFaceError(f"--{name.replace('_', '-')} must be 1 or more, not {value}")


def choose_pictures(paths: list[str] | None) -> tuple[list[Image], str]:
    """Pictures to compare on, and where they are from: the user's, the repository's, or made up."""
    if paths is None:
        if not SHIPPED_PICTURES.is_dir():
            return synthetic_pictures(), "made up; name real ones with --pictures"
        return _read([str(SHIPPED_PICTURES)]), "data/pictures"
    return _read(paths), ", ".join(paths)


def _read(paths: list[str]) -> list[Image]:
    """The first pictures of files and folders; what cannot be read is named on stderr."""

    def report(fault: BlazeFaceError) -> None:
        print(printable(f"--pictures: {fault}"), file=sys.stderr)

    pictures: list[Image] = []
    for found in find_inputs(paths, report, videos=False):
        if found.kind != "picture":
            report(BlazeFaceError(f"{found.name}: is not a picture"))
        elif len(pictures) < MAX_PICTURES:
            try:
                pictures.append(read_picture(found.address))
            except BlazeFaceError as fault:
                report(fault)
    if not pictures:
        raise BlazeFaceError(f"--pictures: no picture can be read in {', '.join(paths)}")
    return enough_pictures(pictures)
