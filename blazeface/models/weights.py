"""Weights on disk: safetensors with the ModelSpec and the layout inside. Pickles are never loaded."""

from __future__ import annotations

from pathlib import Path

import torch

from blazeface.errors import BlazeFaceError
from blazeface.models.layouts import Layout
from blazeface.models.network import BlazeFace
from blazeface.models.origin import ORIGIN_KEY, Origin
from blazeface.models.tensor_file import read_tensors, write_tensors
from blazeface.spec import METADATA_KEY, ModelSpec

LAYOUT_KEY = "blazeface.layout"


def save_weights(network: BlazeFace, path: Path) -> None:
    """Write the network with its spec, layout and origin. The file appears whole or not at all, the same for the same network.

    Raises BlazeFaceError where it cannot be written.
    """
    about = {METADATA_KEY: network.spec.to_json(), LAYOUT_KEY: network.layout.to_json()}
    if network.origin:
        about[ORIGIN_KEY] = network.origin.to_json()
    write_tensors(network, path, about)


def load_weights(path: Path) -> BlazeFace:
    """The network of a safetensors file that `save_weights` wrote, in eval mode, on the CPU.

    Raises BlazeFaceError, naming the file, when it is missing, damaged, or describes another network
    than its tensors fit.
    """
    metadata, tensors = read_tensors(path)
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
    network = BlazeFace(spec, layout, norm)
    network.load_state_dict(tensors)
    network.origin = Origin.from_json(metadata.get(ORIGIN_KEY, "{}"))
    return network.eval()
