"""ncnn: a small runtime for phones, here on the CPU, or on a GPU by Vulkan where a caller asks for it."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import ncnn
import numpy as np
from numpy.typing import NDArray

from blazeface.errors import BlazeFaceError
from blazeface.files.staged import require_regular_file
from blazeface.guard.ncnn_check import check_ncnn
from blazeface.spec import METADATA_KEY, ModelSpec

MAGIC = "7767517"
"""First line of every ncnn .param file."""

SPEC_MARK = f"# {METADATA_KEY} "
"""How the line begins that holds the ModelSpec. It is the last of the .param file, behind the layers whose number the
file tells at its beginning; ncnn reads no further than those."""

MAX_BYTES = 16 << 20

MAX_WEIGHTS = 256 << 20
MAX_WORD = 255
"""Characters that ncnn takes at once; it would take the rest for the next word."""

MAX_OF_A_KIND = 1 << 26
"""Weights of one layer, or pixels of a side, in any setting of a layer."""

_DIGITS = re.compile(r"-?\d+")


class NcnnBackend:
    """An ncnn .param file with its .bin beside it (see `Backend`). Pictures run one by one.

    Arithmetic and storage in float16 and bfloat16, which ncnn takes where the processor has them, are switched off. vulkan:
    on the first GPU that Vulkan finds, a software driver's included; without one it is an error.
    """

    def __init__(self, path: Path, threads: int, check: bool = True, vulkan: bool = False):
        param, weights = _read_files(path)
        text, layers = read_layers(param, path)
        self.spec = ModelSpec.from_json(text, str(path))
        if check:
            check_ncnn(path, layers, self.spec.input_size, len(weights))
        self.input_multiple: int | None = None
        if vulkan and not ncnn.get_gpu_count():
            raise BlazeFaceError(f"{path}: no Vulkan driver is installed to run it on")
        self._net = ncnn.Net()
        options = self._net.opt
        if threads:
            options.num_threads = threads
        options.use_vulkan_compute = vulkan
        options.openmp_blocktime = 0  # waiting threads sleep; spinning only burns the user's CPU
        for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(options, name, False)
        # What was checked is what ncnn reads. (The child of a trusted model may write no file.)
        with _copies(param, weights) if check else nullcontext(path) as file:
            if self._net.load_param(str(file)) or self._net.load_model(str(file.with_suffix(".bin"))):
                raise BlazeFaceError(f"{path}: ncnn cannot load it or its .bin file: one of them is damaged")
        side = self.spec.input_size
        try:
            logits, regressions = self.run(np.zeros((1, 3, side, side), np.float32))
            found = [logits.shape[1:], regressions.shape[1:]]
        except BlazeFaceError as error:
            raise BlazeFaceError(f"{path}: {error}") from error
        expected = [(self.spec.num_anchors,), (self.spec.num_anchors, self.spec.num_coords)]
        if found != expected:
            raise BlazeFaceError(
                f"{path}: its ModelSpec promises {expected} as outputs, but the file gives {found}"
            )

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        found = [self._one(picture) for picture in batch]
        return np.stack([logits for logits, _ in found]), np.stack([regressions for _, regressions in found])

    def _one(self, picture: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        # An extractor of its own for each picture: several threads may run at once.
        extractor = self._net.create_extractor()
        extractor.input("in0", ncnn.Mat(np.ascontiguousarray(picture)).clone())
        outputs = []
        for name in ("out0", "out1"):
            status, values = extractor.extract(name)
            if status:
                raise BlazeFaceError(f"ncnn cannot compute its output {name}")
            outputs.append(np.array(values, np.float32))
        return outputs[0], outputs[1]


def _read_files(path: Path) -> tuple[bytes, bytes]:
    """The .param file, and the .bin file beside it."""
    weights = path.with_suffix(".bin")
    if not weights.exists():
        raise BlazeFaceError(f"{path}: its weights, {weights.name}, are not beside it")
    found = []
    for file, most in ((path, MAX_BYTES), (weights, MAX_WEIGHTS)):
        require_regular_file(str(file))
        try:
            if file.stat().st_size > most:
                raise BlazeFaceError(f"{file}: expected a file of ncnn of at most {most >> 20} MiB")
            found.append(file.read_bytes())
        except OSError as error:
            raise BlazeFaceError(f"{file}: cannot be read: {error.strerror or error}") from error
    return found[0], found[1]


@contextmanager
def _copies(param: bytes, weights: bytes) -> Iterator[Path]:
    """A .param file of this user alone, with its .bin file beside it: ncnn reads weights from memory as well, but not within
    bounds."""
    with tempfile.TemporaryDirectory(prefix="blazeface-") as folder:
        file = Path(folder) / "x.param"
        file.write_bytes(param)
        file.with_suffix(".bin").write_bytes(weights)
        yield file


def read_layers(param: bytes, path: Path) -> tuple[str, list[str]]:
    """The ModelSpec of a .param file, as JSON, and the lines of its layers. Damage that ncnn would not survive is found
    here, and what it would read as other words than are read here."""
    lines = param.decode(errors="replace").split("\n")
    lines = [line.rstrip("\r") for line in lines if line.strip()]
    if any(not (line.replace("\t", " ").isprintable() and line.isascii()) for line in lines[:-1]):
        raise BlazeFaceError(f"{path}: a damaged ncnn file: its layers are no plain text")
    if any(len(word) > MAX_WORD for line in lines[:-1] for word in line.split()):
        raise BlazeFaceError(f"{path}: a damaged ncnn file: a word of more than {MAX_WORD} characters")
    if not lines or lines[0].strip() != MAGIC:
        raise BlazeFaceError(f"{path}: expected an ncnn .param file, whose first line is {MAGIC}")
    if not lines[-1].startswith(SPEC_MARK):
        raise BlazeFaceError(f"{path}: it has no {METADATA_KEY} line, so it was not exported by blazeface")
    counts = lines[1].split() if len(lines) > 2 else []
    layers = lines[2:-1]
    if (
        len(counts) != 2
        or counts[0] != str(len(layers))
        or not _whole(counts[1])
        or not all(map(_is_layer, layers))
    ):
        raise BlazeFaceError(
            f"{path}: a damaged ncnn file: its {len(layers)} lines of layers are not as announced"
        )
    if any(_too_large(word) for line in layers for word in line.split()[4:] if "=" in word):
        raise BlazeFaceError(f"{path}: a damaged ncnn file: a layer has an impossible number")
    blobs = {name for line in layers for name in _outputs(line)}
    if len(blobs) != int(counts[1]):
        raise BlazeFaceError(f"{path}: a damaged ncnn file: {len(blobs)} blobs, where it announces {counts[1]}")
    return lines[-1][len(SPEC_MARK) :], layers


def with_spec(param: str, spec: ModelSpec) -> str:
    """The text of a .param file, with the ModelSpec behind it."""
    return f"{param.rstrip()}\n{SPEC_MARK}{json.dumps(json.loads(spec.to_json()), sort_keys=True)}\n"


def _is_layer(line: str) -> bool:
    """Kind, name, how many blobs go in and come out, their names, settings as number=value."""
    words = line.split()
    if len(words) < 4 or not (_whole(words[2]) and _whole(words[3])):
        return False
    settings = words[4 + int(words[2]) + int(words[3]) :]
    return len(words) >= 4 + int(words[2]) + int(words[3]) and all("=" in word for word in settings)


def _outputs(line: str) -> list[str]:
    words = line.split()
    first = 4 + int(words[2])
    return words[first : first + int(words[3])]


def _too_large(setting: str) -> bool:
    """Of number=value: a size that ncnn would try to make room for."""
    return any(abs(float(digits)) > MAX_OF_A_KIND for digits in _DIGITS.findall(setting.partition("=")[2]))


def _whole(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 7
