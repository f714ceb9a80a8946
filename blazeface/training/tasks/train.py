"""Tasks beside the detectors: a small network, batches made by number, a loss. Minutes on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from blazeface.errors import BlazeFaceError
from blazeface.training.checkpoint import FILE, read_state, write_state
from blazeface.training.config import TrainConfig
from blazeface.training.distributed import Processes
from blazeface.training.loop import Machine, Model, Task, Trainer

LOG_EVERY = 50
CLIP = 5.0
MACHINE = Machine(quiet=True, checkpoint_seconds=60.0, evaluate_every=10**9)

Network = TypeVar("Network", bound=nn.Module)
Batch = tuple[Tensor, ...]


@dataclass(frozen=True)
class TaskConfig:
    """The recipe. task, kind: of the network. epochs: passes over the items; ema: decay of the averaged weights,
    which are what a run ends with; beta: see the task's loss. The rest is as in TrainConfig."""

    task: str
    kind: str
    epochs: int = 30
    batch: int = 64
    learning_rate: float = 3e-3
    warmup: int = 200
    weight_decay: float = 0.02
    ema: float = 0.998
    beta: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            if type(getattr(self, name)) is not int or not 1 <= getattr(self, name) <= 100_000:
                raise BlazeFaceError(f"--{name} must be a whole number from 1 up, not {getattr(self, name)!r}")

    def schedule(self) -> TrainConfig:
        """What the trainer takes of it."""
        return TrainConfig(
            batch=self.batch,
            learning_rate=self.learning_rate,
            warmup=self.warmup,
            weight_decay=self.weight_decay,
            ema=self.ema,
            clip=CLIP,
        )


def train_task(
    initial: Callable[[], Network],
    count: int,
    batches: Callable[[int], Batch],
    loss: Callable[[Model, Batch], Tensor],
    config: TaskConfig,
    out: Path,
    log: Callable[[str], None] = print,
) -> Network | None:
    """Train to the end of the schedule; the averaged network in eval mode, or None when a signal stopped it before.

    initial: makes the network, after the seed was set. count: items of one epoch. batches: that of a step, which must
    follow from its number alone, so that a run in pieces is the run in one piece. loss: of the network on it. A
    checkpoint of the same recipe in `out` is gone on with; one of another raises BlazeFaceError, and so does a loss that
    is not finite.
    """
    torch.manual_seed(config.seed)
    trainer = Trainer(initial(), config.schedule(), MACHINE, Processes())
    found = _load(out, config)
    if found:
        trainer.load(found["network"], found["average"], found["optimizer"], found["step"])
    steps_per_epoch = -(-count // config.batch)
    total = config.epochs * steps_per_epoch

    def save(_: bool) -> None:
        out.mkdir(parents=True, exist_ok=True)
        state = {
            "config": asdict(config),
            "step": trainer.step,
            "network": trainer.network.state_dict(),
            "average": trainer.ema.network.state_dict(),
            "optimizer": trainer.optimizer.state_dict(),
        }
        write_state(state, ("network", "average"), out / FILE)

    def log_means(row: dict[str, float]) -> None:
        speed = f"{row['images_per_second']:.0f} pictures/s"
        log(f"step {trainer.step:,} of {total:,}: loss {row['loss']:.5f}, {speed}")

    task = Task(
        total=total,
        steps_per_epoch=steps_per_epoch,
        batches=lambda start: _ahead(batches, start, total),
        losses=lambda model, batch: {"loss": loss(model, batch)},
        save=save,
        log=log_means,
        log_every=LOG_EVERY,
    )
    return trainer.ema.network if trainer.run(task, out) else None


class EpochOrder:
    """Which item stands at a position of an endless run: each epoch has all of them, in an order of its own."""

    def __init__(self, count: int, seed: int):
        self._count, self._seed = count, seed
        self._epoch, self._order = -1, np.empty(0, np.intp)

    def __getitem__(self, position: int) -> int:
        epoch, place = divmod(position, self._count)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng([self._seed, epoch, self._count]).permutation(self._count)
        return int(self._order[place])


def _ahead(batches: Callable[[int], Batch], start: int, end: int) -> Iterator[Batch]:
    """The batches of these steps, each made by a thread while the one before it is learnt from."""
    with ThreadPoolExecutor(1) as thread:
        upcoming = thread.submit(batches, start) if start < end else None
        for step in range(start, end):
            assert upcoming is not None
            batch = upcoming.result()
            upcoming = thread.submit(batches, step + 1) if step + 1 < end else None
            yield batch


def _load(out: Path, config: TaskConfig) -> dict[str, Any] | None:
    path = out / FILE
    if not path.is_file():
        return None
    found = read_state(path)
    before = found.get("config")
    if not isinstance(before, dict) or type(found.get("step")) is not int:
        raise BlazeFaceError(f"{path}: not a readable checkpoint: it is of another kind of run")
    if before != asdict(config):
        changed = [name for name, value in asdict(config).items() if before.get(name) != value]
        raise BlazeFaceError(f"--out: {out} holds a run with another {', '.join(changed)}; name another folder")
    return found
