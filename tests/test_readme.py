"""Every command of the README runs, on small stand-ins for what the user has."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from wider_material import write_data

from blazeface.cli import web
from blazeface.models.weights import load_weights

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

SETTING_UP = ("make ", "pip install")
"""Not run here: tests/test_packaging.py sets up from nothing, and `make test` is what runs this."""

SERVING = ("blazeface web",)
"""Its flags alone are read here: it brings files from the network and serves until it is stopped. tests/web and
tests/cli/test_web_command.py run it."""


LONG = re.compile(r"train\.py .*--(resume|init)\b")
"""A training each, whose flags tests/cli/test_train.py tries in the fast suite."""


def commands() -> list[str]:
    """Every line of the README's shell blocks, comments taken off, in order: some use what others made."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder, with what the commands name: photo.jpg, holiday/, clip.mp4, the repository's files.

    faces/ is a data folder of 20 drawn faces. cam0 is a video file of that name, which goes before the camera,
    so that the command ends, on a machine with a camera too.
    """
    folder = tmp_path_factory.mktemp("home")
    for name in ("detect.py", "train.py", "export.py", "blazeface"):
        (folder / name).symlink_to(ROOT / name)
    made = folder / "made"
    subprocess.run([sys.executable, ROOT / "tools" / "make_pictures.py", made], check=True)
    shutil.copy(made / "size-40.jpg", folder / "photo.jpg")
    (folder / "holiday").mkdir()
    for name in ("size-20.jpg", "size-60.jpg"):
        shutil.copy(made / name, folder / "holiday" / name)
    for name in ("clip.mp4", "cam0"):
        shutil.copy(made / "pan.avi", folder / name)  # the content tells what a file is, not its name
    write_data(folder / "faces", train=16, val=4)
    return folder


def command_line(text: str) -> list[str]:
    """The command as this interpreter's; a training run is cut to one epoch of its tiny data."""
    words = shlex.split(text)
    if words[0] == "torchrun":
        words = [sys.executable, "-m", "torch.distributed.run", "--standalone", *words[1:]]
    elif words[0] == "blazeface":
        words = [sys.executable, "-m", *words]
    elif words[0] == "python":
        words[0] = sys.executable
    if "train.py" in words:
        words += ["--epochs", "1", "--batch", "8", "--workers", "0", "--threads", "1"]
    return words


@pytest.mark.parametrize("text", [text for text in commands() if text.startswith(SERVING)])
def test_command_that_serves(text: str) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    web.add_arguments(parser)
    assert vars(parser.parse_args(shlex.split(text)[2:])) != vars(parser.parse_args([]))


def run_here() -> list[Any]:
    found = [text for text in commands() if not text.startswith(SETTING_UP + SERVING)]
    return [pytest.param(text, marks=pytest.mark.slow) if LONG.search(text) else text for text in found]


@pytest.mark.parametrize("text", run_here())
def test_command(text: str, home: Path) -> None:
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    env.pop("DISPLAY", None)
    result = subprocess.run(command_line(text), cwd=home, env=env, capture_output=True, text=True, timeout=280)
    assert "Traceback" not in result.stderr
    assert result.returncode == 0, result.stderr
    words = text.split()
    for flag in ("--output", "--json", "--out"):
        if flag in words:
            assert (home / words[words.index(flag) + 1]).exists()
    if "cam0" in words:
        assert len(result.stdout.splitlines()) == 60  # neither window nor file: the faces are printed


def test_every_target_and_extra_named_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    setting_up = [text for text in commands() if text.startswith(SETTING_UP)]
    assert len(setting_up) == 6
    for text in setting_up:
        if text.startswith("make "):
            planned = subprocess.run(
                ["make", "--dry-run", *text.split()[1:]], cwd=ROOT, capture_output=True, text=True
            )
            assert planned.returncode == 0, planned.stderr
        else:
            (what,) = shlex.split(text)[2:]
            extra = re.fullmatch(r"\.(?:\[(\w+)\])?", what)
            assert extra is not None, text
            assert extra[1] is None or extra[1] in project["optional-dependencies"]


def test_the_size_of_the_network_is_as_said() -> None:
    network = load_weights(ROOT / "blazeface" / "weights" / "front-128.safetensors").folded()
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 128, 128))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    said = re.search(r"([\d,]+) parameters, (\d+) million\s+multiply-accumulates, (\d+) anchors", README)
    assert said is not None
    assert said.groups() == (
        f"{parameters:,}",
        f"{counter.get_total_flops() / 2e6:.0f}",
        str(network.spec.num_anchors),
    )


def test_the_python_example(home: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    result = subprocess.run([sys.executable, "-c", code], cwd=home, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1  # one face, one line


def test_the_results_are_those_of_the_shipped_reports() -> None:
    result = subprocess.run(
        [sys.executable, ROOT / "tools" / "results_table.py", "--check"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "data" / "README.md"):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
