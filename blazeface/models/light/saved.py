"""A light network of any origin on disk: its tensors, and the list of what was exchanged in it.

network = load_light(my_network(), Path("light.safetensors"))     # my_network: what made the network before
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from blazeface.errors import BlazeFaceError
from blazeface.models.layouts import BETWEEN, RULES, Lightened
from blazeface.models.light.lighten import exchange_again
from blazeface.models.tensor_file import fill, read_tensors, write_tensors

LIGHT_KEY = "blazeface.lightened"
"""Name of the metadata entry with the changes, in order."""

Network = TypeVar("Network", bound=nn.Module)


def save_light(network: nn.Module, changes: Sequence[Lightened], path: Path) -> None:
    """Write a network that was made light by these changes. The file appears whole or not at all."""
    text = json.dumps([{**vars(change), "layers": list(change.layers)} for change in changes])
    write_tensors(network, path, {LIGHT_KEY: text})


def load_light(network: Network, path: Path) -> Network:
    """Make a network light as the file says, in place, and give it the file's tensors; in eval mode.

    network: as it was before it was made light; its weights do not matter. Raises BlazeFaceError, naming the file, where
    that is missing, damaged or of another network.
    """
    metadata, tensors = read_tensors(path)
    if LIGHT_KEY not in metadata:
        raise BlazeFaceError(f"{path}: it holds no network that `blazeface lighten FILE.py:FUNCTION` wrote")
    for change in _changes(metadata[LIGHT_KEY], path):
        exchange_again(network, change, str(path))
    fill(network, tensors, path)
    return network.eval()


def _changes(text: str, path: Path) -> list[Lightened]:
    try:
        entries: list[dict[str, Any]] = json.loads(text)
        changes = [Lightened(**{**entry, "layers": tuple(map(str, entry["layers"]))}) for entry in entries]
        for change in changes:
            whole = type(change.groups) is int and 1 <= change.groups <= 4096
            if change.rule not in RULES or change.between not in BETWEEN or not whole:
                raise ValueError(f"impossible rule {change.rule!r}")
        return changes
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BlazeFaceError(f"{path}: what was made light in it cannot be read: {error}") from error
