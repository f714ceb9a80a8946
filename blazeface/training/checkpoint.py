"""Checkpoints: the complete state of a run, so that a resumed run equals an unbroken one."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from blazeface.errors import BlazeFaceError
from blazeface.files.staged import staged_file
from blazeface.models.torch_archive import load_archive
from blazeface.training.config import TrainConfig

FILE = "checkpoint.pt"
MAX_BYTES = 2**30
DATA = {"pictures": int, "faces": int, "sha256": str}


@dataclass
class Checkpoint:
    """State after `step` steps. Crops follow from (seed, step), so no random state needs keeping.

    total: steps of the whole run. spec, layout: JSON texts that rebuild the network. network, ema, optimizer:
    state dicts. history: one entry per evaluation. data: what the run learns from (`runs.labels_seen`). origin: JSON text,
    the note of the weights. ended: the run came to its end, at its last step or before. The last three are missing in
    checkpoints of an earlier version.
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
    data: dict[str, Any] = field(default_factory=dict)
    origin: str = "{}"
    ended: bool = False


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write folder/checkpoint.pt. A good one is replaced only by a whole one with finite weights.

    Raises BlazeFaceError otherwise; the one that was there stays.
    """
    data = {**vars(checkpoint), "config": checkpoint.config.to_json()}
    write_state(data, ("network", "ema"), folder / FILE)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read folder/checkpoint.pt, or the file itself; no code in it is ever run. Raises BlazeFaceError naming the file."""
    path = folder if folder.suffix == ".pt" and not folder.is_dir() else folder / FILE
    if not path.is_file():
        raise BlazeFaceError(f"--resume: {folder} holds no {FILE}")
    data = read_state(path)
    try:
        config = TrainConfig.from_json(data.pop("config"), str(path))
        checkpoint = Checkpoint(config=config, **data)
        _check(checkpoint)
        return checkpoint
    except BlazeFaceError:
        raise
    except Exception as error:  # a file that is no checkpoint can raise any type
        raise _unreadable(path, error) from error


def write_state(data: dict[str, Any], weights: tuple[str, ...], path: Path) -> None:
    """Write a dictionary, whole or not at all; `weights` names its state dicts that must be finite, data["step"] is named
    in the error where they are not."""
    for key in weights:
        broken = next((name for name, value in data[key].items() if not torch.isfinite(value).all()), None)
        if broken is not None:
            raise BlazeFaceError(
                f"{path}: not written: {broken} is no longer finite at step {data['step']}: try a lower --learning-rate;"
                " the checkpoint before it, if there is one, is kept"
            )
    # Not into the file itself: torch does not say what is wrong with a disk that is full.
    content = io.BytesIO()
    torch.save(data, content)
    try:
        with staged_file(path) as part, part.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BlazeFaceError(
            f"{path}: cannot be written: {error.strerror or error}; the checkpoint before it, if there is one, is kept"
        ) from error


def read_state(path: Path) -> dict[str, Any]:
    """Read what `write_state` wrote; no code in it is ever run. Raises BlazeFaceError naming the file."""
    if path.stat().st_size > MAX_BYTES:
        raise BlazeFaceError(f"{path}: larger than {MAX_BYTES >> 20} MiB, too large for a checkpoint")
    try:
        data = load_archive(path)
        if not isinstance(data, dict):
            raise ValueError(f"it holds a {type(data).__name__}")
        return data
    except Exception as error:  # each kind of damage surfaces as another class, from zip to struct.error
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BlazeFaceError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return BlazeFaceError(f"{path}: not a readable checkpoint: {reason}")


def _check(checkpoint: Checkpoint) -> None:
    """Refuse what is not of the kinds that `Checkpoint` names; whether the tensors fit is seen when they are used."""
    for name in ("step", "total"):
        if type(getattr(checkpoint, name)) is not int or getattr(checkpoint, name) < 0:
            raise ValueError(f"its {name} is no whole number")
    for name in ("network", "ema"):
        state = getattr(checkpoint, name)
        if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
            raise ValueError(f"its {name} is no state")
        if not all(torch.isfinite(value).all() for value in state.values()):
            raise ValueError(f"its {name} holds weights that are not finite")
    kinds = {"optimizer": dict, "history": list, "data": dict, "origin": str, "ended": bool}
    for name, kind in kinds.items():
        if not isinstance(getattr(checkpoint, name), kind):
            raise ValueError(f"its {name} is of another kind")
    if checkpoint.data and {name: type(value) for name, value in checkpoint.data.items()} != DATA:
        raise ValueError("its data is of another kind")
