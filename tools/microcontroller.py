"""A grey network for microcontrollers as C: its .tflite file as an array, and the plan by which phones/micro runs it.

    python -m tools.microcontroller                                            # tiny-96, as it is shipped
    python -m tools.microcontroller --weights runs/mine --data ROOT --out FOLDER      # one of your own, made int8 first

Writes NAME.tflite, NAME.h and NAME_expected.h (a picture, what the network answers, and the faces in it, for
phones/micro/check.c). The shipped file is blazeface/weights/tiny-96-micro.tflite, which is read and not made anew.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.anchors import anchor_centers
from blazeface.detections import Detections
from blazeface.detector import WEIGHTS, postprocess, prepare
from blazeface.errors import BlazeFaceError
from blazeface.export.formats.micro import grey_pixels
from blazeface.files.pictures import read_picture
from blazeface.files.staged import write_text
from blazeface.spec import METADATA_KEY, ModelSpec
from blazeface.tflite.arena import Arena, planned
from blazeface.tflite.model import Graph, Model, Tensor
from blazeface.tflite.reader import read_model

MICRO = Path(__file__).parents[1] / "phones" / "micro"
SHIPPED = WEIGHTS / "tiny-96-micro.tflite"
PICTURE = Path(__file__).parents[1] / "data" / "pictures" / "astronaut.png"

KINDS = {
    "CONV_2D": "BLAZEFACE_CONV",
    "DEPTHWISE_CONV_2D": "BLAZEFACE_DEPTHWISE",
    "ADD": "BLAZEFACE_ADD",
    "MAX_POOL_2D": "BLAZEFACE_MAX_POOL",
    "PAD": "BLAZEFACE_PAD",
    "RESIZE_BILINEAR": "BLAZEFACE_RESIZE",
}
LEFT_SHIFT = 20
"""Bits by which TensorFlow Lite's ADD widens what it adds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a .safetensors file or the folder of a run")
    parser.add_argument("--data", type=Path, metavar="ROOT", help="pictures from which int8 takes its ranges")
    parser.add_argument("--count", type=int, default=200, metavar="N", help="of those pictures (default 200)")
    parser.add_argument("--out", type=Path, default=MICRO, metavar="FOLDER")
    args = parser.parse_args()
    data = SHIPPED.read_bytes()
    if args.weights:
        if args.data is None:
            parser.error("--weights needs --data, which int8 takes its ranges from")
        data = made(args.weights, args.data, args.count)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, content in files(data, args.weights is not None).items():
        path = args.out / name
        path.write_bytes(content) if isinstance(content, bytes) else write_text(path, content)
        print(path)


def made(weights: Path, root: Path, count: int) -> bytes:
    """The .tflite file of trained weights."""
    from blazeface.export.calibration import calibration_pictures, require_faces
    from blazeface.export.formats.micro import to_micro
    from blazeface.training.runs.initial import finished_network

    network, pictures = finished_network(str(weights)), calibration_pictures(root, count)
    require_faces(network, pictures)
    return to_micro(network, pictures)


def files(data: bytes, with_tflite: bool = True, pixels: NDArray[np.int8] | None = None) -> dict[str, str | bytes]:
    """The C files of a .tflite file, by name. pixels: what the network answers to, see `picture_pixels`, the default."""
    model = read_bytes(data)
    spec = spec_of(model)
    pixels = picture_pixels(spec) if pixels is None else pixels
    name = spec.name.replace("-", "_")
    found: dict[str, str | bytes] = {
        f"{name}.h": "\n".join(header(data, model, spec, name)) + "\n",
        f"{name}_expected.h": "\n".join(expected(data, model, spec, name, pixels)) + "\n",
    }
    return found | ({f"{spec.name}-micro.tflite": data} if with_tflite else {})


def spec_of(model: Model) -> ModelSpec:
    content = dict(model.metadata).get(METADATA_KEY)
    if content is None:
        raise BlazeFaceError(f"the file has no {METADATA_KEY} metadata, so it was not exported by blazeface")
    return ModelSpec.from_json(bytes(model.buffers[content]).decode())


def header(data: bytes, model: Model, spec: ModelSpec, name: str) -> Iterator[str]:
    """The network: the file, its scales, its steps and its maps."""
    graph = model.graphs[0]
    arena = planned(graph)
    scales, steps = _steps(data, model, arena)
    yield f"/* {spec.name} for microcontrollers, written by python -m tools.microcontroller: {len(data):,} bytes for the"
    yield f" * network, {arena.size:,} for what it computes (input and answers included), {8 * len(scales):,} for scales. */"
    yield f"#ifndef BLAZEFACE_{name.upper()}_H"
    yield f"#define BLAZEFACE_{name.upper()}_H"
    yield '#include "blazeface_micro.h"'
    yield ""
    yield f"#define BLAZEFACE_{name.upper()}_ARENA {arena.size}"
    yield f"#define BLAZEFACE_{name.upper()}_SIDE {spec.input_size}"
    yield f"#define BLAZEFACE_{name.upper()}_MODEL_BYTES {len(data)}"
    yield ""
    yield "/* The .tflite file, for TensorFlow Lite Micro as well, which wants it aligned. */"
    yield "#if defined(__cplusplus)"
    yield "alignas(16)"
    yield "#elif defined(__GNUC__)"
    yield "__attribute__((aligned(16)))"
    yield "#endif"
    yield f"static const uint8_t {name}_model[] = {{"
    yield from _rows(list(data), 24)
    yield "};"
    yield f"static const blazeface_micro_scale {name}_scales[] = {{"
    yield from _rows([f"{{{m}, {s}}}" for m, s in scales], 6)
    yield "};"
    yield f"static const blazeface_micro_step {name}_steps[] = {{"
    yield from (f"    {{{', '.join(map(str, step))}}}," for step in steps)
    yield "};"
    yield f"static const blazeface_micro_map {name}_maps[] = {{"
    yield from (f"    {{{', '.join(map(str, row))}}}," for row in _maps(graph, spec, arena))
    yield "};"
    yield f"static const blazeface_micro_network {name} = {{"
    yield f"    {name}_model, {name}_steps, {name}_scales, {name}_maps, {len(steps)}, {spec.input_size},"
    yield f"    {len(spec.anchor_maps)}, {arena.offsets[graph.inputs[0]]}, {arena.size},"
    yield f"    {_float(spec.decode_scale)}, {_float(spec.score_threshold)}, {_float(spec.blend_iou)}}};"
    yield ""
    yield "#endif"


def picture_pixels(spec: ModelSpec) -> NDArray[np.int8]:
    """PICTURE as a grey square, (S, S, 1). Another processor may round a value to the next one."""
    return grey_pixels(prepare(read_picture(str(PICTURE)), spec)[0])


def expected(data: bytes, model: Model, spec: ModelSpec, name: str, pixels: NDArray[np.int8]) -> Iterator[str]:
    """A grey square, the checksum of each answer to it, and its faces by Python."""
    answers = reference_answers(data, pixels)
    yield f"/* What {spec.name} answers to data/pictures/{PICTURE.name}, by LiteRT's reference kernels and Python. */"
    yield f"static const uint8_t {name}_picture[] = {{"
    yield from _rows((pixels.astype(np.int16) + 128).ravel().tolist(), 24)
    yield "};"
    yield (
        f"static const uint32_t {name}_crc32[] = {{"
        + ", ".join(f"0x{zlib.crc32(a.tobytes()):08x}" for a in answers)
        + "};"
    )
    faces = faces_of(model, spec, answers)
    yield f"static const int {name}_face_count = {len(faces)};"
    yield f"static const float {name}_faces[][{1 + spec.num_coords}] = {{ /* score, corners, keypoints */"
    for face in faces:
        row = [
            face.score,
            *(face.box / spec.input_size).tolist(),
            *(face.keypoints / spec.input_size).ravel().tolist(),
        ]
        yield "    {" + ", ".join(_float(round(value, 5)) for value in row) + "},"
    yield "};"


def reference_answers(data: bytes, pixels: NDArray[np.int8]) -> list[NDArray[np.int8]]:
    """The outputs, in the file's order, by LiteRT's reference kernels."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    runtime = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    runtime.allocate_tensors()
    runtime.set_tensor(runtime.get_input_details()[0]["index"], pixels[None])
    runtime.invoke()
    return [runtime.get_tensor(detail["index"]) for detail in runtime.get_output_details()]


def raw_answers(
    model: Model, spec: ModelSpec, answers: Sequence[NDArray[np.int8]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits (A,) and regressions (A, 4 + 2K), float32, as other files of a network give them."""
    graph = model.graphs[0]
    values = []
    for number, answer in zip(graph.outputs, answers, strict=True):
        scale = graph.tensors[number].quantization
        assert scale is not None
        values.append(np.float32(scale.scales[0]) * (answer.astype(np.float32) - scale.zero_points[0]))
    half = len(values) // 2
    logits = np.concatenate([value.ravel() for value in values[:half]])
    return logits, np.concatenate([value.reshape(-1, spec.num_coords) for value in values[half:]])


def faces_of(model: Model, spec: ModelSpec, answers: Sequence[NDArray[np.int8]]) -> Detections:
    """Faces in pixels of the square."""
    from blazeface.geometry import Letterbox

    logits, regressions = raw_answers(model, spec, answers)
    whole = Letterbox(1.0, 1.0, 0.0, 0.0)
    return postprocess(logits, regressions, whole, spec, anchor_centers(spec.anchor_maps), spec.score_threshold)


def read_bytes(data: bytes) -> Model:
    """A .tflite file from memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(data)
        model = read_model(path)
    model.buffers = [bytes(buffer) for buffer in model.buffers]
    return model


def _steps(data: bytes, model: Model, arena: Arena) -> tuple[list[tuple[int, int]], list[list[Any]]]:
    """The scales of all operations, and a row for each operation, as blazeface_micro_step has it."""
    graph = model.graphs[0]
    scales: list[tuple[int, int]] = []
    rows = []
    for step in graph.operators:
        if step.kind not in KINDS:
            raise BlazeFaceError(f"phones/micro has no {step.kind}")
        options = step.options or {}
        x, y = graph.tensors[step.inputs[0]], graph.tensors[step.outputs[0]]
        second = graph.tensors[step.inputs[1]] if step.kind == "ADD" else x
        low = max(-128, _zero(y)) if options.get("activation", 0) == 1 else -128
        weights = bias = 0
        kernel = options.get("filter_h", 0)
        own = len(scales)
        if step.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            filters = graph.tensors[step.inputs[1]]
            kernel = filters.shape[1]
            weights, bias = (_place(data, model.buffers[graph.tensors[n].buffer]) for n in step.inputs[1:])
            scales += [multiplier(_scale(x) * scale / _scale(y)) for scale in _scales(filters)]
        elif step.kind == "ADD":
            twice = 2 * max(_scale(x), _scale(second))
            factors = _scale(x) / twice, _scale(second) / twice, twice / ((1 << LEFT_SHIFT) * _scale(y))
            scales += [multiplier(factor) for factor in factors]
        rows.append(
            [
                KINDS[step.kind], kernel, options.get("stride_h", 1), low, _zero(x), _zero(second), _zero(y),
                x.shape[1], y.shape[1], x.shape[3], y.shape[3], own, arena.offsets[step.inputs[0]],
                arena.offsets[step.inputs[1]] if step.kind == "ADD" else 0, arena.offsets[step.outputs[0]], weights, bias,
            ]
        )  # fmt: skip
    return scales, rows


def multiplier(real: float) -> tuple[int, int]:
    """A factor as TensorFlow Lite has it: whole / 2^31 * 2^shift, whole from 2^30 to 2^31 - 1."""
    fraction, shift = math.frexp(real)
    whole = math.floor(fraction * (1 << 31) + 0.5)
    if whole == 1 << 31:
        whole, shift = whole // 2, shift + 1
    return (0, 0) if shift < -31 else (whole, shift)


def _maps(graph: Graph, spec: ModelSpec, arena: Arena) -> list[list[Any]]:
    half = len(graph.outputs) // 2
    rows = []
    for anchor_map, scores, regressions in zip(
        spec.anchor_maps, graph.outputs[:half], graph.outputs[half:], strict=True
    ):
        one, other = graph.tensors[scores], graph.tensors[regressions]
        rows.append(
            [
                anchor_map.cells, len(anchor_map.sizes), arena.offsets[scores], arena.offsets[regressions],
                _float(_scale(one)), _float(_scale(other)), _zero(one), _zero(other),
            ]
        )  # fmt: skip
    return rows


def _place(data: bytes, content: bytes | memoryview) -> int:
    """Where bytes of a buffer begin in the file."""
    place = data.find(bytes(content))
    assert place >= 0
    return place


def _scales(tensor: Tensor) -> Sequence[float]:
    assert tensor.quantization is not None
    return [float(np.float32(scale)) for scale in tensor.quantization.scales]


def _scale(tensor: Tensor) -> float:
    return _scales(tensor)[0]


def _zero(tensor: Tensor) -> int:
    assert tensor.quantization is not None
    return int(tensor.quantization.zero_points[0])


def _float(value: float) -> str:
    text = f"{value:.9g}"
    return f"{text if any(mark in text for mark in '.en') else text + '.0'}F"


def _rows(values: Sequence[Any], count: int) -> Iterator[str]:
    for start in range(0, len(values), count):
        yield "    " + ",".join(map(str, values[start : start + count])) + ","


if __name__ == "__main__":
    main()
