"""tiny-96 in plain C: the test program, each operation to the last bit, faces as Python finds them, and its memory."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import RESULTS
from benchmarks.phones.microcontroller import LIMIT, memory, table
from benchmarks.phones.programs import PHONES, cpp_compiler
from blazeface.decode import sigmoid
from blazeface.tflite.arena import planned
from blazeface.tflite.flatbuffer import pack
from tools.microcontroller import (
    SHIPPED,
    faces_of,
    files,
    multiplier,
    picture_pixels,
    raw_answers,
    read_bytes,
    reference_answers,
    spec_of,
)

pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")

MICRO = PHONES / "micro"
STRICT = ("-Wall", "-Wextra", "-Wshadow", "-Werror")

needs_compiler = pytest.mark.skipif(
    cpp_compiler() is None and os.environ.get("BLAZEFACE_PHONES") != "required", reason="no C compiler"
)

LIBRARY = """
#include "tiny_96.h"
void one_step(int i, int8_t *arena) {
    blazeface_micro_network net = tiny_96;
    uint8_t none[BLAZEFACE_TINY_96_SIDE * BLAZEFACE_TINY_96_SIDE];
    net.steps += i;
    net.step_count = 1;
    net.side = 0;
    blazeface_micro_run(&net, none, arena);
}
int faces(const int8_t *answers, float threshold, blazeface_micro_face *found, int most) {
    const int8_t *scores[2], *regressions[2];
    for (int i = 0; i < 2; i++) {
        scores[i] = answers;
        answers += tiny_96_maps[i].cells * tiny_96_maps[i].cells * tiny_96_maps[i].anchors;
    }
    for (int i = 0; i < 2; i++) {
        regressions[i] = answers;
        answers += 16 * tiny_96_maps[i].cells * tiny_96_maps[i].cells * tiny_96_maps[i].anchors;
    }
    return blazeface_micro_faces(&tiny_96, scores, regressions, threshold, found, most);
}
void square(const uint8_t *grey, int width, int height, uint8_t *to, int side) {
    blazeface_micro_square(grey, width, height, to, side);
}
"""


def compiled(source: Path, program: Path, *flags: str) -> Path:
    command = ["cc", "-I", str(MICRO), *flags, "-o", str(program), str(source), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return program


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("micro")
    (folder / "library.c").write_text(LIBRARY)
    flags = ("-std=c99", "-O2", "-shared", "-fPIC", "-Wno-unused-function")
    return ctypes.CDLL(str(compiled(folder / "library.c", folder / "library.so", *flags)))


@needs_compiler
@pytest.mark.parametrize("language", [("-std=c99",), ("-x", "c++", "-std=c++17")])
def test_the_test_program_finds_what_is_expected(language: tuple[str, ...], tmp_path: Path) -> None:
    sanitized = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *STRICT)
    program = compiled(MICRO / "check.c", tmp_path / "check", *language, *sanitized)
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.endswith("all as expected\n"), done.stdout + done.stderr
    assert "face " in done.stdout


@needs_compiler
def test_the_test_program_can_fail(tmp_path: Path) -> None:
    for name in ("tiny_96.h", "blazeface_micro.h", "check.c"):
        (tmp_path / name).write_text((MICRO / name).read_text())
    text = (MICRO / "tiny_96_expected.h").read_text()
    first = text.index("crc32[] = {0x") + len("crc32[] = {0x")
    (tmp_path / "tiny_96_expected.h").write_text(
        f"{text[:first]}{'0' if text[first] != '0' else '1'}{text[first + 1 :]}"
    )
    program = compiled(tmp_path / "check.c", tmp_path / "check", "-std=c99", "-O1")
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout.endswith("1 numbers are not those that are expected\n")


def test_the_files_are_those_of_the_shipped_network() -> None:
    data = SHIPPED.read_bytes()
    rows = (MICRO / "tiny_96_expected.h").read_text("utf-8").split("tiny_96_picture[] = {")[1].split("}")[0]
    numbers = np.array([int(number) for number in rows.split(",") if number.strip()])
    pixels = (numbers - 128).astype(np.int8).reshape(96, 96, 1)
    # Processors round a pixel up or down as they like, and the network's answers follow.
    assert np.abs(pixels.astype(int) - picture_pixels(spec_of(read_bytes(data)))).max() <= 1
    for name, content in files(data, with_tflite=False, pixels=pixels).items():
        assert (MICRO / name).read_text("utf-8") == content, f"{name}: run python -m tools.microcontroller"


@needs_compiler
def test_every_operation_to_the_last_bit(library: Any) -> None:
    """Each operation alone, on random maps of the whole range of int8, against LiteRT's reference kernels."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    data = SHIPPED.read_bytes()
    model = read_bytes(data)
    graph, plan = model.graphs[0], planned(model.graphs[0])
    for seed in range(3):
        runtime = Interpreter(
            model_content=data,
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
        runtime.allocate_tensors()
        rng = np.random.default_rng(seed)
        picture = rng.integers(-128, 128, (1, 96, 96, 1), np.int8)
        runtime.set_tensor(runtime.get_input_details()[0]["index"], picture)
        runtime.invoke()
        kinds = set()
        for i, step in enumerate(graph.operators):
            arena = np.zeros(plan.size, np.int8)
            for number in step.inputs:
                if number in plan.offsets:
                    values = runtime.get_tensor(number).ravel()
                    arena[plan.offsets[number] : plan.offsets[number] + len(values)] = values
            library.one_step(i, arena.ctypes.data_as(ctypes.c_void_p))
            expected = runtime.get_tensor(step.outputs[0]).ravel()
            start = plan.offsets[step.outputs[0]]
            assert np.array_equal(arena[start : start + len(expected)], expected), (i, step.kind)
            kinds.add(step.kind)
        assert kinds == {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MAX_POOL_2D", "PAD", "RESIZE_BILINEAR"}


def random_answers(seed: int) -> list[NDArray[np.int8]]:
    rng = np.random.default_rng(seed)
    shapes = [(1, 12, 12, 2), (1, 6, 6, 5), (1, 12, 12, 32), (1, 6, 6, 80)]
    scores = [rng.choice(np.array([-128, 127], np.int8), shape, p=[0.95, 0.05]) for shape in shapes[:2]]
    for values in scores:
        values[values > 0] -= rng.integers(0, 60, int((values > 0).sum())).astype(np.int8)
    return [*scores, *(rng.integers(-128, 128, shape, np.int8) for shape in shapes[2:])]


@needs_compiler
@pytest.mark.parametrize("seed", range(8))
def test_faces_are_those_of_python(seed: int, library: Any) -> None:
    model = read_bytes(SHIPPED.read_bytes())
    spec = spec_of(model)
    answers = random_answers(seed)
    logits, _ = raw_answers(model, spec, answers)
    assert 8 < (sigmoid(logits) >= 0.5).sum() <= 64  # as many as there is room for
    expected = faces_of(model, spec, answers)
    library.faces.argtypes = [ctypes.c_void_p, ctypes.c_float, ctypes.c_void_p, ctypes.c_int]
    flat = np.concatenate([answer.ravel() for answer in answers])
    found = np.zeros((64, 17), np.float32)
    count = library.faces(flat.ctypes.data_as(ctypes.c_void_p), 0.5, found.ctypes.data_as(ctypes.c_void_p), 64)
    side = spec.input_size
    rows = np.array([[f.score, *(f.box / side), *(f.keypoints / side).ravel()] for f in expected])
    assert count == len(rows) > 1
    assert np.allclose(found[:count], rows, atol=2e-4)


@needs_compiler
def test_the_square_is_a_mean_of_what_it_covers(library: Any) -> None:
    rng = np.random.default_rng(0)
    for width, height in ((192, 192), (192, 96), (96, 192), (320, 240), (50, 40), (1, 1)):
        grey = rng.integers(0, 256, (height, width), np.uint8)
        found = np.full((96, 96), 7, np.uint8)
        library.square(
            grey.ctypes.data_as(ctypes.c_void_p), width, height, found.ctypes.data_as(ctypes.c_void_p), 96
        )
        w, h = (round(96 * side / max(width, height)) for side in (width, height))
        left, top = (96 - w) // 2, (96 - h) // 2
        inside = found[top : top + h, left : left + w]
        assert found.sum(dtype=int) == inside.sum(dtype=int)  # the border is black
        if width % w == 0 and height % h == 0:
            means = grey.reshape(h, height // h, w, width // w).mean(axis=(1, 3))
            assert np.abs(inside - means).max() <= 0.5
        assert grey.min() <= inside.min() and inside.max() <= grey.max()


def test_it_fits_a_small_microcontroller() -> None:
    known = json.loads((RESULTS / "micro.json").read_text("utf-8"))
    size = memory(SHIPPED)
    for name in ("file", "plan", "needed_at_once"):
        assert size[name] == known["memory"][name], "run python -m benchmarks.phones.microcontroller --arena-only"
    assert size["file"] + size["plan"] <= LIMIT
    assert size["file"] + known["memory"]["tflite_micro_arena"] <= LIMIT
    # Within a tenth of what is needed at once; and the interpreter's own tables are no more than half of that again.
    assert size["needed_at_once"] <= size["plan"] <= 1.1 * size["needed_at_once"]
    assert size["plan"] < known["memory"]["tflite_micro_arena"] < size["plan"] + 24_000
    assert (RESULTS / "micro.md").read_text("utf-8") == table(known)


ASK_ALL = """
import sys
import numpy as np
from tflite_micro import runtime
net = runtime.Interpreter.from_bytes(open(sys.argv[1], "rb").read())
net.set_input(np.load(sys.argv[2]), 0)
net.invoke()
np.savez(sys.argv[3], *[net.get_output(i) for i in range(4)])
"""


def test_tensorflow_lite_micro_gives_the_same_answers(tmp_path: Path) -> None:
    """In a process of the Python that has its package: it must not share one with LiteRT."""
    python = os.environ.get("TFLITE_MICRO_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import tflite_micro"], capture_output=True).returncode:
        pytest.skip("tflite-micro is not installed")
    picture = np.random.default_rng(5).integers(-128, 128, (96, 96, 1), np.int8)
    np.save(tmp_path / "in.npy", picture[None])
    command = [python, "-c", ASK_ALL, str(SHIPPED), str(tmp_path / "in.npy"), str(tmp_path / "out.npz")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]
    with np.load(tmp_path / "out.npz") as found:
        for i, expected in enumerate(reference_answers(SHIPPED.read_bytes(), picture)):
            assert np.array_equal(found[f"arr_{i}"], expected)


def test_multipliers_by_hand() -> None:
    assert multiplier(0.5) == (1 << 30, 0) and multiplier(1.0) == (1 << 30, 1) and multiplier(0.75) == (3 << 29, 0)
    assert multiplier(1 - 2**-40) == (1 << 30, 1)  # rounds up to a whole, which has a shift more
    assert multiplier(2.0**-40) == (0, 0)


def test_equal_vectors_are_written_once() -> None:
    rows = [{"name": "a", "quantization": {"scale": [0.25] * 9, "zero_point": [0] * 9}, "shape": [1, 2]}] * 20
    values = {"version": 3, "subgraphs": [{"tensors": rows, "name": "a"}], "buffers": [{"data": b""}]}
    assert len(pack(values, share=True)) < len(pack(values)) / 2
    assert pack(values, share=True) == pack(values, share=True)
