"""The formats that are written, and what each can do.

A format is a line in FORMATS and a module of this package of the same name, with

    write(network: BlazeFace, path: Path, options: Options) -> None

which writes a folded network in eval mode, on the CPU in float32, to `path`, and companions of the same stem
beside it where the format consists of several files. `path` lies in an empty folder of its own and is moved to its
place, with its companions, once the file has been verified (see `make`). The same call must give the same bytes. What
cannot be written is a BlazeFaceError of one sentence.

A format whose runtime does not run here has `backend=None`, and in its module also

    check(network: BlazeFace, path: Path, options: Options) -> str

which looks at the file instead and says in one sentence what was looked at; it raises BlazeFaceError for a fault.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blazeface.errors import BlazeFaceError, install_command
from blazeface.geometry import Image

if TYPE_CHECKING:
    from blazeface.models.network import BlazeFace

PRECISIONS = ("float32", "float16", "int8")
DYNAMIC = "dynamic"
OLDEST_OPSET, NEWEST_OPSET = 9, 21
"""Operator sets of ONNX that are written. Before 9, which came with version 4 of the format, constants had to be inputs as
well."""


@dataclass(frozen=True)
class Options:
    """How a file is to be written.

    precision: one of PRECISIONS. batch: pictures that the file takes at once, or None for any number.
    decode: NHWC uint8 RGB pictures in; boxes, keypoints and scores out. nms: with decode, also the format's own
    non-maximum suppression. free_shape: any height and width that the network's strides divide, beside the spec's
    square. opset: ONNX's operator set; None: the oldest that does. calibration: BGR uint8 pictures of any size, from which int8 takes its ranges.
    """

    precision: str = "float32"
    batch: int | None = 1
    decode: bool = False
    nms: bool = False
    calibration: Sequence[Image] = ()
    free_shape: bool = False
    opset: int | None = None


@dataclass(frozen=True)
class Format:
    """What a format can do.

    suffix: of its (main) file. extra: what to install for it (`errors.install_command`). backend: that of
    `blazeface.backends` which opens the file for the comparison, or None. runtime: what people call that.
    dynamic: whether any batch size can be written, which is then the default; else one picture is.
    fixed: whether another fixed batch than 1 can be written.
    """

    suffix: str
    extra: str
    backend: str | None
    runtime: str
    precisions: tuple[str, ...] = PRECISIONS
    dynamic: bool = False
    fixed: bool = True
    decode: bool = False
    nms: bool = False
    free_shape: bool = False


FORMATS = {
    "onnx": Format(
        ".onnx", "export", "onnxruntime", "onnxruntime", dynamic=True, decode=True, nms=True, free_shape=True
    ),
    "tflite": Format(".tflite", "export,tflite", "tflite", "LiteRT", decode=True),
    "coreml": Format(".mlpackage", "export,coreml", None, "Core ML", ("float32", "float16"), fixed=False),
    "ncnn": Format(".param", "export,ncnn", "ncnn", "ncnn", ("float32", "float16"), fixed=False),
    "openvino": Format(".xml", "export,openvino", "openvino", "OpenVINO", dynamic=True),
}
"""By the name of the format, which is that of its module."""

Write = Callable[["BlazeFace", Path, Options], None]


def check_options(name: str, options: Options) -> None:
    """Raise BlazeFaceError, naming the flag, for options that a format cannot be written with."""
    kind = FORMATS[name]
    if options.precision not in kind.precisions:
        raise BlazeFaceError(
            f"--precision {options.precision} is not written as {name}, only {', '.join(kind.precisions)}"
        )
    if options.batch is None and not kind.dynamic:
        raise BlazeFaceError(f"--batch {DYNAMIC}: a {name} file has a fixed batch: name a number")
    if options.batch not in (None, 1) and not kind.fixed:
        raise BlazeFaceError(f"--batch {options.batch}: a {name} file takes one picture at a time")
    for option, flag in (("decode", "decode"), ("nms", "nms"), ("free_shape", f"shape {DYNAMIC}")):
        if getattr(options, option) and not getattr(kind, option):
            able = ", ".join(other for other, its in FORMATS.items() if getattr(its, option))
            raise BlazeFaceError(f"--{flag} is not written as {name}, only as {able}")
    if options.opset is not None and name != "onnx":
        raise BlazeFaceError(f"--opset: a {name} file has no operator set to choose, only onnx has")
    if options.free_shape and options.decode:
        raise BlazeFaceError(f"--shape {DYNAMIC} does not go with --decode, which writes the anchors of one shape")
    if options.nms and not options.decode:
        raise BlazeFaceError("--nms goes with --decode: suppression works on decoded boxes")


def load_format(name: str) -> Any:
    """The module that writes a format. Raises BlazeFaceError, with the pip command, where its extra is missing."""
    try:
        return importlib.import_module(f"blazeface.export.formats.{name}")
    except ImportError as error:
        raise missing(name, error) from error


def missing(name: str, error: ImportError) -> BlazeFaceError:
    """What to say when a package that a format needs is not there."""
    return BlazeFaceError(
        f"exporting {name} needs packages that are not here: {install_command(FORMATS[name].extra)} ({error})"
    )
