"""What `make release` makes: whole, without a network, and byte for byte the same twice."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from blazeface.detector import WEIGHTS, FaceDetector, shipped_models
from blazeface.files.pictures import read_picture
from blazeface.version import __version__
from tools.release import left_out, repack
from tools.sbom import bill

ROOT = Path(__file__).parents[1]
NAMES = {
    "SHA256SUMS",
    "back-256-int8.tflite",
    "back-256.tflite",
    f"blazeface-{__version__}-py3-none-any.whl",
    f"blazeface-{__version__}.cdx.json",
    f"blazeface-{__version__}.tar.gz",
    "front-128-int8.tflite",
    "front-128.tflite",
    "paper-128-int8.tflite",
    "paper-128.tflite",
    "tiny-96-micro.tflite",
    *([f"blazeface-{__version__}.tgz"] if shutil.which("npm") else []),
}


def refuse_invalid(text: str) -> None:
    """Hold a bill of materials against the schema of CycloneDX, where its library is installed."""
    pytest.importorskip("cyclonedx", reason="cyclonedx-python-lib is not installed (extra release)")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_the_bill_names_packages_and_models(tmp_path: Path) -> None:
    wheel = tmp_path / "a.whl"
    wheel.write_bytes(b"wheel")
    text = bill(ROOT, "1.2.3", wheel, 86_400)
    assert text == bill(ROOT, "1.2.3", wheel, 86_400)
    found = json.loads(text)
    assert found["metadata"]["timestamp"] == "1970-01-02T00:00:00Z"
    main = found["metadata"]["component"]
    assert (main["version"], main["purl"]) == ("1.2.3", "pkg:generic/blazeface@1.2.3")
    assert main["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(b"wheel").hexdigest()}]
    kinds = {one["name"]: one for one in found["components"]}
    assert kinds["numpy"]["scope"] == "required" and kinds["torch"]["scope"] == "optional"
    assert kinds["torch"]["version"] == "2.13.0" and kinds["torch"]["purl"] == "pkg:pypi/torch@2.13.0"
    model = kinds["front-128.onnx"]
    digest = hashlib.sha256((ROOT / "blazeface" / "weights" / "front-128.onnx").read_bytes()).hexdigest()
    assert model["type"] == "machine-learning-model" and model["hashes"][0]["content"] == digest
    assert "research only" in model["licenses"][0]["license"]["name"]
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    direct = [ref for ref in found["dependencies"][0]["dependsOn"] if ref.startswith("pkg:")]
    assert len(direct) == len(needs)
    refuse_invalid(text)


def test_the_package_s_own_runs_are_source_and_those_at_the_top_are_not() -> None:
    assert left_out(str(ROOT), ["runs", "build", "blazeface", ".venv-parity"]) == {"runs", "build", ".venv-parity"}
    assert left_out(str(ROOT / "blazeface" / "training"), ["runs", "__pycache__"]) == {"__pycache__"}


def test_an_archive_is_packed_anew_without_times_owners_and_modes(tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b")):
        with tarfile.open(tmp_path / f"{name}.tar.gz", "w:gz") as archive:
            for member in ("x/2.txt", "x/1.txt")[:: 1 - 2 * number]:
                info = tarfile.TarInfo(member)
                info.size, info.mtime, info.uid, info.uname, info.mode = (
                    2,
                    1000 + number,
                    number,
                    name,
                    0o600 + number,
                )
                archive.addfile(info, io.BytesIO(b"hi"))
        repack(tmp_path / f"{name}.tar.gz", tmp_path / f"{name}.new.tar.gz", 500_000_000)
    assert (tmp_path / "a.new.tar.gz").read_bytes() == (tmp_path / "b.new.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "a.new.tar.gz") as archive:
        members = [(one.name, one.mtime, one.uid, one.uname, one.mode) for one in archive.getmembers()]
    assert members == [(f"x/{n}.txt", 500_000_000, 0, "", 0o644) for n in (1, 2)]


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two of them: as it comes, and with another umask and in a network without anything, where the system can do that."""
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed (extra tflite)")
    folder = tmp_path_factory.mktemp("releases")
    alone = ["unshare", "--net"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        alone = []
    for name, before, umask in (("a", [], 0o022), ("b", alone, 0o077)):
        command = [*before, sys.executable, str(ROOT / "tools" / "release.py"), str(folder / name)]
        result = subprocess.run(command, capture_output=True, text=True, umask=umask, env={**os.environ})
        assert result.returncode == 0, result.stderr
    return [folder / "a", folder / "b"]


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_two_releases_are_the_same_bytes(releases: list[Path]) -> None:
    for folder in releases:
        assert {path.name for path in folder.iterdir()} == NAMES
    assert {name.removesuffix(".tflite").removesuffix("-micro") for name in NAMES} >= set(shipped_models())
    for name in NAMES:
        assert (releases[0] / name).read_bytes() == (releases[1] / name).read_bytes(), name


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_sums_models_and_bill_hold(releases: list[Path]) -> None:
    folder = releases[0]
    rows = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in rows} == NAMES - {"SHA256SUMS"}
    for digest, name in rows:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    refuse_invalid((folder / f"blazeface-{__version__}.cdx.json").read_text())
    picture = read_picture(str(ROOT / "data" / "pictures" / "astronaut.png"))
    for path in folder.glob("*.tflite"):
        if path.stem.endswith("-micro"):  # for microcontrollers: other inputs and outputs, checked by tests/phones
            assert path.read_bytes() == (WEIGHTS / path.name).read_bytes()
        else:
            assert len(FaceDetector(path).detect(picture)) == 1, path.name


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_wheel_holds_what_is_tracked_and_no_more(releases: list[Path]) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "blazeface"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    if not tracked:
        pytest.skip("not a git checkout")
    with zipfile.ZipFile(releases[0] / f"blazeface-{__version__}-py3-none-any.whl") as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == set(tracked)
