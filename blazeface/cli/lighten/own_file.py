"""A network from a Python file of the user's own: the file is run, and what it holds is asked for."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.staged import require_regular_file

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class OwnFile:
    """title: the name of the function. network: what it made. batches, loss, score: the file's functions of these names, where it has them."""

    path: Path
    title: str
    network: nn.Module
    batches: Callable[[int], Any] | None
    loss: Callable[[Any, Any], Any] | None
    score: Callable[[nn.Module], Any] | None


def is_own_file(text: str) -> bool:
    """Whether an argument names a Python file, with or without a function: FILE.py or FILE.py:FUNCTION."""
    return text.endswith(".py") or ".py:" in text


def open_own_file(text: str) -> OwnFile:
    """Run the file and make its network. Raises BlazeFaceError, one sentence, for every way in which that can fail."""
    from torch import nn

    name, _, function = text.rpartition(":") if ".py:" in text else (text, "", "")
    path = Path(name)
    require_regular_file(str(path))
    module = _run(path)
    made = sorted(
        key
        for key, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
    )
    if not function:
        raise BlazeFaceError(f"{path}: name the function that makes the network, {path}:FUNCTION{_among(made)}")
    factory = getattr(module, function, None)
    if not callable(factory):
        raise BlazeFaceError(f"{path}: it has no function {function!r}{_among(made)}")
    with own_errors(f"{function}()", path):
        network = factory()
    if not isinstance(network, nn.Module):
        raise BlazeFaceError(f"{path}: {function}() must return a torch.nn.Module, not {type(network).__name__}")
    if isinstance(network, nn.Conv2d):
        raise BlazeFaceError(f"{path}: {function}() returns a single convolution: wrap it in torch.nn.Sequential")
    found = (getattr(module, name, None) for name in ("batches", "loss", "score"))
    return OwnFile(path, function, network, *(part if callable(part) else None for part in found))


@contextmanager
def own_errors(what: str, path: Path) -> Iterator[None]:
    """Turn whatever code of the user raises in the block into one sentence, with the last line of the file that was reached."""
    try:
        yield
    except BlazeFaceError:
        raise
    except (Exception, SystemExit) as error:
        reached = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) else reached[-1] if reached else None
        where = f" in line {line}" if line else ""
        said = (error.msg if isinstance(error, SyntaxError) else str(error)).strip().splitlines()
        about = f"{type(error).__name__}{f': {said[0]}' if said else ''}"
        raise BlazeFaceError(f"{path}: {what} failed{where}: {printable(about)}") from error


def _run(path: Path) -> ModuleType:
    """As Python runs a script: modules beside it can be imported; but __name__ is the file's stem."""
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(f"{path.stem}_of_the_user", path)
    if spec is None or spec.loader is None:
        raise BlazeFaceError(f"{path}: is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickles look their module up
    with own_errors("running it", path):
        spec.loader.exec_module(module)
    return module


def _among(names: list[str]) -> str:
    return f" (it has {', '.join(names)})" if names else " (it has no functions)"
