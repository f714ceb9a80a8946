"""Weights are shipped with the note on where they come from, in every file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from small_network import small_network

pytest.importorskip("onnxslim", reason="the export extra is not installed")

from blazeface.models.origin import Origin
from blazeface.models.weights import load_weights, save_weights
from tools.ship_weights import LICENCE, TRAINED, origin_of, require_note, write_note


def test_files_without_the_note_are_not_shipped(tmp_path: Path) -> None:
    origin = origin_of("small", "2026-11-26", 'By hand, as a "test".')
    assert origin.licence == LICENCE and origin.training_data == TRAINED["2026-11-26"][0]
    save_weights(small_network(), tmp_path / "model.safetensors")
    with pytest.raises(SystemExit, match=r"model\.safetensors: it lacks the note"):
        require_note(tmp_path, origin)
    write_note(tmp_path, origin)
    assert load_weights(tmp_path / "model.safetensors").origin == origin
    require_note(tmp_path, origin)
    with pytest.raises(SystemExit, match="lacks the note"):
        require_note(tmp_path, dataclasses.replace(origin, licence="another"))
    (tmp_path / "model.tflite").write_bytes(b"made before")
    with pytest.raises(SystemExit, match=r"model\.tflite: it lacks the note"):
        require_note(tmp_path, origin)
    assert origin != Origin()
