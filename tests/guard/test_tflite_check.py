"""TensorFlow Lite files before LiteRT sees them: ours pass, and what crashed or would have is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")

from blazeface.backends.tflite_backend import TfliteBackend
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import Options, load_format
from blazeface.guard import UnlistedModel
from blazeface.guard.tflite_check import check_tflite, cost_of
from blazeface.models.network import BlazeFace
from blazeface.tflite.flatbuffer import Source
from blazeface.tflite.model import Model, Operator
from blazeface.tflite.names import OPERATORS
from blazeface.tflite.reader import read_model
from blazeface.tflite.writer import model_bytes
from reliability.mutants import mutate_tflite


@pytest.fixture(scope="module", params=["float32", "float16", "int8"])
def exported(
    request: pytest.FixtureRequest,
    network: BlazeFace,
    photographs_of_module: list[Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    path = tmp_path_factory.mktemp("tflite") / f"{request.param}.tflite"
    load_format("tflite").write(
        network.folded(), path, Options(request.param, 1, False, False, photographs_of_module)
    )
    return path


@pytest.fixture(scope="module")
def photographs_of_module() -> list[Any]:
    from blazeface.files.pictures import read_picture

    return [read_picture(str(Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"))]


def test_exports_are_accepted_and_cost_what_they_cost(exported: Path) -> None:
    check_tflite(exported)
    cost = cost_of(read_model(exported))
    assert cost.pictures == 1
    assert 200_000 < cost.work < 400_000


@pytest.mark.parametrize("batch", [1, 4])
def test_decoded_and_fixed_batches_are_accepted(batch: int, network: BlazeFace, tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    load_format("tflite").write(network.folded(), path, Options("float32", batch, True))
    check_tflite(path)


def first(model: Model, kind: str) -> Operator:
    return next(operator for operator in model.graphs[0].operators if operator.kind == kind)


def without_bias(model: Model) -> None:
    """Found by mutants: LiteRT reads memory that is not its own where an int8 convolution has no bias."""
    operator = first(model, "DEPTHWISE_CONV_2D")
    operator.inputs = operator.inputs[:2]


def set_option(model: Model, kind: str, **options: int) -> None:
    operator = first(model, kind)
    operator.options = {**(operator.options or {}), **options}


def rename(model: Model, kind: str, other: str) -> None:
    operator = first(model, kind)
    operator.kind, operator.options = other, None


def change_output(model: Model, kind: str, **changes: Any) -> None:
    for name, value in changes.items():
        setattr(model.graphs[0].tensors[first(model, kind).outputs[0]], name, value)


def read_ahead(model: Model) -> None:
    model.graphs[0].operators.reverse()


REFUSED: dict[str, tuple[Callable[[Model], None], str]] = {
    "no bias": (without_bias, "DEPTHWISE_CONV_2D with 2 inputs"),
    "a stride of zero": (lambda m: set_option(m, "CONV_2D", stride_w=0), "CONV_2D: stride_w = 0"),
    "a multiplier that lies": (lambda m: set_option(m, "DEPTHWISE_CONV_2D", multiplier=2), "DEPTHWISE_CONV_2D: a filter of"),
    "an activation that is not known": (lambda m: set_option(m, "CONV_2D", activation=5), "activation = 5"),
    "another kind": (lambda m: rename(m, "ADD", "WHILE"), "the operator 'WHILE'"),
    "another output": (lambda m: change_output(m, "CONV_2D", shape=(1, 2, 2, 8)), "CONV_2D that makes"),
    "another type": (lambda m: change_output(m, "DEPTHWISE_CONV_2D", dtype="int32"), "DEPTHWISE_CONV_2D of"),
    "texts": (lambda m: change_output(m, "ADD", dtype="string"), "a tensor of string"),
    "the wrong order": (read_ahead, "that reads what is not made yet"),
    "gigabytes": (lambda m: change_output(m, "ADD", shape=(1, 1 << 13, 1 << 13, 4)), "a tensor of the shape"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_does_not_go_together_is_refused(kind: str, exported: Path, tmp_path: Path) -> None:
    change, words = REFUSED[kind]
    model = read_model(exported)
    change(model)
    path = tmp_path / "x.tflite"
    path.write_bytes(model_bytes(model))
    with pytest.raises(UnlistedModel) as caught:
        check_tflite(path)
    assert words in str(caught.value)


def test_mutants_are_refused_or_run(exported: Path, tmp_path: Path) -> None:
    path, outcomes = tmp_path / "x.tflite", {True: 0, False: 0}
    for number in range(150):
        try:
            data = mutate_tflite(exported.read_bytes(), 5, number)
        except (KeyError, ValueError, TypeError, OverflowError):
            continue  # what the format cannot hold
        path.write_bytes(data)
        try:
            TfliteBackend(path, 1)
            outcomes[True] += 1
        except BlazeFaceError:
            outcomes[False] += 1
    assert outcomes[False] > 50


def test_options_of_another_operator_are_none(exported: Path, tmp_path: Path) -> None:
    """LiteRT takes those of a convolution to be zeros where the file calls them a pooling's."""
    data = bytearray(exported.read_bytes())
    root = Source(bytes(data)).root("Model")
    codes = [OPERATORS[code.integer("builtin_code")] for code in root.tables("operator_codes")]
    operators = list(next(root.tables("subgraphs")).tables("operators"))
    convolution = next(each for each in operators if codes[each.integer("opcode_index")] == "CONV_2D")
    place = convolution._place(convolution._fields["builtin_options_type"])
    assert place is not None and data[place] == 1
    data[place] = 5
    path = tmp_path / "x.tflite"
    path.write_bytes(data)
    with pytest.raises(UnlistedModel, match=r"CONV_2D: (padding|activation|stride_h) = None"):
        check_tflite(path)
