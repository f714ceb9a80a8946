"""What is inside a model file of any origin: operators, tensors, parameters, multiply-accumulates, metadata.

`open_model` returns the same table for each format. Nothing is run, and no runtime is needed.
"""

from __future__ import annotations

from pathlib import Path

from blazeface.errors import BlazeFaceError
from blazeface.inspection.table import ModelFile

SUFFIXES = (".onnx", ".tflite")


def open_model(path: Path) -> ModelFile:
    """Read a .onnx or .tflite file. Raises BlazeFaceError, naming it, for any that is missing, foreign or damaged."""
    if path.suffix not in SUFFIXES:
        raise BlazeFaceError(f"{path}: expected a {' or '.join(SUFFIXES)} file")
    if not path.is_file():
        raise BlazeFaceError(f"{path}: no such file")
    if path.suffix == ".tflite":
        from blazeface.inspection.tflite_file import read_tflite

        return read_tflite(path)
    from blazeface.inspection.onnx_file import read_onnx

    return read_onnx(path)
