"""The loop of the small networks: averaged weights, clipped gradients, and a run in pieces that is the run in one piece."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from blazeface.errors import BlazeFaceError
from blazeface.training import small
from blazeface.training.small import SmallConfig, train_small

CONFIG = SmallConfig("test", "linear", epochs=6, batch=2, warmup=2, ema=0.5)
COUNT = 4
"""Samples of an epoch: two steps."""


def batches(step: int) -> tuple[Tensor, ...]:
    inputs = torch.randn(2, 3, generator=torch.Generator().manual_seed(step))
    return inputs, inputs.sum(dim=1, keepdim=True)


def loss_of(network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    loss: Tensor = 1000 * (network(batch[0]) - batch[1]).square().mean()
    return loss


def run(out: Path, steps: list[dict[str, Tensor]] | None = None) -> tuple[nn.Module | None, nn.Module]:
    """The trained network and the one that was stepped; `steps` gets the weights after each step but the last."""
    made: list[nn.Module] = []

    def fresh() -> nn.Module:
        made.append(nn.Linear(3, 1))
        return made[0]

    def watched(network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        if steps is not None:
            steps.append(copy.deepcopy(network.state_dict()))
        return loss_of(network, batch)

    return train_small(fresh, COUNT, batches, watched, CONFIG, out, lambda text: None), made[0]


def test_the_averaged_network_is_given(tmp_path: Path) -> None:
    steps: list[dict[str, Tensor]] = []
    average, network = run(tmp_path, steps)
    assert average is not None and not average.training
    expected = steps[0]["weight"].double()
    for number, after in enumerate([*steps[1:], network.state_dict()], start=1):
        share = 1 - min(0.5, (1 + number) / (10 + number))
        expected = expected + share * (after["weight"].double() - expected)
    assert torch.allclose(average.state_dict()["weight"].double(), expected, atol=1e-6)
    assert not torch.allclose(average.state_dict()["weight"], network.state_dict()["weight"], atol=1e-6)


def test_the_gradient_is_clipped(tmp_path: Path) -> None:
    network = run(tmp_path)[1]
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert len(gradients) == 2
    assert float(torch.cat([gradient.flatten() for gradient in gradients]).norm()) == pytest.approx(5.0, rel=1e-3)


def test_a_run_in_pieces_is_the_run_in_one_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(tmp_path / "whole")[0]
    monkeypatch.setattr(small, "CHECKPOINT_SECONDS", -1.0)  # a checkpoint at each step
    seen = 0

    def failing(network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        nonlocal seen
        seen += 1
        if seen == 6:
            raise KeyboardInterrupt
        return loss_of(network, batch)

    with pytest.raises(KeyboardInterrupt):
        train_small(
            lambda: nn.Linear(3, 1), COUNT, batches, failing, CONFIG, tmp_path / "broken", lambda text: None
        )
    pieces = run(tmp_path / "broken")[0]
    assert whole is not None and pieces is not None
    for name, value in whole.state_dict().items():
        assert torch.equal(value, pieces.state_dict()[name]), name


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(BlazeFaceError, match="no longer finite at step 1"):
        train_small(
            lambda: nn.Linear(3, 1),
            COUNT,
            batches,
            lambda network, batch: network(batch[0]).mean() * float("nan"),
            CONFIG,
            tmp_path,
            lambda text: None,
        )
    assert not (tmp_path / "checkpoint.pt").exists()
