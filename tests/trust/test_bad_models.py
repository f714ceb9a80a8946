"""Model files that are cut, foreign, gigantic, lying or hostile: one sentence, no memory, no code of theirs run."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import flatbuffers
import numpy as np
import onnx
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto
from safetensors.torch import save_file

from blazeface.backends.onnx_backend import OnnxBackend
from blazeface.cli.main import run_command
from blazeface.detector import FaceDetector
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import Options, load_format
from blazeface.guard import UnlistedModel
from blazeface.models.weights import LAYOUT_KEY, save_weights
from blazeface.spec import METADATA_KEY, ModelSpec
from blazeface.tflite.graph import read_graph
from blazeface.training.checkpoint import load_checkpoint, save_checkpoint
from blazeface.training.config import TrainConfig
from blazeface.training.distributed import Processes
from blazeface.training.faces import FaceTrainer, rebuild
from blazeface.training.loop import Machine
from reliability.material import tiny_network

PORTRAIT = Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"
NETWORK = tiny_network(0)

Spoil = Callable[[Path], None]


class Malice:
    """Unpickled, it makes a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.folder),))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same small network as x.onnx, x.tflite, x.safetensors."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("onnx", "tflite"):
        load_format(name).write(NETWORK.folded(), folder / f"x.{name}", Options())
    save_weights(NETWORK, folder / "x.safetensors")
    return folder


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def content(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def hostile_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Malice(path.with_name("owned"))))


def huge(path: Path) -> None:
    os.truncate(path, 2**33)  # sparse: it takes no disk


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def missing(path: Path) -> None:
    path.unlink()


def told_otherwise(**changes: object) -> str:
    return json.dumps({**asdict(NETWORK.spec), **changes})


def onnx_metadata(path: Path, text: str | None) -> None:
    model = onnx.load(path)
    del model.metadata_props[:]
    if text is not None:
        model.metadata_props.add(key=METADATA_KEY, value=text)
    path.write_bytes(model.SerializeToString())


def onnx_metadata_that_is_no_text(path: Path) -> None:
    """Found by fuzzing: onnxruntime's own accessor raises UnicodeDecodeError."""
    onnx_metadata(path, "QQQQ")
    path.write_bytes(path.read_bytes().replace(b"QQQQ", b"\xd6\xff\xfe\xd6"))


def onnx_external(path: Path, location: str) -> None:
    """Weights in another file: one that lies outside the model's folder, and can be read."""
    model = onnx.load(path)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.raw_data)
    outside = path.parent.parent / "outside.bin"
    outside.write_bytes(tensor.raw_data)
    path.with_name("link.bin").symlink_to(outside)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location.format(outside=outside))
    path.write_bytes(model.SerializeToString())


def onnx_padding_of_gigabytes(path: Path) -> None:
    """Found by fuzzing: between the picture and the first layer lie two million rows, cut off again at once."""
    model = onnx.load(path)
    model.opset_import[0].version, model.ir_version = 11, 6  # from which on Pad takes its pads as an input
    for node in model.graph.node:
        node.input[:] = ["cut" if name == "image" else name for name in node.input]
    constants = {"pads": [0, 0, 0, 0, 0, 0, 2**21, 0], "starts": [0], "ends": [32], "rows": [2]}
    for name, values in constants.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(values, np.int64), name))
    model.graph.node.insert(0, onnx.helper.make_node("Slice", ["tall", "starts", "ends", "rows"], ["cut"]))
    model.graph.node.insert(0, onnx.helper.make_node("Pad", ["image", "pads"], ["tall"]))
    onnx.save(model, path)


def onnx_foreign(path: Path) -> None:
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [value("x", 1, [1])], [value("y", 1, [1])])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())


def absurd_tensor(path: Path) -> None:
    """Found by fuzzing: it kept LiteRT busy for seconds."""
    right, wrong = struct.pack("<4i", 1, 16, 16, 8), struct.pack("<4i", 1, 16, 16, 2**30)
    data = path.read_bytes()
    assert right in data
    path.write_bytes(data.replace(right, wrong))


def filter_left_out(path: Path) -> None:
    """Found by fuzzing: LiteRT then read wild memory, and took the process with it."""
    depthwise = next(o for o in read_graph(path).operations if o.name == "DEPTHWISE_CONV_2D")
    right, wrong = (
        struct.pack("<4i", 3, *numbers) for numbers in (depthwise.inputs, (depthwise.inputs[0], -1, -1))
    )
    data = path.read_bytes()
    assert data.count(right) == 1
    path.write_bytes(data.replace(right, wrong))


def filter_of_another_layer(path: Path) -> None:
    operations = [o for o in read_graph(path).operations if o.name == "CONV_2D"]
    right, wrong = (
        struct.pack("<4i", 3, operations[0].inputs[0], *o.inputs[1:]) for o in (operations[0], operations[-1])
    )
    path.write_bytes(path.read_bytes().replace(right, wrong))


def padding_of_gigabytes(path: Path) -> None:
    """Found by fuzzing: LiteRT made room for what the padding asks for, not for what its output is said to hold."""
    right, wrong = (struct.pack("<8i", 0, 0, 0, 0, 0, 0, 0, channels) for channels in (4, 2**24))
    data = path.read_bytes()
    assert data.count(right) == 1
    path.write_bytes(data.replace(right, wrong))


def window_of_millions(path: Path) -> None:
    """Found by fuzzing: LiteRT wrote a list of 800 MB of what lies under the window."""
    data = path.read_bytes()
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    for operator in model.subgraphs[0].operators:
        if isinstance(operator.builtinOptions, schema.Pool2DOptionsT):
            operator.builtinOptions.filterWidth = 12_000_000
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())


def tflite_metadata(path: Path, right: bytes, wrong: bytes) -> None:
    """In place, so of the same length."""
    data = path.read_bytes()
    assert right in data
    assert len(right) == len(wrong)
    path.write_bytes(data.replace(right, wrong))


def tensors(path: Path, metadata: dict[str, str] | None) -> None:
    save_file({name: value.contiguous() for name, value in NETWORK.state_dict().items()}, path, metadata)


def gigantic_layout(path: Path) -> None:
    """Metadata that asks for a network of 8 gigabytes."""
    blocks = [{"channels": 4096, "stride": 2, "tap": True}, {"channels": 4096, "stride": 2, "tap": True}]
    blocks[1:1] = [{"channels": 4096, "bottleneck": 4096}] * 60
    layout = json.dumps({"stem_channels": 4096, "stem_kernel": 3, "blocks": blocks})
    tensors(path, {METADATA_KEY: NETWORK.spec.to_json(), LAYOUT_KEY: layout})


def header(path: Path, text: bytes, length: int | None = None) -> None:
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + bytes(64))


BOTH = NETWORK.spec.to_json()
SIDE = b'"input_size": 32'
ANY: dict[str, tuple[Spoil, str]] = {
    "cut short": (half, "{path}: "),
    "empty": (partial(content, data=b""), "{path}: is empty"),
    "zeros": (partial(content, data=bytes(5000)), "{path}: "),
    "a text": (partial(content, data=b"<html>not found</html>"), "{path}: "),
    "a pickle": (hostile_pickle, "{path}: "),
    "gigantic": (huge, "{path}: larger than 256 MiB, too large for a face detector"),
    "a folder": (folder, "{path}: is a folder, not a file"),
    "a FIFO": (fifo, "{path}: is a pipe or a device, not a file"),
    "missing": (missing, "{path}: no such"),
}
ROWS: dict[str, dict[str, tuple[Spoil, str]]] = {
    ".onnx": {
        **ANY,
        "foreign": (onnx_foreign, "it has no blazeface.spec metadata"),
        "no metadata": (partial(onnx_metadata, text=None), "it has no blazeface.spec metadata"),
        "metadata that is no text": (onnx_metadata_that_is_no_text, "onnxruntime cannot load it: 'utf-8' codec"),
        "metadata that is no JSON": (partial(onnx_metadata, text="{"), "its ModelSpec metadata cannot be read"),
        "another input size": (partial(onnx_metadata, text=told_otherwise(input_size=64)), "promises tensors"),
        "a negative size": (partial(onnx_metadata, text=told_otherwise(input_size=-1)), "must be a positive number"),
        "400 digits": (partial(onnx_metadata, text=told_otherwise(decode_scale=10**400)), "must be a positive number"),
        "a threshold of NaN": (
            partial(onnx_metadata, text=told_otherwise(score_threshold=float("nan"))),
            "score_threshold must lie in [0, 1]",
        ),
        "an unknown field": (partial(onnx_metadata, text=told_otherwise(run="rm")), "unknown fields ['run']"),
        "external data above": (partial(onnx_external, location="../outside.bin"), "weights in another file"),
        "external data anywhere": (partial(onnx_external, location="{outside}"), "weights in another file"),
        "external data behind a link": (partial(onnx_external, location="link.bin"), "weights in another file"),
    },
    ".tflite": {
        **ANY,
        "a tensor of absurd size": (absurd_tensor, "expected tensors of at most 67,108,864 numbers"),
        "a filter left out": (filter_left_out, "DEPTHWISE_CONV_2D is without its input 1"),
        "foreign": (partial(tflite_metadata, right=METADATA_KEY.encode(), wrong=b"somebody.else!"[: len(METADATA_KEY)]), "it has no blazeface.spec metadata"),
        "another input size": (partial(tflite_metadata, right=SIDE, wrong=b'"input_size": 48'), "its ModelSpec promises tensors"),
        "metadata that is no JSON": (partial(tflite_metadata, right=SIDE, wrong=b'"input_size"; 32'), "its ModelSpec metadata cannot be read"),
        "metadata that is no text": (partial(tflite_metadata, right=SIDE, wrong=b'"input_size\xff: 32'), "its ModelSpec metadata cannot be read"),
        "padding that asks for gigabytes": (padding_of_gigabytes, "PAD: "),
        "a window of millions": (window_of_millions, "MAX_POOL_2D: a window of (2, 12000000) over a map of"),
        "a filter of another layer": (filter_of_another_layer, "CONV_2D: a filter of shape"),
    },
    ".safetensors": {
        **ANY,
        "no metadata": (partial(tensors, metadata=None), "it holds no BlazeFace network"),
        "half the metadata": (partial(tensors, metadata={METADATA_KEY: BOTH}), "it holds no BlazeFace network"),
        "another input size": (
            partial(tensors, metadata={METADATA_KEY: told_otherwise(input_size=64), LAYOUT_KEY: NETWORK.layout.to_json()}),
            "layout and spec of 'tiny' disagree",
        ),
        "a gigantic layout": (gigantic_layout, "its tensors do not fit its own layout"),
        "a header of exabytes": (partial(header, text=b"{}", length=2**60), "not a readable safetensors file"),
        "a header that overlaps": (
            partial(header, text=b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}'),
            "not a readable safetensors file",
        ),
        "a shape that overflows": (
            partial(header, text=b'{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,64]}}'),
            "not a readable safetensors file",
        ),
        "a header nested deep": (partial(header, text=b"[" * 100_000), "not a readable safetensors file"),
    },
}  # fmt: skip


@pytest.mark.parametrize(("suffix", "kind"), [(suffix, kind) for suffix, rows in ROWS.items() for kind in rows])
def test_bad_models_are_refused_by_name(
    suffix: str, kind: str, good: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spoil, words = ROWS[suffix][kind]
    path = tmp_path / "in" / f"x{suffix}"
    path.parent.mkdir()
    shutil.copyfile(good / f"x{suffix}", path)
    spoil(path)
    status = run_command("detect", [str(PORTRAIT), "--model", str(path), "--quiet"], prog="detect")
    out, said = capfd.readouterr()
    assert (status, out) == (1, "")
    assert said.startswith("detect: ")
    assert words.format(path=path) in said
    assert len(said.splitlines()) == 1
    assert not (path.parent / "owned").exists()


def test_a_network_that_fails_only_when_it_runs_is_one_sentence(good: Path) -> None:
    """Found by fuzzing: LiteRT loads a file whose constant has no bytes, and raises when it is run."""
    detector = FaceDetector(good / "x.onnx")

    def fail(batch: object) -> None:
        raise RuntimeError("Input tensor 22 lacks data\nin operator 3")

    detector._backend.run = fail  # type: ignore[method-assign,assignment]
    with pytest.raises(BlazeFaceError, match=r"x\.onnx: the network cannot be run: Input tensor 22 lacks data$"):
        detector.detect(np.zeros((9, 9, 3), np.uint8))


def test_a_network_that_asks_for_gigabytes_between_its_ends_does_not_get_them(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    shutil.copyfile(good / "x.onnx", path)
    onnx_padding_of_gigabytes(path)
    with pytest.raises(UnlistedModel, match="a tensor of 201,329,664 numbers, more than 67,108,864"):
        FaceDetector(path)
    detector = FaceDetector.from_backend(OnnxBackend(path, 1, check=False))
    with pytest.raises(BlazeFaceError, match=r"the network cannot be run: .*Available memory of"):
        detector.detect(np.zeros((9, 9, 3), np.uint8))
    assert len(FaceDetector(good / "x.onnx").detect_batch([np.zeros((9, 9, 3), np.uint8)] * 40)) == 40


@pytest.mark.parametrize("suffix", [".pt", ".pkl", ".bin", ".pth"])
def test_pickles_by_their_own_names_are_not_even_opened(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"x{suffix}"
    hostile_pickle(path)
    for command, flags in (
        ("detect", [str(PORTRAIT), "--model", str(path)]),
        ("export", ["--weights", str(path), "--format", "onnx", "--out", str(tmp_path / "y.onnx")]),
        ("train", ["--data", str(tmp_path), "--out", str(tmp_path / "run"), "--init", str(path)]),
        ("import", [str(path), "--out", str(tmp_path / "y.safetensors")]),
    ):
        assert run_command(command, flags) == 1
        said = capsys.readouterr().err
        assert len(said.splitlines()) == 1
    assert not (tmp_path / "owned").exists()


def checkpoint_with(folder: Path, **changes: object) -> None:
    whole = FaceTrainer(NETWORK, TrainConfig(), Machine(), Processes()).checkpoint(9)
    torch.save({**vars(whole), "config": whole.config.to_json(), **changes}, folder / "checkpoint.pt")


def gigantic(path: Path) -> None:
    path.write_bytes(b"x")
    huge(path)


CHECKPOINTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a step of letters": (partial(checkpoint_with, step="nine"), "its step is no whole number"),
    "a negative step": (partial(checkpoint_with, step=-1), "its step is no whole number"),
    "weights of another kind": (partial(checkpoint_with, network=[1]), "its network is no state"),
    "weights that are not finite": (
        partial(checkpoint_with, ema={"x": torch.tensor(float("nan"))}),
        "its ema holds weights that are not finite",
    ),
    "another network's weights": (
        partial(checkpoint_with, network={"x": torch.zeros(1)}),
        "its checkpoint does not fit its own network",
    ),
    "no optimizer": (partial(checkpoint_with, optimizer={}), "its checkpoint does not fit its own network"),
    "a recipe that is no JSON": (partial(checkpoint_with, config="{"), "not a training configuration"),
    "a recipe nested deep": (partial(checkpoint_with, config="[" * 100_000), "not a training configuration"),
    "a recipe with a newline in a name": (
        lambda folder: checkpoint_with(folder, config=TrainConfig().to_json().replace("clip", "cl\\nip")),
        r"unexpected keyword argument 'cl\nip'",
    ),
    "a spec that is no JSON": (partial(checkpoint_with, spec=7), "its ModelSpec metadata cannot be read"),
    "a pickle": (lambda folder: hostile_pickle(folder / "checkpoint.pt"), "not a readable checkpoint"),
    "a pickle in a whole file": (
        lambda folder: torch.save({"x": Malice(folder / "owned")}, folder / "checkpoint.pt"),
        "not a readable checkpoint",
    ),
    "gigantic": (lambda folder: gigantic(folder / "checkpoint.pt"), "too large"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_bad_checkpoints_are_refused(kind: str, tmp_path: Path) -> None:
    spoil, words = CHECKPOINTS[kind]
    spoil(tmp_path)
    with pytest.raises(BlazeFaceError) as caught:
        checkpoint = load_checkpoint(tmp_path)
        FaceTrainer(rebuild(checkpoint), checkpoint.config, Machine(), Processes()).restore(checkpoint)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "owned").exists()


def test_weights_that_are_not_finite_never_replace_a_checkpoint(tmp_path: Path) -> None:
    trainer = FaceTrainer(tiny_network(0), TrainConfig(), Machine(), Processes())
    save_checkpoint(trainer.checkpoint(9), tmp_path)
    good = (tmp_path / "checkpoint.pt").read_bytes()
    with torch.no_grad():
        next(trainer.network.parameters()).fill_(float("nan"))
    trainer.step = 5
    with pytest.raises(BlazeFaceError, match=r"not written: .* is no longer finite at step 5"):
        save_checkpoint(trainer.checkpoint(9), tmp_path)
    assert (tmp_path / "checkpoint.pt").read_bytes() == good


def test_shipped_weights_are_held_against_their_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import blazeface.detector as detector

    shipped = detector.WEIGHTS
    for path in shipped.glob("front-128.*"):
        shutil.copyfile(path, tmp_path / path.name)
    monkeypatch.setattr(detector, "WEIGHTS", tmp_path)
    assert detector.FaceDetector().spec.name == "front-128"
    data = bytearray((tmp_path / "front-128.onnx").read_bytes())
    data[-1] ^= 1
    (tmp_path / "front-128.onnx").write_bytes(data)
    with pytest.raises(
        BlazeFaceError, match=r"front-128\.onnx: not the weights that were shipped: its SHA-256 is"
    ):
        detector.FaceDetector()
    (tmp_path / "front-128.md").write_text("# front-128\n")
    with pytest.raises(BlazeFaceError, match=r"front-128\.md: names no SHA-256 of front-128\.onnx"):
        detector.FaceDetector()
    (tmp_path / "front-128.md").unlink()
    with pytest.raises(BlazeFaceError, match="cannot be held against its card"):
        detector.FaceDetector()


def test_every_shipped_file_passes() -> None:
    from blazeface.detector import WEIGHTS
    from blazeface.files.checksum import verify_checksum

    files = [path for path in WEIGHTS.iterdir() if path.suffix in (".onnx", ".safetensors", ".tflite")]
    assert files
    for path in files:
        verify_checksum(path)


def test_a_spec_survives_its_own_text() -> None:
    assert ModelSpec.from_json(NETWORK.spec.to_json()) == NETWORK.spec
