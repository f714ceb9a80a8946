"""`blazeface cost`: tables and JSON for names and files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from blazeface.cli.main import main
from blazeface.models.refine import build_refine, save_refine

PAPER = Path(__file__).parents[2] / "blazeface" / "weights" / "paper-128.safetensors"


def test_a_network_by_name_and_by_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "paper-128"]) == 0
    named = capsys.readouterr().out
    assert named.splitlines()[0].split() == ["layer", "kind", "output", "parameters", "MACs", "activations"]
    assert "whole network            " in named and "71,176" in named and "34,140,672" in named
    assert "blocks.0.depthwise" in named and "depthwise 5x5" in named
    assert main(["cost", str(PAPER)]) == 0
    assert capsys.readouterr().out == named


def test_two_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--compare", "unet-0", "unet-5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:2] == ["unet-0", "31,155,586"]
    assert lines[3].split()[:4] == ["first", "/", "second", "5.26x"]


def test_json_of_a_second_stage_s_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    save_refine(build_refine("separable"), tmp_path / "x.safetensors")
    assert main(["cost", "--json", str(tmp_path / "x.safetensors")]) == 0
    (found,) = json.loads(capsys.readouterr().out).values()
    assert (found["parameters"], found["macs"], found["bytes"]) == (26_174, 3_457_536, 104_696)
    assert sum(layer["macs"] for layer in found["layers"]) == found["macs"]


def test_every_name_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["mobilenet-v2"]["parameters"] == 3_504_872 and "layers" not in found["mobilenet-v2"]
    assert all(cost["macs"] > 0 for cost in found.values()) and len(found) >= 26


def test_an_exported_file_is_counted_from_its_own_shapes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", str(PAPER.with_suffix(".onnx"))]) == 0
    last = capsys.readouterr().out.splitlines()
    assert last[-3].split()[2:4] == ["71,488", "35,320,320"]
    assert last[-1] == f"{PAPER.with_suffix('.onnx').stat().st_size / 1e6:,.3f} MB on disk"


def test_one_convolution_in_both_forms(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--in", "64", "--out", "128", "--kernel", "3", "--size", "32x32"]
    assert main(["cost", "separable", *sizes]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].split() == ["parameters", "73,856", "8,960"] and lines[4].split() == [
        "MACs",
        "75,497,472",
        "8,978,432",
    ]
    assert lines[8] == "separable / dense = 1/out + 1/k^2 = 1/128 + 1/9 = 0.1189"
    published = "8,978,432 MACs and 8,960 parameters against 75,497,472 and 73,856 (the same)"
    assert lines[10] == f"published for these sizes: {published}"
    # As the tools themselves printed them.
    assert [line.split()[:3] for line in lines[13:18]] == [
        ["torch.utils.flop_counter", "150,994,944", "17,956,864"],
        ["fvcore", "75,497,472", "8,978,432"],
        ["thop", "75,497,472", "8,978,432"],
        ["torchinfo", "75,628,544", "9,175,040"],
        ["ptflops", "75,628,544", "9,175,040"],
    ]
    assert main(["cost", "separable", "--in", "8", "--out", "4", "--size", "6x5", "--no-bias", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["columns"], found["kernel"]) == (5, 6, 3)
    assert found["separable"] == {"parameters": 104, "macs": 3120, "bias_additions": 0}
    assert found["dense"]["parameters"] == 288 and found["ratio"] == pytest.approx(1 / 4 + 1 / 9)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["separable", "--in", "3"], "needs --in and --out"),
        (["separable", "--in", "3", "--out", "0"], "--out must be from 1 to 65,536, not 0"),
        (["separable", "--in", "3", "--out", "3", "--size", "big"], "--size must be WIDTHxHEIGHT"),
        (["front-128", "--kernel", "3"], "--kernel belongs to `cost separable`"),
        (["nonsense"], "nonsense: neither a named network"),
        (["none.safetensors"], "none.safetensors: no such weights file"),
        ([], "name one model or file"),
        (["front-128", "--list"], "name one model or file"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cost", *arguments]) == 1
    error = capsys.readouterr().err
    assert sentence in error and len(error.splitlines()) == 1
