"""A small loop for small networks on prepared batches: minutes on a CPU, stopped and gone on with at any step."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from blazeface.errors import BlazeFaceError
from blazeface.files.staged import staged_file
from blazeface.models.torch_archive import load_archive
from blazeface.training.config import TrainConfig
from blazeface.training.depthwise import accelerate
from blazeface.training.loop import stop_signals
from blazeface.training.optim import learning_rate, make_optimizer

FILE = "checkpoint.pt"
CHECKPOINT_SECONDS = 60.0
LOG_EVERY = 50

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class SmallConfig:
    """The recipe. task, kind: of the network. epochs: passes over the batches; ema: decay of the averaged weights,
    which are what a run ends with; beta: see the task's loss."""

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


def train_small(
    fresh: Callable[[], Network],
    count: int,
    batches: Callable[[int], tuple[Tensor, ...]],
    loss_of: Callable[[Network, tuple[Tensor, ...]], Tensor],
    config: SmallConfig,
    out: Path,
    log: Callable[[str], None] = print,
) -> Network | None:
    """Train to the end of the schedule; the averaged network in eval mode, or None when a signal stopped it before.

    fresh: makes the network. count: batches of one epoch. batches: those of a step; they must follow from its number
    alone, so that a run in pieces is the run in one piece. loss_of: of the network on them. A checkpoint of the same
    recipe in `out` is gone on with; one of another raises BlazeFaceError, and so does a loss that is not finite.
    """
    torch.manual_seed(config.seed)
    network = fresh().to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    accelerate(network)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    schedule = TrainConfig(
        learning_rate=config.learning_rate, warmup=config.warmup, weight_decay=config.weight_decay
    )
    optimizer = make_optimizer(network, schedule)
    total, step = config.epochs * -(-count // config.batch), 0
    found = _load(out, config)
    if found:
        network.load_state_dict(found["network"])
        average.load_state_dict(found["average"])
        optimizer.load_state_dict(found["optimizer"])
        step = found["step"]
    losses, start, saved = [], time.monotonic(), time.monotonic()
    with ThreadPoolExecutor(1) as ahead, stop_signals() as stopped:
        upcoming = ahead.submit(batches, step)
        while step < total and not stopped:
            batch = upcoming.result()
            upcoming = ahead.submit(batches, step + 1)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, total, schedule)
            loss = loss_of(network, batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            step += 1
            _follow(average, network, min(config.ema, (1 + step) / (10 + step)))
            losses.append(loss.item())
            if not np.isfinite(losses[-1]):
                raise BlazeFaceError(
                    f"the loss is no longer finite at step {step}; the checkpoint in {out} is kept"
                )
            if step % LOG_EVERY == 0 or step == total:
                speed = config.batch * len(losses) / (time.monotonic() - start)
                log(f"step {step:,} of {total:,}: loss {np.mean(losses):.5f}, {speed:.0f} pictures/s")
                losses, start = [], time.monotonic()
            if time.monotonic() - saved > CHECKPOINT_SECONDS or step == total or stopped:
                _save(out, config, step, network, average, optimizer)
                saved = time.monotonic()
    return average if step == total else None


class TrainingTask:
    """Which batch stands at a position of an endless run: each epoch has all, in an order of its own."""

    def __init__(self, count: int, seed: int):
        self._count, self._seed = count, seed
        self._epoch, self._order = -1, np.empty(0, np.intp)

    def __getitem__(self, position: int) -> int:
        epoch, place = divmod(position, self._count)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng([self._seed, epoch, self._count]).permutation(self._count)
        return int(self._order[place])


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    ours, theirs = average.state_dict(), network.state_dict()
    for name, value in ours.items():
        if value.is_floating_point():
            value.lerp_(theirs[name], 1 - decay)
        else:
            value.copy_(theirs[name])


def _save(
    out: Path,
    config: SmallConfig,
    step: int,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    data = {
        "config": asdict(config),
        "step": step,
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    with staged_file(out / FILE) as part, part.open("wb") as file:
        torch.save(data, file)
        file.flush()
        os.fsync(file.fileno())


def _load(out: Path, config: SmallConfig) -> dict[str, Any] | None:
    path = out / FILE
    if not path.is_file():
        return None
    try:
        found: dict[str, Any] = load_archive(path)
        before = found["config"]
    except Exception as error:  # each kind of damage surfaces as another class
        raise BlazeFaceError(f"{path}: not a readable checkpoint: {type(error).__name__}") from error
    if before != asdict(config):
        changed = [name for name, value in asdict(config).items() if before.get(name) != value]
        raise BlazeFaceError(f"--out: {out} holds a run with another {', '.join(changed)}; name another folder")
    return found
