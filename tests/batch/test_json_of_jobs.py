"""`detect --jobs` with --json: a list, lines, or standard output, each as without --jobs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from blazeface.cli.main import run_command

SHIPPED_PICTURES = Path(__file__).parents[2] / "data" / "pictures"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three readable pictures, and one that is none."""
    pictures = tmp_path / "in"
    pictures.mkdir()
    for name in ("a", "b", "d"):
        shutil.copy(SHIPPED_PICTURES / "astronaut.png", pictures / f"{name}.png")
    (pictures / "c.png").write_text("no picture")
    return pictures


def run(*arguments: object) -> int:
    return run_command("detect", [str(argument) for argument in arguments], prog="detect.py")


@pytest.mark.parametrize("name", ["f.json", "f.jsonl"])
def test_files_are_those_of_a_run_without_jobs(folder: Path, tmp_path: Path, name: str) -> None:
    assert run(folder, "--json", tmp_path / f"one-{name}", "--quiet") == 1
    assert run(folder, "--json", tmp_path / name, "--jobs", 2, "--quiet") == 1
    assert (tmp_path / name).read_bytes() == (tmp_path / f"one-{name}").read_bytes()
    assert len((tmp_path / name).read_text().split('"source"')) == 1 + 3
    assert run(folder, "--json", tmp_path / name, "--jobs", 2) == 2  # it is there


def test_standard_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--json", "-", "--jobs", 2) == 1
    said = capsys.readouterr()
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [Path(line["source"]).name for line in lines] == ["a.png", "b.png", "d.png"]
    assert {len(line["faces"]) for line in lines} == {1}
    assert "c.png" in said.err


def test_a_folder_without_pictures_gives_an_empty_list(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    run(tmp_path / "in", "--json", tmp_path / "f.json", "--jobs", 1, "--quiet")
    assert json.loads((tmp_path / "f.json").read_text()) == []


@pytest.mark.parametrize("name", ["f.json", "-"])
def test_only_lines_are_gone_on_with(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run(folder, "--json", name, "--jobs", 2, "--resume") == 2
    assert "--resume: goes on with a file of lines alone" in capsys.readouterr().err


def test_lines_by_the_other_flag_are_gone_on_with(folder: Path, tmp_path: Path) -> None:
    assert run(folder, "--json", tmp_path / "f.jsonl", "--jobs", 2, "--quiet") == 1
    (folder / "c.png").unlink()
    shutil.copy(folder / "a.png", folder / "e.png")
    assert run(folder, "--json", tmp_path / "f.jsonl", "--jobs", 2, "--resume", "--quiet") == 0
    lines = (tmp_path / "f.jsonl").read_text().splitlines()
    assert [Path(json.loads(line)["source"]).name for line in lines] == ["a.png", "b.png", "d.png", "e.png"]


def test_one_of_the_two_flags(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ("--json", tmp_path / "a.jsonl", "--jsonl", tmp_path / "b.jsonl")
    assert run(folder, *both, "--jobs", 2) == 2
    assert "name one of them" in capsys.readouterr().err
