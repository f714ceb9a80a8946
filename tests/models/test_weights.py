"""Weights on disk: whole, self-describing, and never a pickle."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from blazeface.errors import BlazeFaceError
from blazeface.models.network import build
from blazeface.models.weights import LAYOUT_KEY, load_weights, save_weights
from blazeface.spec import METADATA_KEY


@pytest.mark.parametrize("folded", [False, True])
def test_round_trip(tmp_path: Path, folded: bool) -> None:
    network = build("front-128")
    network = network.folded() if folded else network
    path = tmp_path / "x.safetensors"
    save_weights(network, path)
    loaded = load_weights(path)
    assert loaded.spec == network.spec
    assert loaded.layout == network.layout
    assert not loaded.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.safetensors"]


def test_what_is_no_safetensors_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(BlazeFaceError, match=r"x\.safetensors: no such weights file"):
        load_weights(path)
    good = tmp_path / "good.safetensors"
    save_weights(build("front-128"), good)
    hostile_header = (2**60).to_bytes(8, "little") + b"{"
    for content in (b"junk", good.read_bytes()[:-10], hostile_header, pickle.dumps({"stem": 1})):
        path.write_bytes(content)
        with pytest.raises(BlazeFaceError, match=r"x\.safetensors: not a readable safetensors file"):
            load_weights(path)
    path.write_bytes(b"")
    with pytest.raises(BlazeFaceError, match=r"x\.safetensors: is empty"):
        load_weights(path)


def test_foreign_and_lying_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(BlazeFaceError, match="it holds no BlazeFace network"):
        load_weights(path)
    network = build("front-128")
    metadata = {METADATA_KEY: network.spec.to_json(), LAYOUT_KEY: network.layout.to_json()}
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file({**tensors, "stem.0.weight": torch.zeros(1)}, path, metadata)
    with pytest.raises(BlazeFaceError, match=r"do not fit its own layout, first at 'stem\.0\.weight'"):
        load_weights(path)
    save_file(tensors, path, {**metadata, LAYOUT_KEY: '{"stem_channels": 1e99}'})
    with pytest.raises(BlazeFaceError, match="its layout metadata cannot be read"):
        load_weights(path)
    save_file({**tensors, "stem.0.bias": torch.full((24,), float("nan"))}, path, metadata)
    with pytest.raises(BlazeFaceError, match="not finite"):
        load_weights(path)
