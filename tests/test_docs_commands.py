"""Every command in the documentation: its flags are what the command takes, its modules, targets and extras are there.

README's commands are run besides (tests/test_readme.py), docs/api.md's examples too (tests/test_api_page.py).
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from blazeface.cli.main import COMMANDS
from blazeface.cli.parser import CommandParser

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (".", "data", "docs", "docs/reliability", "blazeface/weights")
    for path in (ROOT / folder).glob("*.md")
)
ENTRY_POINTS = ("detect", "train", "export")
FIRST_WORDS = ("python", "blazeface", "torchrun", "make", "pip", "docker", "pyinstaller")
OTHERS = ("docker", "pyinstaller")
"""Programs whose flags are not ours to check; tests/test_packaging.py runs what they do."""


def commands(page: str) -> list[str]:
    """Commands of a page: lines of its blocks of shell, fenced or indented, and what stands in backticks with a flag."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    bare = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += [line.strip() for line in bare.splitlines() if line.startswith("    ")]
    lines += [" ".join(found.split()) for found in re.findall(r"(?<!`)`([^`]+)`", bare) if " --" in found]
    cut = [re.split(r"\s+#\s", line)[0].strip() for line in lines]
    return [line for line in cut if line.split(" ")[0] in FIRST_WORDS and not line.endswith("...")]


CASES = [(page, line) for page in PAGES for line in commands(page)]


def test_there_are_commands_to_check() -> None:
    assert len(CASES) > 80
    assert {"README.md", "docs/faq.md", "docs/export.md", "CONTRIBUTING.md"} <= {page for page, _ in CASES}


def test_the_check_finds_a_wrong_flag() -> None:
    with pytest.raises(AssertionError, match="did you mean --output"):
        check("blazeface detect photo.jpg --outptu a.jpg")
    with pytest.raises(AssertionError):
        check("blazeface detekt photo.jpg")
    with pytest.raises(AssertionError):
        check("make no-such-target")


@pytest.mark.parametrize(("page", "line"), CASES)
def test_command(page: str, line: str) -> None:
    for part in line.split(" && "):
        check(part)


def check(line: str) -> None:
    """Raise AssertionError unless the command could be typed as it stands."""
    words = shlex.split(re.sub(r"\[(\w+=|--)[^\]]*\]", "", line))  # what is optional, in a synopsis
    if words[0] == "torchrun":
        words = ["python", words[words.index("train.py")], *words[words.index("train.py") + 1 :]]
    if words[0] == "blazeface":
        words = ["python", "-m", *words]
    if words[0] == "make":
        plan = [word for word in words[1:] if not word.startswith("-")]
        result = subprocess.run(["make", "--dry-run", *plan], cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    elif words[0] == "pip":
        _check_extras(words)
    elif words[0] == "python":
        _check_python(words[1:])
    else:
        assert words[0] in OTHERS


def _check_extras(words: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for word in words:
        if extras := re.fullmatch(r"\.\[([\w,]+)\]", word):
            assert set(extras[1].split(",")) <= set(project["optional-dependencies"]), word


def _check_python(words: list[str]) -> None:
    if words[0] == "-m" and words[1] == "blazeface":
        name, given = words[2], words[3:]
    elif words[0].removesuffix(".py") in ENTRY_POINTS:
        name, given = words[0].removesuffix(".py"), words[1:]
    elif words[0] == "-m":
        assert importlib.util.find_spec(words[1]) is not None, words[1]
        if words[1].startswith(("benchmarks.", "reliability.")):
            _check_flags(["-m", words[1]], words[2:])
        return
    else:
        assert (ROOT / words[0]).is_file(), words[0]
        return
    if name.startswith("--"):
        assert name in ("--help", "--version")
        return
    assert name in COMMANDS, name
    parser = CommandParser(name, f"blazeface {name}", "")
    importlib.import_module(f"blazeface.cli.{name}{'_' * (name == 'import')}").add_arguments(parser)
    filled = ["1" if re.fullmatch(r"N|PX|T|SECONDS|EPOCHS", word) else word for word in given]
    said = _refusal(parser, filled)
    if "arguments are required: --data" in said:  # which a command in the middle of a sentence leaves out
        said = _refusal(parser, [*filled, "--data", "ROOT"])
    assert not said


def _refusal(parser: CommandParser, words: list[str]) -> str:
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            parser.parse_args(words)
    except SystemExit as end:
        return said.getvalue() if end.code else ""
    return ""


def _check_flags(program: list[str], given: list[str]) -> None:
    """Flags of a program that is no command of ours: its help names them."""
    result = subprocess.run(
        [sys.executable, *program, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    assert result.returncode == 0, result.stderr
    for word in given:
        if word.startswith("--"):
            assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", result.stdout), word
