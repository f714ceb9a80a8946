"""`blazeface lighten FILE.py:FUNCTION`: a network of the user's own, from plan to exported files, and every mistake in one sentence."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from blazeface.cli.main import main
from blazeface.errors import BlazeFaceError
from blazeface.models.light.saved import load_light
from blazeface.models.tensor_file import write_tensors

SQUARES = '''
import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(x + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


def squares():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), Block(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))


def batches(step):
    """Bright or dark pictures."""
    made = torch.Generator().manual_seed(step)
    kind = torch.arange(8) % 2
    return torch.randn(8, 3, 16, 16, generator=made) * 0.1 + kind.view(-1, 1, 1, 1), kind


def loss(network, batch):
    return F.cross_entropy(network(batch[0]), batch[1])


def score(network):
    images, kind = batches(10**6)
    return {"accuracy": (network(images).argmax(1) == kind).float().mean()}


def broken():
    raise RuntimeError("no weights here\\nsecond line")


def number():
    return 3


def single():
    return nn.Conv2d(3, 3, 3)


def unknown():
    class Erf(nn.Module):
        def forward(self, x):
            return torch.erf(x)

    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), Erf(), nn.Flatten(), nn.Linear(8 * 144, 2))
'''

PLAN = """\
| layer | convolution | parameters | MACs | separable | grouped | factorized | depthwise |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
| 0 | 3 -> 8, 3x3 /2 | 224 | 13,824 |"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(SQUARES)
    return path


def test_the_plan(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lighten", f"{own}:squares"]) == 0
    found = capsys.readouterr()
    lines = found.out.splitlines()
    assert found.err == f"blazeface lighten: running {own}:squares, as Python runs it\n"
    assert lines[:2] == PLAN.splitlines()[:2] and lines[2].startswith(PLAN.splitlines()[2])
    # 8 x 8 kernels of 9: separable 72 + 64, grouped by 4 576 / 4, factorized 2 x 192, depthwise 72; 64 cells each.
    assert lines[3].startswith("| 2.conv1 | 8 -> 8, 3x3 | 576 | 36,864 | 136 / 8,704 (0.")
    for cell in ("| 144 / 9,216 (0.", "| 384 / 24,576 (0.", "| 72 / 4,608 (0."):
        assert cell in lines[3]
    assert lines[0].count("|") == lines[3].count("|") == lines[-1].count("|")
    assert lines[-1].startswith("| all of these |  | 1,376 | 87,552 | ")
    assert not list(own.parent.glob("*.safetensors"))


def test_from_dense_to_files_that_run(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
    out = tmp_path / "out"
    files = ["--format", "onnx", "tflite"]
    assert (
        main(["lighten", f"{own}:squares", "--rule", "separable", "--out", str(out), "--steps", "100", *files])
        == 0
    )
    printed = capsys.readouterr().out
    assert "| figure | before | after | fine-tuned |" in printed and "| PyTorch | " in printed
    record = json.loads((out / "lighten.json").read_text())
    assert [change["layer"] for change in record["changes"]] == ["2.conv1", "2.conv2"]
    assert [change["parameters"] for change in record["changes"]] == [[576, 136], [576, 136]]
    assert record["network"] == "mine.py:squares" and record["input"] == [3, 16, 16]
    assert record["macs"] == [13_824 + 2 * 36_864 + 16, 13_824 + 2 * 8_704 + 16]
    assert record["figures"]["before"]["accuracy"] == 0.5 and record["figures"]["fine-tuned"]["accuracy"] == 1.0
    assert sorted(record["milliseconds"]) == ["PyTorch", "onnx", "tflite"]
    assert set(record["differences"]) == {"dense.onnx", "light.onnx", "dense.tflite", "light.tflite"}
    network = load_light(squares(own), out / "light.safetensors")
    assert sum(p.numel() for p in network.parameters()) == record["parameters"][1]
    x = torch.randn(3, 3, 16, 16)
    session = onnxruntime.InferenceSession(str(out / "light.onnx"))
    (found,) = session.run(None, {"inputs": x.numpy()})
    np.testing.assert_allclose(found, network(x).detach().numpy(), atol=1e-4)


def squares(own: Path) -> nn.Module:
    spec = importlib.util.spec_from_file_location("mine", own)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network: nn.Module = module.squares()
    return network


def test_what_cannot_be_exported_is_said_and_the_rest_is_done(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
    own.write_text(SQUARES.replace("def score", "def unscored"))
    fixed = ["--rule", "grouped", "--out", str(tmp_path / "out"), "--input", "3x16x16", "--format", "tflite"]
    assert main(["lighten", f"{own}:unknown", *fixed]) == 1
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 2
    assert error[1].endswith(
        "dense.tflite: not written: there is no TensorFlow Lite operation here for ONNX's Erf"
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["light.safetensors", "lighten.json"]


@pytest.mark.parametrize(
    ("function", "arguments", "sentence"),
    [
        ("", [], "name the function that makes the network"),
        (
            ":nothing",
            [],
            "it has no function 'nothing' (it has Block, batches, broken, loss, number, score, single,",
        ),
        (":broken", [], "broken() failed in line 39: RuntimeError: no weights here"),
        (":number", [], "number() must return a torch.nn.Module, not int"),
        (":single", [], "single() returns a single convolution"),
        (":squares", ["--input", "3x16"], "calling the network on an input of shape (1, 3, 16) failed"),
        (":squares", ["--input", "wide"], "--input must be a shape such as 3x128x128"),
        (":squares", ["--rule", "separable"], "name a folder with --out"),
        (":squares", ["--rule", "depthwise", "--only", "0$", "--out", "OUT"], "has no layer that it would change"),
        (":squares", ["--rule", "separable", "--out", "OUT", "--data", "x"], "the file's own score()"),
        (":squares", ["--rule", "separable", "--out", "OUT", "--between", "norm-relu"], "no ReLU may interrupt"),
    ],
)
def test_mistakes_are_one_sentence(
    function: str,
    arguments: list[str],
    sentence: str,
    own: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [str(tmp_path / "out") if argument == "OUT" else argument for argument in arguments]
    assert main(["lighten", f"{own}{function}", *given]) == 1
    error = capsys.readouterr().err.splitlines()
    assert sentence in error[-1] and len(error) <= 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "mine.py: no such file or folder"),
        ("def f(:\n", "running it failed in line 1: SyntaxError"),
        ("import nowhere_to_be_found\n", "running it failed in line 1: ModuleNotFoundError"),
        ("raise SystemExit(3)\n", "running it failed in line 1: SystemExit: 3"),
        ("x = 1\n", "it has no function 'f' (it has no functions)"),
        (
            "from torch import nn\ndef f():\n    return nn.Conv1d(1, 1, 1)\n",
            "name the shape of one input with --input",
        ),
    ],
)
def test_files_that_are_no_use(
    text: str | None, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    assert main(["lighten", f"{path}:f"]) == 1
    error = capsys.readouterr().err.splitlines()
    assert sentence in error[-1] and len(error) == 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("F.cross_entropy(network(batch[0]), batch[1])", "3.0"), "loss() must return a tensor of one number"),
        (("F.cross_entropy(network(batch[0]), batch[1])", "1 / 0"), "loss() failed in line 30: ZeroDivisionError"),
        (("def loss", "def lost"), "--steps needs its functions batches(step) and loss(network, batch)"),
    ],
)
def test_fine_tuning_that_cannot_be(
    change: tuple[str, str], sentence: str, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own.write_text(SQUARES.replace(*change))
    out = ["--out", str(tmp_path / "out"), "--rule", "separable", "--steps", "2"]
    assert main(["lighten", f"{own}:squares", *out]) == 1
    assert sentence in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out" / "light.safetensors").exists()


def test_light_files_that_do_not_fit(own: Path, tmp_path: Path) -> None:
    write_tensors(nn.Linear(2, 2), tmp_path / "x.safetensors", {})
    with pytest.raises(BlazeFaceError, match="it holds no network that `blazeface lighten"):
        load_light(nn.Linear(2, 2), tmp_path / "x.safetensors")
    for text, reason in (
        ("[1]", "what was made light in it cannot be read"),
        ('[{"rule": "thin", "layers": []}]', "impossible rule 'thin'"),
        ('[{"rule": "separable", "layers": ["conv"]}]', "layer 'conv' of this network cannot be made separable"),
    ):
        write_tensors(nn.Linear(2, 2), tmp_path / "x.safetensors", {"blazeface.lightened": text})
        with pytest.raises(BlazeFaceError, match=reason):
            load_light(nn.Linear(2, 2), tmp_path / "x.safetensors")


def test_a_detector_has_a_plan_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lighten", "paper-128"]) == 0
    rows = capsys.readouterr().out.splitlines()
    # The stem, and the head's pointwise convolutions that two groups of 4 divide.
    assert rows[2].startswith("| stem.0 | 3 -> 24, 5x5 /2 | ")
    assert rows[-1].startswith("| all of these |")
