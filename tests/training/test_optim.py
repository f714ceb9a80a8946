"""Schedule, parameter groups, averaged weights."""

from __future__ import annotations

import itertools

import pytest
import torch

from blazeface.models.network import build
from blazeface.training.config import TrainConfig
from blazeface.training.optim import Ema, learning_rate, make_optimizer


def test_learning_rate_literal() -> None:
    config = TrainConfig(learning_rate=1.0, warmup=10, final_rate=0.1)
    rates = [learning_rate(step, 111, config) for step in range(111)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == pytest.approx(1.0)
    assert rates[10] == pytest.approx(1.0)
    assert rates[60] == pytest.approx(0.1 + 0.9 / 2)
    assert rates[110] == pytest.approx(0.1)
    assert all(after <= before for before, after in itertools.pairwise(rates[9:]))


@pytest.mark.parametrize("total", [1, 2, 3, 7])
def test_a_run_shorter_than_its_warm_up_has_positive_rates(total: int) -> None:
    assert all(learning_rate(step, total, TrainConfig()) > 0 for step in range(total))


def test_only_filters_decay() -> None:
    network = build("front-128")
    optimizer = make_optimizer(network, TrainConfig(weight_decay=0.02))
    filters, others = optimizer.param_groups
    assert {p.ndim for p in filters["params"]} == {4}
    assert {p.ndim for p in others["params"]} == {1}
    assert (filters["weight_decay"], others["weight_decay"]) == (0.02, 0.0)
    counted = sum(p.numel() for group in (filters, others) for p in group["params"])
    assert counted == sum(p.numel() for p in network.parameters())


def test_ema_follows_weights_and_running_statistics() -> None:
    network = build("front-128")
    ema = Ema(network, 0.9)
    before = ema.network.state_dict()["stem.0.weight"].clone()
    with torch.no_grad():
        for value in network.state_dict().values():
            value.add_(1)
    ema.update(network, 10_000)
    after = ema.network.state_dict()
    assert torch.allclose(after["stem.0.weight"], before + 0.1, atol=1e-6)
    assert torch.allclose(after["stem.1.running_mean"], torch.full((16,), 0.1), atol=1e-6)
    assert after["stem.1.num_batches_tracked"].item() == 1


def test_ema_forgets_the_random_start_quickly() -> None:
    network = build("front-128")
    ema = Ema(network, 0.999)
    with torch.no_grad():
        network.stem[0].weight.add_(1)  # type: ignore[operator]
    for step in range(50):
        ema.update(network, step)
    gap = (ema.network.state_dict()["stem.0.weight"] - network.state_dict()["stem.0.weight"]).abs().max()
    assert gap < 0.01
