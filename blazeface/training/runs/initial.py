"""The network that a run starts from, and that of a run that was stopped."""

from __future__ import annotations

import hashlib
import sys

import torch

from blazeface.detector import model_path
from blazeface.errors import BlazeFaceError
from blazeface.models.network import BlazeFace, build
from blazeface.models.weights import load_weights
from blazeface.spec import NAMED_SPECS
from blazeface.training.checkpoint import FILE, load_checkpoint
from blazeface.training.faces import averaged

WEIGHTS_OF_RUN = "model.safetensors"
"""What a run ends with."""

FILE_OF_INITIAL = "init.safetensors"
"""The weights that a run started from, kept in its folder: its report has their figures beside its own."""


def load_network(name: str) -> BlazeFace:
    """The network behind a shipped model's name, a .safetensors file, the folder of a run, or its checkpoint.pt; of a run,
    the averaged weights of its checkpoint. Raises BlazeFaceError naming what cannot be read."""
    path = model_path(name, "torch")
    if path.is_dir() and not (path / FILE).is_file():
        raise BlazeFaceError(f"{path}: a folder without {FILE} is no training run")
    if path.is_dir() or path.suffix == ".pt":
        return averaged(load_checkpoint(path))
    return load_weights(path)


def finished_network(name: str) -> BlazeFace:
    """The same, but of a run that came to its end the weights that it ended with, calibrated; that another was stopped is said on
    stderr."""
    path = model_path(name, "torch")
    folder = path.parent if path.name == FILE else path
    if not (folder / FILE).is_file() or path.suffix == ".safetensors":
        return load_network(name)
    checkpoint = load_checkpoint(folder)
    ended = checkpoint.ended or checkpoint.step == checkpoint.total
    if ended and (folder / WEIGHTS_OF_RUN).is_file():
        return load_weights(folder / WEIGHTS_OF_RUN)
    print(
        f"{folder}: the run stands at step {checkpoint.step:,} of {checkpoint.total:,}; its averaged weights so far are taken,"
        " whose scores are not calibrated",
        file=sys.stderr,
    )
    return averaged(checkpoint)


def described(name: str) -> str:
    """What was started from, in a run's config.json: its name without its folder, and the first digits of its SHA-256."""
    path = model_path(name, "torch")
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise BlazeFaceError(f"{file}: no such weights file")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return f"{path.stem if name in NAMED_SPECS else path.name} (sha256 {digest[:16]})"


def in_model(network: BlazeFace, model: str, name: str) -> BlazeFace:
    """A named model at random, with those tensors of a network that it has in the same shape.

    That carries what a network learnt to a model of another input size, or to a larger one with the same trunk. name: what
    the weights are called in sentences. Raises BlazeFaceError where less than a quarter fits.
    """
    named = build(model)
    own, given = named.state_dict(), network.state_dict()
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    if sum(map(torch.numel, fitting.values())) < sum(map(torch.numel, own.values())) / 4:
        raise BlazeFaceError(f"--init: the weights in {name} do not fit {model}; leave --model out")
    named.load_state_dict(own | fitting)
    named.origin = network.origin
    if len(fitting) < len(own):
        print(f"--init: {len(fitting)} of {len(own)} tensors were taken over", file=sys.stderr)
    return named
