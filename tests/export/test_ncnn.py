"""ncnn export: two files, whole or not at all, that say what they are and give PyTorch's answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ncnn", reason="the ncnn extra is not installed")
pytest.importorskip("pnnx", reason="the ncnn extra is not installed")

from benchmarks.phones.vulkan import compare
from blazeface.backends.ncnn_backend import SPEC_MARK, NcnnBackend
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import Options
from blazeface.export.formats import ncnn as export
from blazeface.export.make import export_network
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace


@pytest.mark.parametrize(("precision", "limit"), [("float32", 1e-5), ("float16", 5e-3)])
def test_two_files_and_a_report_with_pytorchs_answers(
    precision: str, limit: float, network: BlazeFace, photographs: list[Image], tmp_path: Path
) -> None:
    path = tmp_path / "small.param"
    proof = export_network(network, path, "ncnn", Options(precision), photographs)
    assert proof.differences and 0 < proof.differences.largest < limit
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "small.bin",
        "small.param",
        "small.param.report.json",
    ]
    weights = sum(parameter.numel() for parameter in network.folded().parameters())
    size = (tmp_path / "small.bin").stat().st_size
    assert 4 * weights <= size < 4.2 * weights if precision == "float32" else 2 * weights < size < 3 * weights
    assert NcnnBackend(path, 1).spec == network.spec
    text = path.read_text("utf-8")
    assert text.splitlines()[-1].startswith(SPEC_MARK) and text.count("/") == 0  # and no path of this machine


@pytest.fixture(scope="module")
def written(network: BlazeFace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ncnn") / "small.param"
    export.write(network.folded(), path, Options())
    return path


def test_the_same_call_gives_the_same_bytes(written: Path, network: BlazeFace, tmp_path: Path) -> None:
    path = tmp_path / "again.param"
    export.write(network.folded(), path, Options())
    for suffix in (".param", ".bin"):
        assert path.with_suffix(suffix).read_bytes() == written.with_suffix(suffix).read_bytes()


def test_a_converter_that_fails_leaves_nothing(
    network: BlazeFace, photographs: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program, reason in (
        ("/bin/false", "pnnx failed with status 1"),
        ("/no/such/program", "pnnx cannot be run"),
    ):
        monkeypatch.setattr("pnnx.EXEC_PATH", program)
        with pytest.raises(BlazeFaceError, match=rf"x\.param: not written: {reason}"):
            export_network(network, tmp_path / "x.param", "ncnn", Options(), photographs)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda lines: ["1234", *lines[1:]], "first line is 7767517"),
        (lambda lines: lines[:-1], "no blazeface.spec line"),
        (lambda lines: [lines[0], "9 9", *lines[2:]], "not as announced"),
        (lambda lines: [*lines[:4], "Convolution x 5 1 a", *lines[5:]], "not as announced"),
        (lambda lines: [*lines[:-1], SPEC_MARK + "{}"], "ModelSpec"),
        (lambda lines: [*lines[:3], f"{lines[3]} 77=999999999", *lines[4:]], "an impossible number"),
        (
            lambda lines: [*lines[:2], lines[2].replace("Input", "Nothing"), *lines[3:]],
            "not of the kind that blazeface writes",
        ),
    ],
)
def test_a_damaged_param_file_is_refused_before_ncnn_trips_over_it(
    change: Any, reason: str, written: Path, tmp_path: Path
) -> None:
    path = tmp_path / "x.param"
    path.with_suffix(".bin").write_bytes(written.with_suffix(".bin").read_bytes())
    path.write_text("\n".join(change(written.read_text("utf-8").splitlines())) + "\n", "utf-8")
    with pytest.raises(BlazeFaceError, match=rf"x\.param.*{reason}"):
        NcnnBackend(path, 1)


def test_by_vulkan_the_same_faces(tmp_path: Path) -> None:
    import ncnn

    if not ncnn.get_gpu_count():
        pytest.skip("no Vulkan driver: on Debian, mesa-vulkan-drivers has one in software")
    found = compare("front-128", [Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"], tmp_path)
    assert (found.pictures, found.faces, found.beyond) == (1, 1, 0)
    assert 0 <= found.furthest < 0.01 and found.device


def test_without_a_driver_vulkan_is_an_error(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ncnn.get_gpu_count", lambda: 0)
    with pytest.raises(BlazeFaceError, match=r"small\.param: no Vulkan driver is installed"):
        NcnnBackend(written, 1, vulkan=True)
