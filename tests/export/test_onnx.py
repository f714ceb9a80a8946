"""ONNX export: same answers, any batch size, self-describing, anonymous, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from small_network import small_network

from blazeface.anchors import anchor_centers
from blazeface.backends.onnx_backend import MULTIPLE_KEY, OnnxBackend
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import Options, check_options
from blazeface.export.formats import onnx as export
from blazeface.export.formats.onnx import export_onnx, local_paths
from blazeface.export.make import export_network
from blazeface.export.verify import Differences
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace
from blazeface.spec import METADATA_KEY, ModelSpec

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def written(
    network: BlazeFace, photographs: list[Image], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Differences]:
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    differences = export_onnx(network, path, photographs).differences
    assert differences
    return path, differences


def test_any_batch_size_gives_pytorchs_answers(written: tuple[Path, Differences], network: BlazeFace) -> None:
    path, differences = written
    assert 0 < differences.largest < 1e-5
    assert differences.pictures == 3
    backend = OnnxBackend(path, threads=1)
    for count in (1, 2, 7):
        batch = np.random.default_rng(count).normal(size=(count, 3, 32, 32)).astype(np.float32)
        with torch.no_grad():
            logits, regressions = network.eval()(torch.from_numpy(batch))
        found_logits, found_regressions = backend.run(batch)
        assert found_logits.shape == (count, 144) and found_regressions.shape == (count, 144, 16)
        np.testing.assert_allclose(found_logits, logits.numpy(), atol=1e-4)
        np.testing.assert_allclose(found_regressions, regressions.numpy(), atol=1e-4)


def test_file_says_what_it_is_and_holds_no_batch_norm(
    written: tuple[Path, Differences], network: BlazeFace
) -> None:
    model = onnx.load(written[0])
    assert [entry.version for entry in model.opset_import if not entry.domain] == [9]
    assert model.ir_version == 4
    assert model.producer_name == "blazeface" and model.graph.name == "small"
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert properties.keys() == {METADATA_KEY, MULTIPLE_KEY}
    assert properties[MULTIPLE_KEY] == str(max(network.layout.strides))
    assert ModelSpec.from_json(properties[METADATA_KEY]) == network.spec
    assert "(batch, 3, height, width, both divided by" in model.doc_string
    operations = {node.op_type for node in model.graph.node}
    assert operations <= {"Conv", "Relu", "Add", "MaxPool", "Pad", "Transpose", "Reshape", "Concat"}
    tensors = {
        tensor.name: [d.dim_param or d.dim_value for d in tensor.type.tensor_type.shape.dim]
        for tensor in (*model.graph.input, *model.graph.output)
    }
    assert tensors == {
        "image": ["batch", 3, "height", "width"],
        "logits": ["batch", "anchors"],
        "regressions": ["batch", "anchors", 16],
    }


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 5), (8, 2)])
def test_any_height_and_width_that_the_strides_divide_gives_pytorchs_answers(
    written: tuple[Path, Differences], network: BlazeFace, rows: int, columns: int
) -> None:
    backend = OnnxBackend(written[0], threads=1)
    multiple = backend.input_multiple
    assert multiple == max(network.layout.strides)
    batch = np.random.default_rng(0).normal(size=(2, 3, rows * multiple, columns * multiple)).astype(np.float32)
    with torch.no_grad():
        logits, regressions = network.eval()(torch.from_numpy(batch))
    found_logits, found_regressions = backend.run(batch)
    sides = [side * multiple / network.spec.input_size for side in (rows, columns)]
    assert found_logits.shape == (2, len(anchor_centers(network.spec.anchor_maps, *sides)))
    np.testing.assert_allclose(found_logits, logits.numpy(), atol=1e-4)
    np.testing.assert_allclose(found_regressions, regressions.numpy(), atol=1e-4)


@pytest.mark.parametrize("damage", ["0", "-16", "sixteen", "1e3", "99999"])
def test_a_damaged_multiple_is_one_sentence(
    written: tuple[Path, Differences], tmp_path: Path, damage: str
) -> None:
    model = onnx.load(written[0])
    onnx.helper.set_model_props(
        model, {entry.key: entry.value for entry in model.metadata_props} | {MULTIPLE_KEY: damage}
    )
    onnx.save(model, tmp_path / "damaged.onnx")
    with pytest.raises(BlazeFaceError, match="input_multiple metadata is no number"):
        OnnxBackend(tmp_path / "damaged.onnx", threads=1)


def test_a_file_of_one_shape_runs_the_square_alone(
    network: BlazeFace, photographs: list[Image], tmp_path: Path
) -> None:
    export_network(network, tmp_path / "square.onnx", "onnx", Options(batch=None), photographs)
    assert OnnxBackend(tmp_path / "square.onnx", threads=1).input_multiple is None
    with pytest.raises(BlazeFaceError, match="--shape dynamic does not go with --decode"):
        export_network(
            network, tmp_path / "x.onnx", "onnx", Options(batch=None, free_shape=True, decode=True), photographs
        )
    with pytest.raises(BlazeFaceError, match="--shape dynamic is not written as openvino, only as onnx"):
        check_options("openvino", Options(batch=None, free_shape=True))


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_a_free_shape_in_less_precision(
    network: BlazeFace, photographs: list[Image], tmp_path: Path, precision: str
) -> None:
    options = Options(precision, batch=None, free_shape=True, calibration=photographs)
    path = tmp_path / "small.onnx"
    export_network(network, path, "onnx", options, photographs)
    assert OnnxBackend(path, threads=1).run(np.zeros((1, 3, 32, 64), np.float32))[0].shape == (1, 288)


def test_no_trace_of_the_builders_machine(written: tuple[Path, Differences]) -> None:
    data = written[0].read_bytes()
    for word in (str(Path.cwd()), str(Path.home()) + os.sep, "site-packages", ".py", "torch"):
        assert word.encode() not in data, word
    model = onnx.load(written[0])
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    assert local_paths(model) == []
    model.graph.node[3].doc_string = f"File {Path.cwd() / 'network.py'}, line 7"
    assert local_paths(model) == [str(Path.cwd())]
    model.graph.node[3].doc_string = ""
    weights = model.graph.initializer[0]
    weights.raw_data = f"{Path.cwd()}/".encode() + weights.raw_data  # numbers that happen to read like a folder
    assert local_paths(model) == []


def test_notes_that_the_simplifier_leaves_are_taken_out(
    network: BlazeFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxslim.slim", lambda model: model)
    model = export.to_onnx(network.folded())
    assert local_paths(model) == []
    assert b"site-packages" not in model.SerializeToString()


def test_same_weights_give_the_same_bytes(
    written: tuple[Path, Differences], photographs: list[Image], tmp_path: Path
) -> None:
    training = small_network().train()  # as a run hands it over
    export_onnx(training, tmp_path / "again.onnx", photographs)
    assert (tmp_path / "again.onnx").read_bytes() == written[0].read_bytes()
    assert training.training


def test_a_file_that_differs_too_much_is_not_written(
    network: BlazeFace, photographs: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the one before")
    faithful = export.to_onnx

    def unfaithful(plain: BlazeFace, batch: int | None, free_shape: bool, split: bool) -> onnx.ModelProto:
        model = faithful(plain, batch, free_shape, split)
        weights = next(tensor for tensor in model.graph.initializer if tensor.name == "score_heads.0.bias")
        weights.CopyFrom(
            onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights) + np.float32(0.01), weights.name)
        )
        return model

    monkeypatch.setattr(export, "to_onnx", unfaithful)
    with pytest.raises(
        BlazeFaceError,
        match=r"not written: onnxruntime: it and PyTorch differ by more than 1e-04.*scores 2\.\de-03",
    ):
        export_onnx(network, path, photographs)
    assert path.read_bytes() == b"the one before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_a_mistake_in_folding_batch_norm_is_noticed(
    network: BlazeFace, photographs: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faithful = BlazeFace.folded

    def unfaithful(self: BlazeFace) -> BlazeFace:
        folded = faithful(self)
        stem = folded.stem[0]
        assert isinstance(stem, torch.nn.Conv2d) and stem.bias is not None
        with torch.no_grad():
            stem.bias += 0.5
        return folded

    monkeypatch.setattr(BlazeFace, "folded", unfaithful)
    with pytest.raises(BlazeFaceError, match="not written: onnxruntime: it and PyTorch differ by more than 1e-04"):
        export_onnx(network, tmp_path / "model.onnx", photographs)
    assert not list(tmp_path.iterdir())


def test_a_network_gone_to_nan_is_not_written(photographs: list[Image], tmp_path: Path) -> None:
    broken = small_network()
    with torch.no_grad():
        next(broken.parameters())[0] = float("nan")
    with pytest.raises(BlazeFaceError, match="differ"):
        export_onnx(broken, tmp_path / "model.onnx", photographs)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_one_sentence(
    network: BlazeFace, photographs: list[Image], tmp_path: Path
) -> None:
    with pytest.raises(BlazeFaceError, match=r"nowhere/model\.onnx: cannot be written: No such file"):
        export_onnx(network, tmp_path / "nowhere" / "model.onnx", photographs)


@pytest.mark.slow
def test_exporting_says_nothing_of_its_own() -> None:
    code = (
        "from small_network import small_network; from blazeface.export.formats.onnx import to_onnx;"
        "to_onnx(small_network().folded())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=TESTS, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
