"""Core ML export: the package's promises read back, its program computed by PyTorch, the same bytes each time."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("coremltools", reason="the coreml extra is not installed")

from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import Options
from blazeface.export.formats import coreml
from blazeface.export.make import export_network
from blazeface.export.pictures import synthetic_pictures
from blazeface.export.verify import inference_copy
from blazeface.models.network import BlazeFace
from blazeface.spec import METADATA_KEY


@pytest.fixture(scope="module", params=["float32", "float16"])
def package(request: pytest.FixtureRequest, network: BlazeFace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(request.param) / "small.mlpackage"
    export_network(network, path, "coreml", Options(request.param), synthetic_pictures(4))
    return path


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_an_app_finds_what_it_needs(package: Path, network: BlazeFace, tmp_path: Path) -> None:
    import coremltools

    copy = shutil.copytree(package, tmp_path / package.name)  # whoever reads one with coremltools writes it, too
    spec = coremltools.models.MLModel(str(copy), skip_model_load=True).get_spec()
    (image,) = spec.description.input
    assert (image.name, image.type.imageType.width, image.type.imageType.height) == ("image", 32, 32)
    assert image.type.imageType.colorSpace == 20  # RGB
    assert [(o.name, list(o.type.multiArrayType.shape)) for o in spec.description.output] == [
        ("logits", [1, 144]),
        ("regressions", [1, 144, 16]),
    ]
    assert spec.specificationVersion == 6  # iOS 15
    assert spec.description.metadata.userDefined[METADATA_KEY] == network.spec.to_json()
    report = json.loads(package.with_name("small.mlpackage.report.json").read_text())
    assert "computed by PyTorch operator by operator" in report["checked"]
    assert sorted(digest(package)) == [
        "Data/com.apple.CoreML/model.mlmodel",
        "Data/com.apple.CoreML/weights/weight.bin",
        "Manifest.json",
    ]


def test_nothing_of_this_machine_is_in_it(package: Path) -> None:
    for path in package.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert str(Path.cwd()).encode() not in data and b"conversion_date" not in data


def test_other_weights_or_another_spec_are_noticed(package: Path, network: BlazeFace, tmp_path: Path) -> None:
    options = Options(json.loads(package.with_name("small.mlpackage.report.json").read_text())["precision"])
    copy = Path(shutil.copytree(package, tmp_path / "x.mlpackage"))
    plain = inference_copy(network)
    coreml.check(plain, copy, options)
    weights = copy / "Data" / "com.apple.CoreML" / "weights" / "weight.bin"
    data = bytearray(weights.read_bytes())
    middle = len(data) // 2
    for place in range(middle, middle + 400, 4):
        data[place + 1], data[place + 3] = 0x3C, 0x3C
    weights.write_bytes(data)
    with pytest.raises(BlazeFaceError, match="its program and PyTorch differ by"):
        coreml.check(plain, copy, options)


@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_the_same_call_gives_the_same_bytes(package: Path, network: BlazeFace, tmp_path: Path) -> None:
    coreml.write(inference_copy(network).folded(), tmp_path / "again.mlpackage", Options())
    assert digest(tmp_path / "again.mlpackage") == digest(package)
