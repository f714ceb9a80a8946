"""OpenVINO export: PyTorch's answers in every precision, float32 arithmetic, any batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openvino", reason="the openvino extra is not installed")
pytest.importorskip("onnxslim", reason="the export extra is not installed")

from blazeface.backends.openvino_backend import OpenvinoBackend
from blazeface.export.format_table import Options
from blazeface.export.formats import onnx
from blazeface.export.formats.openvino import from_onnx
from blazeface.export.parity import LIMITS
from blazeface.export.verify import compare, torch_run
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace
from blazeface.models.origin import ORIGIN_KEY, Origin


@pytest.fixture(scope="module")
def source(network: BlazeFace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our ONNX file: the slow part, made once."""
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    onnx.write(network.folded(), path, Options(batch=None))
    return path


@pytest.mark.parametrize("half", [False, True])
def test_answers_are_pytorchs(
    half: bool, source: Path, network: BlazeFace, photographs: list[Image], tmp_path: Path
) -> None:
    path = tmp_path / "small.xml"
    from_onnx(source, path, network.spec, half)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["small.bin", "small.xml"]
    backend = OpenvinoBackend(path, 1)
    assert backend.spec == network.spec
    gap = compare(network, backend.run, photographs)
    limit = LIMITS["float16" if half else "float32"].largest
    assert limit and 0 < gap.largest < limit
    assert not half or gap.largest > 1e-5
    weights = sum(parameter.numel() for parameter in network.folded().parameters())
    assert path.with_suffix(".bin").stat().st_size < (3 if half else 5) * weights


def test_the_licence_of_the_weights_goes_along(source: Path, network: BlazeFace, tmp_path: Path) -> None:
    from blazeface.backends.openvino_backend import openvino

    origin = Origin("here", "CC0", "drawings")
    from_onnx(source, tmp_path / "small.xml", network.spec, origin=origin)
    model = openvino.Core().read_model(str(tmp_path / "small.xml"))
    assert Origin.from_json(model.get_rt_info(ORIGIN_KEY.split(".")).astype(str)) == origin


def test_batches_of_any_size_and_a_fixed_one(source: Path, network: BlazeFace, tmp_path: Path) -> None:
    from_onnx(source, tmp_path / "any.xml", network.spec)
    backend = OpenvinoBackend(tmp_path / "any.xml", 0)
    batch = np.random.default_rng(0).uniform(-1, 1, (5, 3, 32, 32)).astype(np.float32)
    expected = torch_run(network.eval())(batch)
    for size in (5, 1, 2):
        for found, right in zip(backend.run(batch[:size]), expected, strict=True):
            np.testing.assert_allclose(found, right[:size], atol=1e-4)
    model = backend._model.clone()
    model.reshape([2, 3, 32, 32])
    from blazeface.backends.openvino_backend import openvino

    openvino.save_model(model, str(tmp_path / "two.xml"), compress_to_fp16=False)
    fixed = OpenvinoBackend(tmp_path / "two.xml", 1)
    for found, right in zip(fixed.run(batch), expected, strict=True):
        np.testing.assert_allclose(found, right, atol=1e-4)


def test_arithmetic_is_float32_whatever_the_processor_has(
    source: Path, network: BlazeFace, tmp_path: Path
) -> None:
    from_onnx(source, tmp_path / "x.xml", network.spec)
    backend = OpenvinoBackend(tmp_path / "x.xml", 2)
    compiled = backend._request(1).get_compiled_model()
    assert str(compiled.get_property("INFERENCE_PRECISION_HINT")) in ("<Type: 'float32'>", "f32")
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 2


def test_the_same_call_gives_the_same_bytes_and_no_path(source: Path, network: BlazeFace, tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        from_onnx(source, tmp_path / f"{name}.xml", network.spec)
        found.append((tmp_path / f"{name}.xml").read_bytes() + (tmp_path / f"{name}.bin").read_bytes())
    assert found[0] == found[1]
    assert str(source.parent).encode() not in found[0] and str(Path.cwd()).encode() not in found[0]
