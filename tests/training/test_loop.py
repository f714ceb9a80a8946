"""The loop: it learns, it stops when asked, and a resumed run is the unbroken one."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch

from blazeface.data.samples import load_split
from blazeface.errors import BlazeFaceError
from blazeface.models.network import BlazeFace, build
from blazeface.training.checkpoint import load_checkpoint
from blazeface.training.config import TrainConfig
from blazeface.training.distributed import Processes
from blazeface.training.faces import FaceTrainer, rebuild
from blazeface.training.log import read_rows
from blazeface.training.loop import Machine, Task

MACHINE = Machine(workers=0, quiet=True, evaluate_every=100)  # curves are drawn at the end alone
CONFIG = TrainConfig(epochs=4, batch=8, warmup=2, seed=3)  # 24 pictures: 3 steps an epoch, 12 in all


def no_score(network: BlazeFace) -> dict[str, float]:
    return {"AP": 0.5}


def start(config: TrainConfig = CONFIG) -> FaceTrainer:
    torch.manual_seed(config.seed)
    return FaceTrainer(build(config.model), config, MACHINE, Processes())


@pytest.fixture(autouse=True)
def every_step_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blazeface.training.loop.LOG_EVERY", 1)


def test_the_loss_falls(tiny_data: Path, tmp_path: Path) -> None:
    config = TrainConfig(epochs=20, batch=8, warmup=4)
    assert start(config).train(load_split(tiny_data, "train"), tmp_path, no_score)
    losses = [row["loss"] for row in read_rows(tmp_path / "log.csv")]
    assert sum(losses[-6:]) < 0.8 * sum(losses[:6])
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    assert list((tmp_path / "tensorboard").iterdir())


@pytest.mark.parametrize("stop_after", [2, 3, 7])
def test_killed_and_resumed_gives_the_same_losses(tiny_data: Path, tmp_path: Path, stop_after: int) -> None:
    samples = load_split(tiny_data, "train")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    unbroken = start()
    assert unbroken.train(samples, whole, no_score)

    first = start()
    step = first._step

    def step_then_stop(*args: object) -> object:
        if first.step == stop_after - 1:
            # Called, not sent: OpenVINO, once loaded into this process, leaves no stack for handlers to run on.
            handler = signal.getsignal(signal.SIGTERM)
            assert callable(handler)
            handler(signal.SIGTERM, None)
        return step(*args)  # type: ignore[arg-type]

    first._step = step_then_stop  # type: ignore[method-assign, assignment]
    assert not first.train(samples, broken, no_score)
    checkpoint = load_checkpoint(broken)
    assert checkpoint.step == stop_after

    torch.manual_seed(99)  # what the generator says on resuming must not matter
    second = FaceTrainer(rebuild(checkpoint), checkpoint.config, MACHINE, Processes())
    second.restore(checkpoint)
    assert second.train(samples, broken, no_score)

    def losses(folder: Path) -> list[tuple[float, ...]]:
        rows = read_rows(folder / "log.csv")
        return [(row["step"], row["learning_rate"], row["loss"], row["box"]) for row in rows]

    assert losses(broken) == losses(whole)
    for name, value in unbroken.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name
    for name, value in unbroken.ema.network.state_dict().items():
        assert torch.equal(value, second.ema.network.state_dict()[name]), name


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(tiny_data: Path, tmp_path: Path) -> None:
    trainer = start()
    with torch.no_grad():
        trainer.network.get_parameter("stem.0.weight").fill_(float("nan"))
    with pytest.raises(BlazeFaceError, match="no longer finite at step 1"):
        trainer.train(load_split(tiny_data, "train"), tmp_path, no_score)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_a_frozen_backbone_stays_as_it_is(tiny_data: Path, tmp_path: Path) -> None:
    trainer = start(TrainConfig(epochs=1, batch=8, freeze=True))
    before = {name: value.clone() for name, value in trainer.network.named_parameters()}
    trainer.train(load_split(tiny_data, "train"), tmp_path, no_score)
    moved = {name for name, value in trainer.network.named_parameters() if not torch.equal(value, before[name])}
    assert moved
    assert all("heads" in name for name in moved)


def test_the_gradient_is_clipped(tiny_data: Path, tmp_path: Path) -> None:
    """What the last step left in the gradients is no longer than the recipe allows; without the clip it would be."""
    norms = {}
    for clip in (0.01, 1e6):
        trainer = start(TrainConfig(epochs=1, batch=8, warmup=2, clip=clip))
        trainer.train(load_split(tiny_data, "train"), tmp_path / str(clip), no_score)
        gradients = [p.grad for p in trainer.network.parameters() if p.grad is not None]
        norms[clip] = float(torch.cat([gradient.flatten() for gradient in gradients]).norm())
    assert norms[0.01] == pytest.approx(0.01, rel=1e-3)
    assert norms[1e6] > 0.1


def test_the_averaged_network_is_the_one_that_is_scored(tiny_data: Path, tmp_path: Path) -> None:
    scored: list[BlazeFace] = []

    def score(network: BlazeFace) -> dict[str, float]:
        scored.append(network)
        return {"AP": 0.5}

    trainer = start(TrainConfig(epochs=1, batch=8, warmup=2))
    trainer.train(load_split(tiny_data, "train"), tmp_path, score)
    assert [network is trainer.ema.network for network in scored] == [True]
    assert not scored[0].training


def test_gradients_do_not_add_up_over_steps(tiny_data: Path) -> None:
    """The same batch twice, without a step between that moves anything, leaves the same gradients."""
    trainer = start(TrainConfig(epochs=1, batch=8, clip=1e6))
    batch = next(iter(trainer._loader(load_split(tiny_data, "train"), 0, 3, 64)))
    task = Task(3, 3, lambda start: [(batch,)], trainer._losses, save=lambda ended: None, log=lambda row: None)
    norms = []
    for _ in range(2):
        trainer._step(task, trainer.network, (batch,), 0.0)
        gradients = [p.grad.flatten() for p in trainer.network.parameters() if p.grad is not None]
        norms.append(float(torch.cat(gradients).norm()))
    assert norms[1] == pytest.approx(norms[0], rel=1e-3)


def test_a_signal_in_the_last_evaluation_stops_there(tiny_data: Path, tmp_path: Path) -> None:
    """What follows the last step (calibration, report, export) may take long, so it is left to the run that goes on."""

    def score(_: BlazeFace) -> dict[str, float]:
        signal.raise_signal(signal.SIGINT)
        return {"AP": 0.5}

    config, samples = TrainConfig(epochs=1, batch=8, warmup=2), load_split(tiny_data, "train")
    assert not start(config).train(samples, tmp_path, score)
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint.ended and checkpoint.step == 3
    again = start(config)
    again.restore(checkpoint)
    assert again.train(samples, tmp_path, no_score)
