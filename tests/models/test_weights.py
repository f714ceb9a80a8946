"""Weights on disk: whole, self-describing, and never a pickle."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from small_network import small_network

from blazeface.errors import BlazeFaceError
from blazeface.export.verify import inference_copy
from blazeface.models.network import build
from blazeface.models.origin import Origin
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


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    """The library writes the metadata in another order each time."""
    network = small_network()
    network.origin = Origin("a", "b", "Größe")
    for i in range(8):
        save_weights(network, tmp_path / f"{i}.safetensors")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    with safe_open(tmp_path / "0.safetensors", framework="pt") as file:  # the library reads it
        assert set(file.metadata()) == {METADATA_KEY, LAYOUT_KEY, "blazeface.origin"}
        assert torch.equal(file.get_tensor("stem.0.weight"), network.state_dict()["stem.0.weight"])


def test_the_origin_travels(tmp_path: Path) -> None:
    network = small_network()
    save_weights(network, tmp_path / "none.safetensors")
    assert load_weights(tmp_path / "none.safetensors").origin == Origin()
    network.origin = Origin("somewhere", "research only", "faces")
    save_weights(network, tmp_path / "x.safetensors")
    loaded = load_weights(tmp_path / "x.safetensors")
    assert loaded.origin == loaded.folded().origin == inference_copy(loaded).origin == network.origin


@pytest.mark.parametrize("text", ["", "[]", "{", '{"origin": 3}', '{"licence": "%s"}' % ("x" * 5000), "[" * 9999])
def test_a_note_that_is_damaged_is_none(text: str) -> None:
    assert not Origin.from_json(text)
    assert Origin.from_json('{"licence": "CC0", "else": 1}') == Origin(licence="CC0")


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
