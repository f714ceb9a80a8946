"""Training of the second stage (`models.refine`) on face crops: minutes on a CPU, resumable."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from blazeface.crop import CropSpec
from blazeface.data.face_crops import FaceCrops, Jitter, jittered
from blazeface.errors import BlazeFaceError
from blazeface.files.whole import beside
from blazeface.models.refine import RefineNet, build_refine
from blazeface.training.config import TrainConfig
from blazeface.training.depthwise import accelerate
from blazeface.training.loop import stop_signals
from blazeface.training.optim import learning_rate, make_optimizer

FILE = "checkpoint.pt"


@dataclass(frozen=True)
class RefineConfig:
    """The recipe. kind: "dense", or "separable" (the dense network made light by `lighten`). epochs: passes over the
    faces. beta: where the loss turns from quadratic to linear, in sides of the crop; ema: decay of the averaged
    weights, which are what a run ends with."""

    kind: str = "dense"
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


def train_refine(
    crops: FaceCrops,
    config: RefineConfig,
    out: Path,
    log: Callable[[str], None] = print,
) -> RefineNet | None:
    """Train to the end of the schedule; the averaged network, or None when a signal stopped it before.

    A checkpoint in `out` of the same recipe is gone on with: lesson n follows from the seed and n alone, so a run in
    pieces is the run in one piece. Raises BlazeFaceError for a checkpoint of another recipe.
    """
    torch.manual_seed(config.seed)
    network = build_refine(config.kind).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    accelerate(network)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    schedule = TrainConfig(
        learning_rate=config.learning_rate, warmup=config.warmup, weight_decay=config.weight_decay
    )
    optimizer = make_optimizer(network, schedule)
    steps_per_epoch = -(-len(crops) // config.batch)
    total, step = config.epochs * steps_per_epoch, 0
    found = _load(out, config)
    if found:
        network.load_state_dict(found["network"])
        average.load_state_dict(found["average"])
        optimizer.load_state_dict(found["optimizer"])
        step = found["step"]
    losses, start, saved = [], time.monotonic(), time.monotonic()
    with ThreadPoolExecutor(1) as ahead, stop_signals() as stopped:
        lesson = ahead.submit(_batch, crops, config, step)
        while step < total and not stopped:
            images, points, known = lesson.result()
            lesson = ahead.submit(_batch, crops, config, step + 1)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, total, schedule)
            loss = keypoint_loss(network(images), points, known, config.beta)
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
            if step % 50 == 0 or step == total:
                speed = config.batch * len(losses) / (time.monotonic() - start)
                log(f"step {step:,} of {total:,}: loss {np.mean(losses):.5f}, {speed:.0f} crops/s")
                losses, start = [], time.monotonic()
            if time.monotonic() - saved > 60 or step == total or stopped:
                _save(out, config, step, network, average, optimizer)
                saved = time.monotonic()
    return average if step == total else None


def keypoint_loss(found: Tensor, wanted: Tensor, known: Tensor, beta: float) -> Tensor:
    """Smooth L1 over known keypoints inside the crop, in units of `beta`: (B, 6, 2) twice, (B, 6) bool -> scalar."""
    inside = ((wanted > 0) & (wanted < 1)).all(dim=2) & known
    error = F.smooth_l1_loss(found, wanted, reduction="none", beta=beta).sum(dim=2) / beta
    return (error * inside).sum() / inside.sum().clamp(min=1)


def _batch(crops: FaceCrops, config: RefineConfig, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Lessons of one step: images (B, 3, S, S), keypoints (B, 6, 2), known (B, 6)."""
    spec = CropSpec()
    lessons = []
    for position in range(step * config.batch, (step + 1) * config.batch):
        epoch, place = divmod(position, len(crops))
        order = _order(len(crops), config.seed, epoch)
        lessons.append(
            jittered(crops, int(order[place]), spec, Jitter(), np.random.default_rng([config.seed, position]))
        )
    images, points, visibility = (np.stack(part) for part in zip(*lessons, strict=True))
    planes = torch.from_numpy(np.ascontiguousarray(images[..., ::-1])).permute(0, 3, 1, 2).float()  # channels last
    return (planes - spec.mean) / spec.std, torch.from_numpy(points), torch.from_numpy(visibility > 0)


_orders: dict[tuple[int, int, int], np.ndarray] = {}


def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    key = (count, seed, epoch)
    if key not in _orders:
        _orders.clear()
        _orders[key] = np.random.default_rng([seed, epoch, count]).permutation(count)
    return _orders[key]


@torch.no_grad()
def _follow(average: RefineNet, network: RefineNet, decay: float) -> None:
    ours, theirs = average.state_dict(), network.state_dict()
    for name, value in ours.items():
        if value.is_floating_point():
            value.lerp_(theirs[name], 1 - decay)
        else:
            value.copy_(theirs[name])


def _save(
    out: Path,
    config: RefineConfig,
    step: int,
    network: RefineNet,
    average: RefineNet,
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
    with beside(out / FILE) as part, part.open("wb") as file:
        torch.save(data, file)
        file.flush()
        os.fsync(file.fileno())


def _load(out: Path, config: RefineConfig) -> dict[str, Any] | None:
    path = out / FILE
    if not path.is_file():
        return None
    try:
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        before = found["config"]
    except Exception as error:  # each kind of damage surfaces as another class
        raise BlazeFaceError(f"{path}: not a readable checkpoint: {type(error).__name__}") from error
    if before != asdict(config):
        changed = [name for name, value in asdict(config).items() if before.get(name) != value]
        raise BlazeFaceError(f"--out: {out} holds a run with another {', '.join(changed)}; name another folder")
    return found
