"""Every command of the README runs, on small stand-ins for what the user has."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from wider_material import write_data

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

ELSEWHERE = ("make demo", "make test", "pip install")
"""Covered by tests/test_packaging.py, which starts from an environment with nothing installed."""

CAMERA = "--video cam0"


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith(ELSEWHERE)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: photo.jpg, holiday/, clip.mp4, faces/ in WIDER's layout, and the repository's files."""
    folder = tmp_path_factory.mktemp("home")
    for name in ("detect.py", "train.py", "export.py", "blazeface"):
        (folder / name).symlink_to(ROOT / name)
    made = folder / "made"
    subprocess.run([sys.executable, ROOT / "data" / "make_pictures.py", made], check=True)
    shutil.copy(made / "size-40.jpg", folder / "photo.jpg")
    (folder / "holiday").mkdir()
    for name in ("size-20.jpg", "size-60.jpg"):
        shutil.copy(made / name, folder / "holiday" / name)
    shutil.copy(made / "pan.avi", folder / "clip.mp4")  # the content tells what a file is, not its name
    write_data(folder / "faces", train=16, val=4)
    return folder


def command_line(text: str) -> list[str]:
    """The command as this interpreter's; a training run is cut to one epoch of its tiny data."""
    words = shlex.split(text)
    if words[0] == "torchrun":
        words = [sys.executable, "-m", "torch.distributed.run", "--standalone", *words[1:]]
    elif words[0] == "python":
        words[0] = sys.executable
    if "train.py" in words:
        words += ["--epochs", "1", "--batch", "8", "--workers", "0", "--threads", "1"]
    return words


@pytest.mark.parametrize("text", commands())
def test_command(text: str, home: Path) -> None:
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    env.pop("DISPLAY", None)
    result = subprocess.run(command_line(text), cwd=home, env=env, capture_output=True, text=True, timeout=280)
    assert "Traceback" not in result.stderr
    if CAMERA in text and result.returncode:
        assert result.returncode == 1  # no camera on this machine: one sentence
        assert len([line for line in result.stderr.splitlines() if "cam0" in line]) == 1
        return
    assert result.returncode == 0, result.stderr
    words = text.split()
    for flag in ("--output", "--json", "--out"):
        if flag in words:
            assert (home / words[words.index(flag) + 1]).exists()


def test_the_python_example(home: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    result = subprocess.run([sys.executable, "-c", code], cwd=home, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1  # one face, one line


def test_the_results_are_those_of_the_shipped_reports() -> None:
    result = subprocess.run(
        [sys.executable, ROOT / "docs" / "results_table.py", "--check"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "data" / "README.md"):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
