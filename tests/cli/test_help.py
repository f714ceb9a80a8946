"""Help that begins with examples which work, and errors that name what was meant."""

from __future__ import annotations

import argparse
import importlib
import keyword
import shlex

import pytest

from blazeface.cli.main import COMMANDS, main
from blazeface.cli.parser import EXAMPLES


def test_every_command_has_two_or_three() -> None:
    assert set(EXAMPLES) == set(COMMANDS)
    assert {2, 3} >= {len(examples) for examples in EXAMPLES.values()}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_begins_with_examples_that_are_good_usage(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"examples:\n  blazeface {name}")
    assert shown.index("examples:") < shown.index("usage:")
    module = importlib.import_module(f"blazeface.cli.{name}{'_' * keyword.iskeyword(name)}")
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.add_arguments(parser)
    for arguments, what in EXAMPLES[name]:
        parser.parse_args(shlex.split(arguments))
        assert f"# {what}" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["detect", "a.jpg", "--ouput", "b.jpg"], "--ouput: did you mean --output?"),
        (["detect", "a.jpg", "--scor-threshold", "1"], "did you mean --score-threshold?"),
        (["cost", "--lst"], "--lst: did you mean --list?"),
        (
            ["cost", "--xyz"],
            "blazeface cost: unrecognized arguments: --xyz (blazeface cost --help shows all flags)\n",
        ),
    ],
)
def test_the_near_flag_is_named(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["detect", "a.jpg", "--score-threshold", "90"],
        ["detect", "--json"],
        ["data", "chek", "faces"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_without_a_command_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    shown = capsys.readouterr().err
    assert all(f"  {name:10s}{what}" in shown for name, what in COMMANDS.items())


def test_the_near_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detekt", "a.jpg"]) == 2
    assert capsys.readouterr().err == "blazeface: no command 'detekt': did you mean detect?\n"


def test_listing_costs_without_torch_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("torch", "blazeface.models.light.classifiers"):
        monkeypatch.setitem(importlib.import_module("sys").modules, name, None)
    assert main(["cost", "--list"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("blazeface cost: counting needs PyTorch: run pip install -e '.[export]'")
    assert said.count("\n") == 1
