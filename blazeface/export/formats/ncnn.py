"""ncnn: a .param file and its .bin, made by pnnx from the traced network."""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pnnx
import torch

from blazeface.backends.ncnn_backend import with_spec
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import Options
from blazeface.models.network import BlazeFace

SECONDS = 300
"""It takes about one; a converter that hangs is not waited for."""


def write(network: BlazeFace, path: Path, options: Options) -> None:
    """See `formats`. Input "in0" (3, S, S) float32, outputs "out0", the logits (A), and "out1", the regressions
    (A, 4 + 2K). float16: of the weights. The ModelSpec is the last line of the .param file, which ncnn does not read.

    pnnx leaves seven files, two of which are kept.
    """
    side = network.spec.input_size
    with tempfile.TemporaryDirectory(prefix="blazeface-") as name:
        folder = Path(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing is deprecated, and what pnnx reads
            traced: Any = torch.jit.trace(network, torch.zeros(1, 3, side, side))  # type: ignore[no-untyped-call]
            traced.save(str(folder / "m.pt"))
        _convert(folder, side, options.precision == "float16")
        path.write_text(with_spec((folder / "m.ncnn.param").read_text("utf-8"), network.spec), "utf-8")
        path.with_suffix(".bin").write_bytes((folder / "m.ncnn.bin").read_bytes())


def _convert(folder: Path, side: int, float16: bool) -> None:
    """Run pnnx on m.pt. Raises BlazeFaceError when it fails, or leaves operators that ncnn does not have."""
    command = [pnnx.EXEC_PATH, "m.pt", f"inputshape=[1,3,{side},{side}]", f"fp16={int(float16)}"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BlazeFaceError(f"pnnx cannot be run: {error}") from error
    words = f"{done.stdout}\n{done.stderr}".splitlines()
    if done.returncode or not (folder / "m.ncnn.param").is_file() or not (folder / "m.ncnn.bin").is_file():
        raise BlazeFaceError(f"pnnx failed with status {done.returncode}: {words[-1].strip() if words else ''}")
    foreign = [line for line in words if line.startswith(("ignore ", "unsupported"))]
    if foreign:
        raise BlazeFaceError(f"pnnx could not turn every operator into one of ncnn's: {foreign[0].strip()}")
