"""Built without git, installed into an empty environment, run on a read-only system, and packed by PyInstaller."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tools.release import left_out

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "data" / "pictures" / "astronaut.png"


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, built from a copy that is no git checkout."""
    folder = tmp_path_factory.mktemp("sdist")
    shutil.copytree(ROOT, folder / "source", ignore=left_out)
    build = "import sys; from setuptools.build_meta import build_sdist; print(build_sdist(sys.argv[1]))"
    command = [sys.executable, "-c", build, str(folder)]
    subprocess.run(command, cwd=folder / "source", check=True, capture_output=True, timeout=200)
    (archive,) = folder.glob("*.tar.gz")
    return archive


@pytest.mark.slow
def test_a_wheel_of_the_source_archive_says_what_it_is(sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.is_dir())
    build = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        (metadata,) = (packed.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
        (entries,) = (packed.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    assert any(name.endswith("LICENSE") for name in names)
    assert {
        f"blazeface/{path.relative_to(ROOT / 'blazeface')}" for path in (ROOT / "blazeface").rglob("*.py")
    } <= set(names)
    assert "blazeface/weights/front-128.onnx" in names and "blazeface/pyinstaller/hook-blazeface.py" in names
    for line in (
        "License-Expression: Apache-2.0",
        "Project-URL: Paper, https://arxiv.org/abs/1907.05047",
        "Typing :: Typed",
    ):
        assert line in metadata
    assert "research" in metadata  # the weights: said in the long description, which is the README
    assert "[pyinstaller40]" in entries


def test_a_read_only_system_without_a_temporary_folder(tmp_path: Path) -> None:
    """What `docker run --read-only` gives: nothing can be written anywhere, standard output apart."""
    shut = "mount -t tmpfs -o ro,size=4k none /tmp && mount -t tmpfs -o ro,size=4k none /var/tmp"
    if subprocess.run(["unshare", "-m", "sh", "-c", shut], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount")
    if str(ROOT).startswith("/tmp"):
        pytest.skip("the checkout lies in the folder that is taken away")
    command = f"{shut} && cd / && exec {sys.executable} -m blazeface detect {PICTURE} --json - --no-window --quiet"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(["unshare", "-m", "sh", "-c", command], capture_output=True, text=True, env=env)
    assert result.returncode == 0, result.stderr
    assert len(json.loads(result.stdout)["faces"]) == 1


APP = """
import sys, cv2
from blazeface import FaceDetector
print(len(FaceDetector().detect(cv2.imread(sys.argv[1]))))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_pyinstaller_finds_weights_and_modules_by_the_hook(sdist: Path, tmp_path: Path) -> None:
    """As a user has it: the source archive and PyInstaller in an empty environment, which finds the hook by itself."""
    venv.create(tmp_path / "env", with_pip=True)
    scripts = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    install: list[str | Path] = [
        scripts / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        sdist,
        "pyinstaller==6.22.3",
    ]
    subprocess.run(install, cwd=tmp_path, env=env, check=True, capture_output=True, timeout=400)
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    command: list[str | Path] = [scripts / "pyinstaller", "--onedir", "-y", "--log-level", "ERROR", "app.py"]
    subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, timeout=400)
    packed = subprocess.run([tmp_path / "dist/app/app", PICTURE], env=env, capture_output=True, text=True)
    assert (packed.stdout, packed.returncode) == ("1\n", 0), packed.stderr
