"""One trainer for the tasks beside the detectors: order of the items, resuming, checkpoints of another kind."""

from __future__ import annotations

import copy
import dataclasses
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from blazeface.data.class_folders import LabelledPictures
from blazeface.errors import BlazeFaceError
from blazeface.models.light.classifiers import Classifier
from blazeface.training.loop import Model
from blazeface.training.tasks import classify, train
from blazeface.training.tasks.classify import accuracy, moved, train_classifier
from blazeface.training.tasks.train import EpochOrder, TaskConfig, train_task

CONFIG = TaskConfig("classify", "tiny", epochs=20, batch=4, warmup=2, ema=0.5)


def tiny() -> Classifier:
    return Classifier(nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU()), nn.Linear(8, 2))


def pictures() -> LabelledPictures:
    """Blue ones and red ones."""
    classes = np.arange(8) % 2
    images = np.zeros((8, 32, 32, 3), np.uint8)
    images[np.arange(8), :, :, 2 * classes] = np.linspace(120, 255, 8)[:, None, None]
    return LabelledPictures(images, classes.astype(np.int64))


def test_a_classifier_learns(tmp_path: Path) -> None:
    network = train_classifier(tiny, pictures(), CONFIG, tmp_path, log=lambda _: None)
    assert network is not None and not network.training

    def answer(images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(network(torch.from_numpy(images)))

    assert accuracy(answer, pictures()) == 1
    swapped = LabelledPictures(pictures().images, 1 - pictures().classes)
    assert accuracy(answer, swapped) == 0


def test_a_classifier_with_dropout_goes_on_as_if_it_had_not_been_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dropping() -> Classifier:
        network = tiny()
        network.features.append(nn.Dropout(0.5))
        return network

    def train_in(out: Path) -> dict[str, Tensor]:
        network = train_classifier(dropping, pictures(), CONFIG, out, log=lambda _: None)
        assert network is not None
        return network.state_dict()

    whole = train_in(tmp_path / "whole")
    monkeypatch.setattr(train, "MACHINE", dataclasses.replace(train.MACHINE, checkpoint_seconds=-1.0))
    read = classify.inputs
    with monkeypatch.context() as patched:
        seen: list[int] = []

        def failing(images: np.ndarray) -> Tensor:
            seen.append(len(images))
            if len(seen) == 9:
                raise KeyboardInterrupt
            return read(images)

        patched.setattr(classify, "inputs", failing)
        with pytest.raises(KeyboardInterrupt):
            train_in(tmp_path / "pieces")
    torch.manual_seed(99)
    pieces = train_in(tmp_path / "pieces")
    for name, value in whole.items():
        assert torch.equal(value, pieces[name]), name


def test_pictures_are_moved_by_whole_pixels() -> None:
    image = np.arange(300, dtype=np.uint16).astype(np.uint8).reshape(10, 10, 3)
    assert (moved(image, 0.1, 0)[:, 1:] == image[:, :-1]).all() and (moved(image, 0.1, 0)[:, 0] == 0).all()
    assert (moved(image, -0.2, 0.3)[3:, :-2] == image[:-3, 2:]).all()
    assert (moved(image, 0.04, -0.04) == image).all()


def linear(stop_at: int | None, out: Path, seen: list[int]) -> nn.Linear | None:
    """A line through points; a signal comes in the loss of a step."""

    def batches(step: int) -> tuple[Tensor, ...]:
        random = np.random.default_rng(step)
        x = torch.from_numpy(random.normal(size=(4, 3)).astype(np.float32))
        return x, torch.tensor(step)

    def loss(model: Model, batch: tuple[Tensor, ...]) -> Tensor:
        x, step = batch
        seen.append(int(step))
        if int(step) == stop_at:
            handler = signal.getsignal(signal.SIGTERM)
            assert callable(handler)
            handler(signal.SIGTERM, None)
        error: Tensor = (model(x)[:, 0] - x.sum(dim=1)).square().mean()
        return error

    return train_task(lambda: nn.Linear(3, 1), 8, batches, loss, CONFIG, out, log=lambda _: None)


@pytest.mark.parametrize("stop_at", [0, 17, 38])
def test_a_run_in_pieces_is_the_run_in_one_piece(stop_at: int, tmp_path: Path) -> None:
    seen: list[int] = []
    whole = linear(None, tmp_path / "whole", seen)
    assert whole is not None and seen == list(range(40))
    seen.clear()
    assert linear(stop_at, tmp_path / "pieces", seen) is None and seen == list(range(stop_at + 1))
    torch.manual_seed(99)
    rest = linear(None, tmp_path / "pieces", seen)
    assert rest is not None and seen == list(range(40))
    assert torch.equal(rest.weight, whole.weight) and torch.equal(rest.bias, whole.bias)


LINEAR = TaskConfig("test", "linear", epochs=6, batch=2, warmup=2, ema=0.5)
COUNT = 4
"""Samples of an epoch: two steps."""


def sums(step: int) -> tuple[Tensor, ...]:
    inputs = torch.randn(2, 3, generator=torch.Generator().manual_seed(step))
    return inputs, inputs.sum(dim=1, keepdim=True)


def steep(model: Model, batch: tuple[Tensor, ...]) -> Tensor:
    loss: Tensor = 1000 * (model(batch[0]) - batch[1]).square().mean()
    return loss


def run(out: Path, steps: list[dict[str, Tensor]] | None = None) -> tuple[nn.Module | None, nn.Module]:
    """The trained network and the one that was stepped; `steps` gets the weights before each step."""
    made: list[nn.Module] = []

    def initial() -> nn.Module:
        made.append(nn.Linear(3, 1))
        return made[0]

    def watched(model: Model, batch: tuple[Tensor, ...]) -> Tensor:
        if steps is not None:
            steps.append(copy.deepcopy(made[0].state_dict()))
        return steep(model, batch)

    return train_task(initial, COUNT, sums, watched, LINEAR, out, lambda text: None), made[0]


def test_the_averaged_network_is_given(tmp_path: Path) -> None:
    steps: list[dict[str, Tensor]] = []
    average, network = run(tmp_path, steps)
    assert average is not None and not average.training
    expected = steps[0]["weight"].double()
    for number, after in enumerate([*steps[1:], network.state_dict()]):
        share = 1 - min(0.5, (1 + number) / (10 + number))
        expected = expected + share * (after["weight"].double() - expected)
    assert torch.allclose(average.state_dict()["weight"].double(), expected, atol=1e-6)
    assert not torch.allclose(average.state_dict()["weight"], network.state_dict()["weight"], atol=1e-6)


def test_the_gradient_is_clipped(tmp_path: Path) -> None:
    network = run(tmp_path)[1]
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert len(gradients) == 2
    assert float(torch.cat([gradient.flatten() for gradient in gradients]).norm()) == pytest.approx(5.0, rel=1e-3)


def test_a_run_that_was_killed_goes_on_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(tmp_path / "whole")[0]
    each_step = dataclasses.replace(train.MACHINE, checkpoint_seconds=-1.0)
    monkeypatch.setattr(train, "MACHINE", each_step)
    seen = 0

    def failing(model: Model, batch: tuple[Tensor, ...]) -> Tensor:
        nonlocal seen
        seen += 1
        if seen == 6:
            raise KeyboardInterrupt
        return steep(model, batch)

    with pytest.raises(KeyboardInterrupt):
        train_task(lambda: nn.Linear(3, 1), COUNT, sums, failing, LINEAR, tmp_path / "broken", lambda text: None)
    pieces = run(tmp_path / "broken")[0]
    assert whole is not None and pieces is not None
    for name, value in whole.state_dict().items():
        assert torch.equal(value, pieces.state_dict()[name]), name


def test_a_checkpoint_of_a_detector_is_refused(tmp_path: Path) -> None:
    torch.save({"config": "{}", "step": 3}, tmp_path / "checkpoint.pt")
    with pytest.raises(BlazeFaceError, match=r"checkpoint\.pt: not a readable checkpoint: it is of another kind"):
        linear(None, tmp_path, [])
    torch.save([1, 2], tmp_path / "checkpoint.pt")
    with pytest.raises(BlazeFaceError, match=r"checkpoint\.pt: not a readable checkpoint: it holds a list"):
        linear(None, tmp_path, [])


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path: Path) -> None:
    def loss(model: Model, batch: tuple[Tensor, ...]) -> Tensor:
        nothing: Tensor = model(batch[0]).sum() * float("nan")
        return nothing

    with pytest.raises(BlazeFaceError, match="no longer finite at step 1; there was no checkpoint yet"):
        train_task(lambda: nn.Linear(3, 1), 8, lambda step: (torch.ones(4, 3),), loss, CONFIG, tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()


@given(st.integers(1, 30), st.integers(0, 5), st.integers(0, 3))
def test_each_epoch_has_every_item_once(count: int, seed: int, epoch: int) -> None:
    order = EpochOrder(count, seed)
    positions = range(epoch * count, (epoch + 1) * count)
    found = [order[position] for position in positions]
    assert sorted(found) == list(range(count))
    assert found == [EpochOrder(count, seed)[position] for position in positions]
