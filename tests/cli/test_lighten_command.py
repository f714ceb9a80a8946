"""`blazeface lighten`: a light detector is one like any other, and the story is told in figures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from blazeface.cli.lighten.detector import lightened
from blazeface.cli.lighten.record import stage_table
from blazeface.cli.main import main
from blazeface.errors import BlazeFaceError
from blazeface.models.layouts import Layout
from blazeface.models.network import BlazeFace, build
from blazeface.models.weights import load_weights, save_weights
from blazeface.spec import NAMED_SPECS
from blazeface.training.checkpoint import Checkpoint
from blazeface.training.config import TrainConfig
from blazeface.training.faces import rebuild


@pytest.fixture(scope="module")
def squeezed() -> BlazeFace:
    torch.manual_seed(0)
    network = build("squeezenet-128")
    network(torch.randn(2, 3, 128, 128))
    return network.eval()


def test_a_light_detector_is_saved_loaded_and_rebuilt(squeezed: BlazeFace, tmp_path: Path) -> None:
    light, report = lightened(squeezed, "separable")
    assert len(report.changes) == 8 and report.parameters[1] < 0.5 * report.parameters[0]
    assert all(change.error is not None and 0.5 < change.error < 1 for change in report.changes)
    save_weights(light, tmp_path / "light.safetensors")
    loaded = load_weights(tmp_path / "light.safetensors")
    x = torch.randn(1, 3, 128, 128)
    assert torch.equal(loaded(x)[0], light(x)[0])
    assert not torch.allclose(loaded(x)[0], squeezed(x)[0])
    folded = light.folded()
    assert torch.allclose(folded(x)[1], light(x)[1], atol=1e-3)
    save_weights(folded, tmp_path / "folded.safetensors")
    assert torch.equal(load_weights(tmp_path / "folded.safetensors")(x)[0], folded(x)[0])
    state = light.state_dict()
    kept = Checkpoint(TrainConfig(), 0, 1, light.spec.to_json(), light.layout.to_json(), state, state, {}, [])
    rebuild(kept).load_state_dict(state)


@pytest.mark.parametrize(("between", "init"), [("norm", "svd"), ("norm-relu", "random")])
def test_what_stands_between_is_kept_in_the_file_and_folded(
    between: str, init: str, squeezed: BlazeFace, tmp_path: Path
) -> None:
    light, report = lightened(squeezed, "separable", init=init, between=between)
    norms = sum(isinstance(module, torch.nn.BatchNorm2d) for module in light.modules())
    assert norms == sum(isinstance(module, torch.nn.BatchNorm2d) for module in squeezed.modules()) + 8
    assert '"between": "' + between in light.layout.to_json()
    light.train()(torch.randn(2, 3, 128, 128))  # so that the new norms are no identity
    x = torch.randn(1, 3, 128, 128)
    folded = light.eval().folded()
    for network in (light, folded):
        save_weights(network, tmp_path / "x.safetensors")
        assert torch.equal(load_weights(tmp_path / "x.safetensors")(x)[1], network(x)[1])
    assert torch.allclose(folded(x)[1], light(x)[1], atol=1e-3)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    if between == "norm":  # with the identity in between, it begins as near to the old network as without
        plain, plain_report = lightened(squeezed, "separable")
        assert [change.error for change in report.changes] == [change.error for change in plain_report.changes]
        assert "between" not in plain.layout.to_json()


def test_it_runs_in_litert_with_norm_and_relu_between(squeezed: BlazeFace, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
    from blazeface.export.formats.tflite import export_tflite
    from blazeface.export.pictures import synthetic_pictures

    light, _ = lightened(squeezed, "separable", init="random", between="norm-relu")
    assert export_tflite(light, tmp_path / "x.tflite", synthetic_pictures()[:1]).differences is not None


@pytest.mark.parametrize("rule", ["separable", "grouped", "factorized"])
def test_it_runs_in_litert(rule: str, squeezed: BlazeFace, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
    from blazeface.export.formats.tflite import export_tflite
    from blazeface.export.pictures import synthetic_pictures

    light, _ = lightened(squeezed, rule, stem=True)
    assert export_tflite(light, tmp_path / "x.tflite", synthetic_pictures()[:1]).differences is not None


def test_blazefaces_own_blocks_can_be_factorized_and_run(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
    from blazeface.export.formats.tflite import export_tflite
    from blazeface.export.pictures import synthetic_pictures

    torch.manual_seed(0)
    light, report = lightened(build("paper-128"), "factorized", init="svd")
    assert len(report.changes) == 17  # every 5 x 5 behind the stem
    assert export_tflite(light, tmp_path / "x.tflite", synthetic_pictures()[:1]).differences is not None


def test_the_command_writes_weights_and_record(
    squeezed: BlazeFace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_weights(squeezed, tmp_path / "s.safetensors")
    out = tmp_path / "out"
    only = ["--only", r"blocks\.[01]\."]
    assert main(["lighten", str(tmp_path / "s.safetensors"), "--rule", "separable", "--out", str(out), *only]) == 0
    assert "| whole network |  | 1" in capsys.readouterr().out
    record = json.loads((out / "lighten.json").read_text())
    assert [change["layer"] for change in record["changes"]] == ["blocks.0.expand3.0", "blocks.1.expand3.0"]
    (change,) = load_weights(out / "light.safetensors").layout.lightened
    assert change.layers == ("blocks.0.expand3.0", "blocks.1.expand3.0")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--rule", "separable"], "no layer that it would change"),
        (["--rule", "factorized", "--only", "("], "no regular expression"),
        (["--rule", "factorized", "--finetune", "2"], "--finetune needs --data"),
        (["--rule", "factorized", "--train-pictures", "0"], "--train-pictures must be 1 or more"),
        (["--rule", "factorized", "--between", "norm-relu"], "add --init random"),
        (["--rule", "factorized", "--steps", "3"], "--steps is for a network of your own"),
        (["--finetune", "3", "--data", "x"], "name a --rule"),
        (["--rule", "grouped", "--groups", "0"], "--groups must be 1 or more"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lighten", "paper-128", "--out", str(tmp_path / "o"), *arguments]) == 1
    error = capsys.readouterr().err
    assert sentence in error and len(error.splitlines()) == 1


def test_layouts_that_lie_about_light_layers(squeezed: BlazeFace) -> None:
    light, _ = lightened(squeezed, "separable")
    text = light.layout.to_json()
    assert Layout.from_json(text) == light.layout
    with pytest.raises(BlazeFaceError, match="impossible rule"):
        Layout.from_json(text.replace('"separable"', '"thin"'))
    with pytest.raises(BlazeFaceError, match="between two parts stands nothing, norm, norm-relu, not 'gelu'"):
        Layout.from_json(text.replace('"groups": 4, ', '"between": "gelu", "groups": 4, '))
    (change,) = light.layout.lightened
    for wrong in ("blocks.0.nothing", "blocks.0.squeeze.0", "blocks"):
        lying = dataclasses.replace(light.layout, lightened=(dataclasses.replace(change, layers=(wrong,)),))
        with pytest.raises(BlazeFaceError, match="cannot be made separable"):
            BlazeFace(NAMED_SPECS["squeezenet-128"], lying)


def test_the_stages_side_by_side() -> None:
    table = stage_table({"before": {"AP": 0.9}, "after": {"AP": 0.25}})
    assert table.splitlines() == ["| figure | before | after |", "| --- | ---: | ---: |", "| AP | 0.900 | 0.250 |"]
