"""Fine-tuning of a network that a user brings along with batches and a loss of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from blazeface.errors import BlazeFaceError
from blazeface.training.loop import Model
from blazeface.training.tasks.train import Batch, TaskConfig, train_task

Network = TypeVar("Network", bound=nn.Module)


def own_config(name: str, rule: str, steps: int, batch: int, learning_rate: float) -> TaskConfig:
    """So many steps of one schedule. name: of the network; batch: pictures of a step, for the speed that is logged."""
    warmup = min(50, steps // 10)
    return TaskConfig("lighten", f"{name}, {rule}, {steps} steps", 1, batch, learning_rate, warmup)


def finetune(
    network: Network,
    steps: int,
    batches: Callable[[int], Any],
    loss: Callable[[Model, Any], Tensor],
    config: TaskConfig,
    out: Path,
    log: Callable[[str], None] = print,
) -> Network | None:
    """See `train.train_task`, from the network's own weights. batches: step -> the tensors of a batch; loss: of the network (to be
    called with inputs) and a batch, a scalar. Raises BlazeFaceError for a loss that is none."""

    def scalar(model: Model, batch: Batch) -> Tensor:
        found = loss(model, batch)
        if not isinstance(found, Tensor) or found.numel() != 1 or not found.requires_grad:
            raise BlazeFaceError("loss() must return a tensor of one number that depends on the network")
        return found.squeeze()

    return train_task(lambda: network, steps * config.batch, batches, scalar, config, out, log)
