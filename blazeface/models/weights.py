"""Weights on disk: safetensors with the ModelSpec and the layout inside. Pickles are never loaded."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from blazeface.errors import BlazeFaceError
from blazeface.files.whole import beside, refuse_odd_file
from blazeface.models.layouts import Layout
from blazeface.models.network import BlazeFace
from blazeface.spec import METADATA_KEY, ModelSpec

LAYOUT_KEY = "blazeface.layout"
MAX_BYTES = 2**28


def save_weights(network: BlazeFace, path: Path) -> None:
    """Write the network with its spec and layout. The file appears whole or not at all.

    Raises BlazeFaceError where it cannot be written.
    """
    metadata = {METADATA_KEY: network.spec.to_json(), LAYOUT_KEY: network.layout.to_json()}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    try:
        with beside(path) as part:
            save_file(tensors, part, metadata)
            part.chmod(0o644)  # the library makes files that their owner alone can read
    except (OSError, SafetensorError) as error:
        raise BlazeFaceError(f"{path}: cannot be written: {error}") from error


def metadata_of(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file. Raises BlazeFaceError naming the file when it is missing or damaged."""
    if not path.is_file():
        raise BlazeFaceError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise BlazeFaceError(f"{path}: not a readable safetensors file: {error}") from error


def load_weights(path: Path) -> BlazeFace:
    """The network of a safetensors file that `save_weights` wrote, in eval mode, on the CPU.

    Raises BlazeFaceError, naming the file, when it is missing, damaged, or describes another network
    than its tensors fit.
    """
    if not path.exists():
        raise BlazeFaceError(f"{path}: no such weights file")
    refuse_odd_file(str(path))
    if path.stat().st_size > MAX_BYTES:
        raise BlazeFaceError(f"{path}: larger than {MAX_BYTES >> 20} MiB, too large for a face detector")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, ValueError) as error:
        raise BlazeFaceError(f"{path}: not a readable safetensors file: {error}") from error
    if METADATA_KEY not in metadata or LAYOUT_KEY not in metadata:
        raise BlazeFaceError(
            f"{path}: it holds no BlazeFace network (no {METADATA_KEY} and {LAYOUT_KEY} metadata)"
        )
    spec = ModelSpec.from_json(metadata[METADATA_KEY], str(path))
    layout = Layout.from_json(metadata[LAYOUT_KEY], str(path))
    norm = "stem.1.weight" in tensors
    with torch.device("meta"):  # without memory: a lying layout may ask for gigabytes
        expected = {
            name: tuple(tensor.shape) for name, tensor in BlazeFace(spec, layout, norm).state_dict().items()
        }
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if expected != found:
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise BlazeFaceError(
            f"{path}: its tensors do not fit its own layout, first at {wrong[0]!r}:"
            f" expected shape {expected.get(wrong[0])}, found {found.get(wrong[0])}"
        )
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values() if tensor.is_floating_point()):
        raise BlazeFaceError(f"{path}: it holds weights that are not finite")
    network = BlazeFace(spec, layout, norm)
    network.load_state_dict(tensors)
    return network.eval()
