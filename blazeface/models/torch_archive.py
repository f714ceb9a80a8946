"""Checks a checkpoint before PyTorch allocates memory for it.

A .pt file is a zip archive: data.pkl, a pickle, names tensors by storage, offset, size and stride, and each storage is
an entry of its own. PyTorch does not check these numbers: a stride of zero makes gigabytes of one number, a storage longer
than its entry reads beyond it. Here the pickle is read with stand-ins for its three functions, and every tensor held
against its entry. Nothing in it is ever run.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import torch

MAX_STEPS = 400_000
"""Steps of the pickle: a run of front-128 has 18,000, and 60 more for each evaluation."""

ITEM_BYTES = {
    "FloatStorage": 4, "DoubleStorage": 8, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "IntStorage": 4,
    "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1,
}  # fmt: skip

STEPS = frozenset(
    [
        "PROTO",
        "STOP",
        "MARK",
        "FRAME",
        "GLOBAL",
        "REDUCE",
        "BUILD",
        "BINPERSID",
        "EMPTY_DICT",
        "EMPTY_LIST",
        "EMPTY_TUPLE",
        "TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
        "SETITEM",
        "SETITEMS",
        "APPEND",
        "APPENDS",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "BINFLOAT",
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "BINPUT",
        "LONG_BINPUT",
        "BINGET",
        "LONG_BINGET",
        "MEMOIZE",
        "POP",
    ]
)
"""Opcodes that PyTorch writes. What makes objects or calls things in other ways is refused."""


class _Storage(NamedTuple):
    key: str
    item: int
    numbers: int


class _Item(NamedTuple):
    """Stands in for a class of storages."""

    size: int


def load_archive(path: Path) -> Any:
    """What torch.load gives of a file that torch.save wrote, on the CPU. Raises ValueError where it is something else,
    and any exception that torch raises for a damaged file."""
    data = path.read_bytes()  # once: what is loaded is what was checked
    check_archive(data)
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def check_archive(data: bytes) -> None:
    """Raises ValueError for the bytes of a file that is no archive of PyTorch, or whose tensors are not what its entries hold."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise ValueError("it is no archive")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if len(set(names)) != len(names):
            raise ValueError("two of its entries have one name")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("its entries are compressed")
        if sum(entry.file_size for entry in entries) > len(data):
            raise ValueError("its entries are larger than the file")
        pickles = [name for name in names if name.endswith(".pkl")]
        if len(pickles) != 1 or not pickles[0].endswith("/data.pkl"):
            raise ValueError("it is no archive of tensors")
        folder = pickles[0].removesuffix("data.pkl")
        steps = archive.read(pickles[0])
        sizes = {entry.filename.removeprefix(f"{folder}data/"): entry.file_size for entry in entries}
    _check_steps(steps)
    reader = _Reader(io.BytesIO(steps), sizes)
    try:
        reader.load()
    except (pickle.UnpicklingError, TypeError, AttributeError, IndexError, KeyError, EOFError) as error:
        raise ValueError(f"its pickle cannot be read: {str(error)[:200]}") from error


def _check_steps(data: bytes) -> None:
    """Before anything is built: a step may ask for gigabytes by itself (a number in the memo, say)."""
    for count, (step, argument, _) in enumerate(pickletools.genops(data)):
        if step.name not in STEPS:
            raise ValueError(f"its pickle holds the step {step.name}")
        if count > MAX_STEPS or (step.name in ("BINPUT", "LONG_BINPUT") and int(argument) > count):  # type: ignore[arg-type]
            raise ValueError("its pickle is too long, or made so as to take memory")


class _Reader(pickle.Unpickler):
    """Builds dictionaries and lists; tensors and storages are looked at and left out."""

    def __init__(self, file: io.BytesIO, sizes: dict[str, int]):
        super().__init__(file)
        self._sizes = sizes
        self._left = dict(sizes)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return _Dictionary
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._tensor
        if module == "torch" and name in ITEM_BYTES:
            return _Item(ITEM_BYTES[name])
        raise ValueError(f"its pickle names {module[:40]}.{name[:40]}")

    def persistent_load(self, number: Any) -> _Storage:
        kind, item, key, _, count = number
        if kind != "storage" or not isinstance(item, _Item) or type(count) is not int:
            raise ValueError("its pickle names a storage of an unknown kind")
        if self._sizes.get(key) != count * item.size:
            raise ValueError(f"its storage {str(key)[:20]} is not of the {count} numbers that it says")
        return _Storage(key, item.size, count)

    def _tensor(
        self, storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], grad: bool, *_: Any
    ) -> None:
        numbers = (offset, *size, *stride)
        if not isinstance(storage, _Storage) or len(size) != len(stride) or len(size) > 8:
            raise ValueError("a tensor of its is no tensor")
        if any(type(number) is not int or not 0 <= number < 1 << 40 for number in numbers):
            raise ValueError("a tensor of its has an impossible shape")
        count = math.prod(size)
        if count and not _is_dense(size, stride):
            raise ValueError(f"a tensor of its, {size} by steps of {stride}, has numbers that lie on each other")
        if offset + count > storage.numbers:
            raise ValueError(f"a tensor of its, {size}, reaches beyond its {storage.numbers} numbers")
        self._left[storage.key] -= count * storage.item
        if self._left[storage.key] < 0:
            raise ValueError("two of its tensors lie on each other")


class _Dictionary(dict[Any, Any]):
    """Stands in for OrderedDict, whose own state (the versions of a state dict) is let go."""

    def __setstate__(self, state: Any) -> None:
        pass


def _is_dense(size: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    """Whether size and stride lay the elements out without overlap or holes, in any order of the axes."""
    expected = 1
    for step, side in sorted((step, side) for step, side in zip(stride, size, strict=True) if side != 1):
        if step != expected:
            return False
        expected *= side
    return True
