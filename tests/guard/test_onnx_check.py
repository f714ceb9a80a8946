"""ONNX files before onnxruntime sees them: ours pass, others are refused, the shapes are those that a run has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from blazeface.backends.onnx_backend import OnnxBackend
from blazeface.detector import FaceDetector
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import Options, load_format
from blazeface.guard import UnlistedModel
from blazeface.guard.onnx_check import check_onnx, cost_of
from blazeface.guard.onnx_graph import read_onnx_graph
from blazeface.guard.protobuf import Malformed, fields, integer, integers
from blazeface.models.network import BlazeFace

ROOT = Path(__file__).parents[2]
PEERS = ROOT.parent / "shared" / "peers"
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


@pytest.fixture(scope="module")
def small(network: BlazeFace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    load_format("onnx").write(network.folded(), path, Options(batch=None))
    return path


def model_of(
    nodes: Sequence[Any], constants: dict[str, Any], shape: Sequence[Any] = (1, 3, 8, 8), opset: int = 18
) -> bytes:
    """A graph from x (float32) to y."""
    value = helper.make_tensor_value_info
    held = [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()]
    graph = helper.make_graph(list(nodes), "g", [value("x", FLOAT, list(shape))], [value("y", FLOAT, None)], held)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return bytes(made.SerializeToString())


@pytest.mark.parametrize("name", ["front-128", "back-256", "refine", "segment"])
def test_shipped_files_are_accepted(name: str) -> None:
    check_onnx((ROOT / "blazeface" / "weights" / f"{name}.onnx").read_bytes(), name)


EXPORTS = [
    Options(batch=None, decode=True, nms=True),
    Options(batch=3, decode=True),
    Options(batch=None, precision="float16", decode=True, nms=True),
    Options(batch=None, precision="int8", decode=True, nms=True),
]


@pytest.mark.parametrize("options", EXPORTS, ids=lambda o: f"{o.precision}-{o.batch}-{o.decode}-{o.nms}")
def test_exports_are_accepted(
    options: Options, network: BlazeFace, photographs: list[Any], tmp_path: Path
) -> None:
    path = tmp_path / "x.onnx"
    asked = Options(options.precision, options.batch, options.decode, options.nms, photographs)
    load_format("onnx").write(network.folded(), path, asked)
    check_onnx(path.read_bytes(), "x")
    assert_shapes_of_a_run(path, 3)


def assert_shapes_of_a_run(path: Path, batch: int) -> None:
    """Each tensor's shape is the one that onnxruntime computes. (Where a run decides how many rows there are, as after
    suppression, there may be fewer.)"""
    model = onnx.load(path)
    names = [name for node in model.graph.node for name in node.output if name]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    shape = [size if isinstance(size, int) else (128 if axis else batch) for axis, size in enumerate(entry.shape)]
    kind = np.uint8 if "uint8" in entry.type else np.float32
    found = session.run(names, {entry.name: np.random.default_rng(0).integers(0, 2, shape).astype(kind)})
    known: dict[str, Any] = {}
    cost_of(read_onnx_graph(path.read_bytes()), batch, 128, known)
    chosen = next((node.output[0] for node in model.graph.node if node.op_type == "NonMaxSuppression"), None)
    after = names.index(chosen) if chosen else len(names)
    assert len(names) > 10
    for place, (name, values) in enumerate(zip(names, found, strict=True)):
        if place < after:
            assert known[name].shape == np.shape(values), name
        else:
            assert all(ours >= theirs for ours, theirs in zip(known[name].shape, np.shape(values), strict=True)), (
                name
            )


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("name", ["front-128", "refine", "segment"])
def test_shapes_are_those_of_a_run(name: str, batch: int) -> None:
    assert_shapes_of_a_run(ROOT / "blazeface" / "weights" / f"{name}.onnx", batch)


def test_multiply_accumulates_of_a_convolution() -> None:
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    data = model_of([node], {"w": np.zeros((4, 3, 3, 3), np.float32), "b": np.zeros(4, np.float32)})
    assert cost_of(read_onnx_graph(data), 1, 8) == (1, 4 * 4 * 4 * 3 * 9, 64, 64)


def test_a_network_of_open_height_and_width_is_accepted() -> None:
    """The shapes are computed in the graph, as exporters do."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Shape", ["x"], ["s"], start=2),
        helper.make_node("Resize", ["c", "", "", "sizes"], ["r"], mode="nearest"),
        helper.make_node("Shape", ["c"], ["front"], end=2),
        helper.make_node("Concat", ["front", "s"], ["sizes"], axis=0),
        helper.make_node("Transpose", ["r"], ["t"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["t", "flat"], ["y"]),
    ]
    nodes[2], nodes[3], nodes[4] = nodes[3], nodes[4], nodes[2]
    constants = {"w": np.zeros((4, 3, 3, 3), np.float32), "flat": np.array([0, -1, 4])}
    data = model_of(nodes, constants, ("n", 3, "h", "w"))
    check_onnx(data, "x")
    known: dict[str, Any] = {}
    cost_of(read_onnx_graph(data), 2, 10, known)
    assert known["y"].shape == (2, 100, 4)


def conv(**settings: Any) -> bytes:
    node = helper.make_node("Conv", ["x", "w"], ["y"], **settings)
    return model_of([node], {"w": np.zeros((4, 3, 3, 3), np.float32)})


def loop() -> bytes:
    """A loop without end: the body's condition stays true."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["again"]), helper.make_node("Add", ["a", "a"], ["b"])],
        "body",
        [value("i", INT, []), value("c", TensorProto.BOOL, []), value("a", FLOAT, None)],
        [value("again", TensorProto.BOOL, []), value("b", FLOAT, None)],
    )
    return model_of([helper.make_node("Loop", ["", "yes", "x"], ["y"], body=body)], {"yes": np.array(True)})


def pad(*pads: int) -> bytes:
    return model_of([helper.make_node("Pad", ["x", "p"], ["y"])], {"p": np.array(pads)})


def growing() -> bytes:
    """Every axis of the picture multiplied with itself, four times: small for one picture, and gigantic for a large one."""
    nodes = [helper.make_node("Shape", ["x"], ["s0"])]
    nodes += [helper.make_node("Mul", [f"s{i}", "s0"], [f"s{i + 1}"]) for i in range(2)]
    nodes.append(helper.make_node("Expand", ["one", "s2"], ["y"]))
    return model_of(nodes, {"one": np.ones(1, np.float32)}, ("n", 1, "h", 1))


def chain(count: int) -> bytes:
    """Many convolutions, each small enough."""
    nodes = [helper.make_node("Conv", ["x" if i == 0 else f"t{i}", "w"], ["y" if i == count - 1 else f"t{i + 1}"], pads=[1, 1, 1, 1]) for i in range(count)]  # fmt: skip
    return model_of(nodes, {"w": np.zeros((16, 16, 3, 3), np.float32)}, (1, 16, 512, 512))


def external() -> bytes:
    made = onnx.ModelProto.FromString(conv())
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    return bytes(made.SerializeToString())


def lying_tensor() -> bytes:
    made = onnx.ModelProto.FromString(conv())
    made.graph.initializer[0].raw_data = bytes(40)
    return bytes(made.SerializeToString())


def function() -> bytes:
    made = onnx.ModelProto.FromString(conv())
    made.functions.append(
        helper.make_function("d", "F", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], [])
    )
    return bytes(made.SerializeToString())


def other_domain() -> bytes:
    return model_of([helper.make_node("FusedConv", ["x"], ["y"], domain="com.microsoft")], {})


def one(
    kind: str, inputs: Sequence[str] = ("x",), constants: dict[str, Any] | None = None, **settings: Any
) -> bytes:
    return model_of([helper.make_node(kind, list(inputs), ["y"], **settings)], constants or {})


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a loop": (loop, "a graph within the graph (body)"),
    "an unknown operator": (lambda: one("Einsum", ["x"], equation="ijkl->ij"), "the operator 'Einsum'"),
    "an operator of another domain": (other_domain, "an operator of the domain 'com.microsoft'"),
    "a function": (function, "functions or training steps of its own"),
    "weights in another file": (external, "weights in another file"),
    "a tensor that lies": (lying_tensor, "that holds 10 numbers"),
    "an operator without its input": (lambda: one("Conv", ["x"]), "Conv with 1 inputs"),
    "an input left out": (lambda: one("Conv", ["x", ""]), "Conv with 2 inputs, some of them perhaps left out"),
    "too many inputs": (lambda: one("Relu", ["x", "x"]), "Relu with 2 inputs"),
    "an attribute that is not known": (lambda: one("Relu", surprise=1), "Relu with the attribute 'surprise'"),
    "a tensor that nothing makes": (lambda: one("Relu", ["z"]), "reads 'z', which nothing before it makes"),
    "no groups": (lambda: conv(group=0), "group = 0"),
    "groups that do not divide": (lambda: conv(group=3), "Conv of (1, 3, 8, 8) with (4, 3, 3, 3) in 3 groups"),
    "a stride of zero": (lambda: conv(strides=[0, 1]), "strides = (0, 1)"),
    "a stride for one axis": (lambda: conv(strides=[1]), "strides = (1,)"),
    "a negative padding": (lambda: conv(pads=[-1, 0, 0, 0]), "pads = (-1, 0, 0, 0)"),
    "a window beyond the picture": (lambda: conv(dilations=[9, 9]), "a window of 3 over 8 pixels"),
    "another kernel than the weights": (lambda: conv(kernel_shape=[5, 5]), "Conv whose kernel_shape is not that"),
    "a window of millions": (
        lambda: one("MaxPool", kernel_shape=[1, 12_000_000]), "kernel_shape = (1, 12000000)",
    ),
    "padding of gigabytes": (lambda: pad(0, 0, 2**21, 0, 0, 0, 2**21, 0), "a tensor of"),
    "padding that runs over": (lambda: pad(0, 0, 2**62, 0, 0, 0, 2**62, 0), "a tensor of"),
    "padding by half the axes": (lambda: pad(0, 0, 1, 1), "Pad of (1, 3, 8, 8) by [0, 0, 1, 1]"),
    "a size that a run tells": (
        lambda: model_of([helper.make_node("Cast", ["x"], ["s"], to=7), helper.make_node("Expand", ["x", "s"], ["y"])], {}),
        "sizes or axes that only a run would tell",
    ),
    "resizing to gigabytes": (
        lambda: one("Resize", ["x", "", "", "s"], {"s": np.array([1, 3, 2**15, 2**15])}), "a tensor of 3,221,225,472 numbers",
    ),
    "reshaping to another size": (lambda: one("Reshape", ["x", "s"], {"s": np.array([7, -1])}), "Reshape of"),
    "billions of multiply-accumulates": (lambda: chain(12), "multiply-accumulates in a run, more than"),
    "a cost that grows faster than pictures": (growing, "a cost that grows faster than the pictures"),
    "old operators": (lambda: model_of([helper.make_node("Relu", ["x"], ["y"])], {}, opset=8), "operators of version 8"),
    "a Resize of another kind": (
        lambda: model_of([helper.make_node("Resize", ["x", "s"], ["y"])], {"s": np.ones(4, np.float32)}, opset=10), "Resize of version 10",
    ),
    "a window's ends as attributes": (
        lambda: model_of([helper.make_node("Slice", ["x"], ["y"], starts=[0], ends=[1])], {}, opset=9), "Slice with 1 inputs",
    ),
    "two tensors of one name": (
        lambda: model_of([helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Exp", ["x"], ["y"])], {}),
        "two tensors of the name 'y'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_no_face_detector_needs_is_refused(kind: str) -> None:
    make, words = REFUSED[kind]
    with pytest.raises(UnlistedModel) as caught:
        check_onnx(make(), "m.onnx")
    assert str(caught.value).startswith("m.onnx: not of the kind that blazeface writes: ")
    assert words in str(caught.value)
    assert "--trust-model" in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\x3a\xff\xff\xff\x0f", b"\x3a\x80", b"\x0b\x01", b"\xff" * 40, b"[" * 5000]
)
def test_what_is_no_onnx_file_is_damaged(data: bytes) -> None:
    with pytest.raises(BlazeFaceError, match=r"^m\.onnx: a damaged ONNX file, or none: ") as caught:
        check_onnx(data, "m.onnx")
    assert not isinstance(caught.value, UnlistedModel)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("yunet_n_dynamic.onnx", "not of the kind that blazeface writes: Unsqueeze with 1 inputs"),
        ("centerface.onnx", "it has no blazeface.spec metadata"),  # made of operators that a BlazeFace has
    ],
)
def test_other_detectors_are_refused_without_trust(name: str, words: str) -> None:
    path = PEERS / name
    if not path.exists():
        pytest.skip("the other detectors' files are not here")
    with pytest.raises(BlazeFaceError, match=words):
        FaceDetector(path)


def test_structured_mutants_are_refused_or_run(small: Path, tmp_path: Path) -> None:
    from reliability.mutants import mutate_onnx

    data, outcomes = small.read_bytes(), {True: 0, False: 0}
    path = tmp_path / "x.onnx"
    for number in range(120):
        path.write_bytes(mutate_onnx(data, 3, number))
        try:
            backend = OnnxBackend(path, 1)
            backend.run(np.zeros((1, 3, backend.spec.input_size, backend.spec.input_size), np.float32))
            outcomes[True] += 1
        except Exception as error:
            assert not isinstance(error, (MemoryError, RecursionError))
            outcomes[False] += 1
    assert min(outcomes.values()) > 0


def test_parts_that_come_twice_are_refused() -> None:
    """Protobuf merges them: a shape would get the axes of both."""
    shape = b"\x0a\x02\x08\x03"  # one axis of 3
    tensor = b"\x08\x01" + (b"\x12" + bytes([len(shape)]) + shape) * 2
    kind = b"\x0a" + bytes([len(tensor)]) + tensor
    info = b"\x0a\x01x\x12" + bytes([len(kind)]) + kind
    graph = b"\x5a" + bytes([len(info)]) + info
    with pytest.raises(UnlistedModel, match="a part that comes twice"):
        check_onnx(b"\x3a" + bytes([len(graph)]) + graph, "x")
    attribute = b"\x0a\x01a\xa0\x01\x02\x18\x01\x18\x02"  # the integer a, 1 and then 2
    node = b"\x22\x04Relu\x2a" + bytes([len(attribute)]) + attribute
    graph = b"\x0a" + bytes([len(node)]) + node
    with pytest.raises(UnlistedModel, match="a part that comes twice"):
        check_onnx(b"\x3a" + bytes([len(graph)]) + graph, "x")


def test_messages_are_read_as_protobuf_has_them() -> None:
    assert list(fields(b"\x08\x96\x01\x12\x02hi\x1d\x00\x00\x80\x3f")) == [
        (1, 150),
        (2, b"hi"),
        (3, b"\x00\x00\x80\x3f"),
    ]
    assert integer(2**64 - 1) == -1
    assert integers(b"\x01\xac\x02") == [1, 300]
    with pytest.raises(Malformed):
        list(fields(b"\x80" * 11 + b"\x01"))


def test_exports_of_free_height_and_width_are_accepted(network: BlazeFace, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    load_format("onnx").write(network.folded(), path, Options(batch=None, free_shape=True))
    check_onnx(path.read_bytes(), "x")
