"""Safetensors files: tensors and texts, written whole, read with every fault in one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from blazeface.errors import BlazeFaceError
from blazeface.files.staged import require_regular_file, staged_file

MAX_BYTES = 2**28
LENGTH = 8
"""Bytes of the number that says how long the header is, and what its length is a multiple of."""


def write_tensors(network: nn.Module, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a network's state, the same bytes for the same state and metadata. The file appears whole or not at all;
    BlazeFaceError where it cannot be written."""
    tensors: dict[str, Tensor] = {}
    held: set[int] = set()
    for name, tensor in network.state_dict().items():
        whole = tensor.detach().cpu().contiguous()
        # A parameter that stands in several places is written for each, since the format knows no sharing.
        tensors[name] = whole.clone() if whole.untyped_storage().data_ptr() in held else whole
        held.add(whole.untyped_storage().data_ptr())
    try:
        with staged_file(path) as part:
            part.write_bytes(with_sorted_header(save(tensors, dict(metadata))))
            part.chmod(0o644)
    except (OSError, SafetensorError) as error:
        raise BlazeFaceError(f"{path}: cannot be written: {error}") from error


def with_sorted_header(data: bytes) -> bytes:
    """A safetensors file with the keys of its header in order, which the library leaves to chance.

    The header is JSON behind its length in eight bytes, padded with spaces to a multiple of eight; the places of the
    tensors that it gives are counted from its end (https://github.com/huggingface/safetensors, "Format").
    """
    end = LENGTH + int.from_bytes(data[:LENGTH], "little")
    header = json.loads(data[LENGTH:end])
    ordered = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ordered += b" " * (-len(ordered) % LENGTH)
    return len(ordered).to_bytes(LENGTH, "little") + ordered + data[end:]


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors. Raises BlazeFaceError, naming the file, when it is missing, damaged, absurdly large, or
    holds numbers that are not finite."""
    if not path.exists():
        raise BlazeFaceError(f"{path}: no such weights file")
    require_regular_file(str(path))
    if path.stat().st_size > MAX_BYTES:
        raise BlazeFaceError(f"{path}: larger than {MAX_BYTES >> 20} MiB, too large for a network of this project")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, ValueError) as error:
        raise BlazeFaceError(f"{path}: not a readable safetensors file: {error}") from error
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values() if tensor.is_floating_point()):
        raise BlazeFaceError(f"{path}: it holds weights that are not finite")
    return metadata, tensors


def fill(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load tensors into a network that they must fit. Raises BlazeFaceError where they do not."""
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise BlazeFaceError(f"{path}: its tensors do not fit the network that it says it holds") from error
