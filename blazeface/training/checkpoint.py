"""Checkpoints: all that a run needs to go on as if nothing had happened."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from blazeface.errors import BlazeFaceError
from blazeface.files.whole import beside
from blazeface.training.config import TrainConfig

FILE = "checkpoint.pt"


@dataclass
class Checkpoint:
    """State after `step` steps. Crops follow from (seed, step), so no random state needs keeping.

    total: steps of the whole run. spec, layout: JSON texts that rebuild the network. network, ema, optimizer: state dicts. history: one entry per evaluation.
    """

    config: TrainConfig
    step: int
    total: int
    spec: str
    layout: str
    network: dict[str, Any]
    ema: dict[str, Any]
    optimizer: dict[str, Any]
    history: list[dict[str, float]]


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write folder/checkpoint.pt. A good one is replaced only by a whole one."""
    data = {**vars(checkpoint), "config": checkpoint.config.to_json()}
    with beside(folder / FILE) as part, part.open("wb") as file:
        torch.save(data, file)
        file.flush()
        os.fsync(file.fileno())


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read folder/checkpoint.pt; no code in it is ever run. Raises BlazeFaceError naming the file."""
    path = folder / FILE
    if not path.is_file():
        raise BlazeFaceError(f"--resume: {folder} holds no {FILE}")
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
        config = TrainConfig.from_json(data.pop("config"), str(path))
        return Checkpoint(config=config, **data)
    except BlazeFaceError:
        raise
    except Exception as error:  # each kind of damage surfaces as another class, from zip to struct.error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BlazeFaceError(f"{path}: not a readable checkpoint: {reason}") from error
