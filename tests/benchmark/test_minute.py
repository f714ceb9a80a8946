"""The part `minute` of the light networks' report: each kind of run ends when its processor time is over, and says what it saw."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from small_network import small_network

from benchmarks.lightweight.minute import FEW, ended_after
from benchmarks.lightweight.tables import MINUTES, TABLES
from blazeface.data.face_masks import MaskedPictures
from blazeface.models.network import BlazeFace
from blazeface.training.config import TrainConfig
from blazeface.training.distributed import Processes
from blazeface.training.loop import Machine, Task, Trainer
from blazeface.training.tasks.segment import segment_config, train_segmenter


@pytest.fixture
def a_second_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor's clock moves by one second each time that it is read, which is once a step; nothing reads the other one."""
    seconds = count()
    monkeypatch.setattr(time, "process_time", lambda: float(next(seconds)))


@pytest.mark.usefixtures("a_second_a_step")
def test_a_task_that_never_evaluates_ends_after_its_seconds(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (4, 32, 32, 3), np.uint8)
    masks = random.integers(0, 255, (4, 32, 32), np.uint8)
    pictures = MaskedPictures(images, masks, np.ones((4, 32, 32), bool))
    config = segment_config("light", 10_000, batch=2)
    with ended_after(7) as seen:
        assert train_segmenter(pictures, config, tmp_path, log=lambda _: None) is not None
    found = seen()
    assert (found["seconds"], found["steps"]) == (8.0, 9)  # over after more than seven
    assert len(found["loss"]) == 2 and all(loss > 0 for loss in found["loss"])
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 9


@pytest.mark.usefixtures("a_second_a_step")
def test_the_first_and_last_losses_are_means(tmp_path: Path) -> None:
    """A detector's task, whose losses are 0, 1, 2 and so on."""
    trainer: Trainer[BlazeFace] = Trainer(small_network(), TrainConfig(batch=1), Machine(quiet=True), Processes())
    weight = next(trainer.network.parameters())
    numbers = count()
    task = Task(
        total=10**6,
        steps_per_epoch=10**6,
        batches=lambda start: iter(range(start, 10**6)),
        losses=lambda _, batch: {"loss": 0 * weight.sum() + next(numbers)},
        save=lambda _: None,
        log=lambda _: None,
    )
    with ended_after(20) as seen:
        assert trainer.run(task, tmp_path)
    assert FEW == 5
    assert seen() == {"seconds": 21.0, "steps": 22, "loss": [2.0, 19.0]}


def test_a_row_of_the_table() -> None:
    row = {
        "task": "detector",
        "network": "x",
        "seconds": 60.4,
        "steps": 1234,
        "loss": [2.5, 0.75],
        "differences": {"onnx": 2e-6, "tflite": 1e-5},
    }
    lines = TABLES["minute"]({"minute": [row]}).splitlines()
    assert lines[2] == "| detector | x | 60 | 1,234 | 2.5, 0.75 | 2e-06 | 1e-05 |"
    assert lines[4].startswith("Not trained yet: detector paper-128, ") and lines[4].endswith("classify xception.")
    rows = [{**row, "task": task, "network": name} for task, names in MINUTES.items() for name in names]
    assert len(rows) == 23 and "Not trained yet" not in TABLES["minute"]({"minute": rows})
