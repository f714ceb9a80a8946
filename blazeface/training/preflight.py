"""What is looked at before a run begins: what cannot work is refused before anything heavy is read."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from blazeface.data.check.box_form import box_form_of_some
from blazeface.data.check.counts import short_form
from blazeface.data.check.split import sides_warning
from blazeface.data.check.suspicious import changed_over
from blazeface.data.even_choice import chosen_evenly
from blazeface.data.labels import NoLabels
from blazeface.data.samples import Sample, load_split, split_off
from blazeface.errors import BlazeFaceError, install_command
from blazeface.files.heif import HEIC_SUFFIXES, NO_HEIC, heic_library
from blazeface.files.names import printable
from blazeface.files.pictures import read_picture

if TYPE_CHECKING:
    from blazeface.data.crops import CropRecipe

PACKAGES = (
    "torch",
    "albumentations",
    "matplotlib",
    "onnx",
    "onnxscript",
    "onnxslim",
    "safetensors",
    "scipy",
    "tensorboard",
)
"""What a run imports, from its first step to the files that it ends with."""

LOCK = "run.lock"
"""Held open and locked for as long as a process trains into the folder."""

TRIED = 20
"""Pictures of a split that are tried where none can be read."""

LEFT_BY_A_RUN = ("checkpoint.pt", "model.safetensors", "log.csv")


def require_packages() -> None:
    """Raise BlazeFaceError naming all packages that a run would miss, sooner or later."""
    missing = [name for name in PACKAGES if not _is_there(name)]
    if missing:
        raise BlazeFaceError(
            f"training needs PyTorch and a few more, and {_listed(missing)} {'is' if len(missing) == 1 else 'are'}"
            f" not installed: {install_command('train')}"
        )


def require_device(name: str) -> None:
    """Raise BlazeFaceError for a device that this machine, or this PyTorch, does not have. Imports torch."""
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        reason = "this PyTorch is built without CUDA" if torch.version.cuda is None else "no GPU was found"
        raise BlazeFaceError(f"--device cuda: {reason}; --device cpu works everywhere")


def require_batch(batch: int, processes: int) -> None:
    """Raise BlazeFaceError where a step has fewer crops than there are processes to share them."""
    if batch < processes:
        raise BlazeFaceError(
            f"--batch {batch}: {processes} processes share the crops of a step, so it takes at least {processes}"
        )


@contextmanager
def claimed(out: Path, resumed: Path | None) -> Iterator[None]:
    """The run's folder, made where it is not there, for this process alone.

    resumed: the folder of the run that goes on. Raises BlazeFaceError for a folder that holds another run, or into which
    another process trains at this moment. A folder that is still empty at the end is removed.
    """
    new = not out.exists()
    if not (resumed is not None and _same(out, resumed)):
        _refuse_another_run(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = os.open(out / LOCK, os.O_CREAT | os.O_RDWR, 0o666)
    except OSError as error:
        raise BlazeFaceError(
            f"--out: {printable(str(out))} cannot be written: {error.strerror or error}"
        ) from error
    held = False
    try:
        held = _take(lock)
        if not held:
            raise BlazeFaceError(
                f"--out: another process trains into {printable(str(out))} now; name another folder"
            )
        yield
    finally:
        with suppress(OSError):
            if held:
                (out / LOCK).unlink(missing_ok=True)
            os.close(lock)
            if new:
                out.rmdir()  # fails where a run has left something


def load_data(
    root: Path,
    val_share: float | None,
    say: Callable[[str], None],
    form: str | None = None,
    categories: Sequence[str] = (),
) -> tuple[list[Sample], list[Sample]]:
    """The pictures to train on and those of val that are there, at least one of each, and at least one face to learn.

    val_share: share of the pictures of train that become val; None where the data has a val of its own. `say` takes a
    sentence about pictures that are missing, and about labels that were brought into line with them. form, categories: as
    for `load_split`. Raises BlazeFaceError where nothing could be learnt, or nothing scored.
    """
    train = load_split(root, "train", form, categories, say)
    if val_share is None:
        try:
            val = load_split(root, "val", form, categories, say)
        except NoLabels as error:
            raise BlazeFaceError(f"{error}; --val-split 0.1 scores on a tenth of the pictures of train") from error
    else:
        train, val = split_off(train, val_share)
    train, val = _present(train, "train", root, say), _present(val, "val", root, say)
    if all(sample.ignore.all() for sample in train):
        form = box_form_of_some(train)
        raise BlazeFaceError(
            f"{printable(str(root))}: no face is labelled in the {len(train):,} pictures of train: nothing to learn"
            + (f"; {form}" if form else "")
        )
    return train, val


def tell_of_data(train: Sequence[Sample], val: Sequence[Sample], input_size: int, recipe: CropRecipe) -> None:
    """What `blazeface data check` says at length, in two lines, and a line where right and left are changed over, or boxes are of
    another form than they were read in. input_size: side in pixels of the input of the network that is trained."""
    for split, samples in (("train", train), ("val", val)):
        print(short_form(split, samples, input_size, recipe))
        for warning in (sides_warning(changed_over(samples)), box_form_of_some(samples)):
            if warning:
                print(f"{split}: {warning}", file=sys.stderr)
    sys.stdout.flush()


def _present(samples: list[Sample], split: str, root: Path, say: Callable[[str], None]) -> list[Sample]:
    """The samples whose picture files are there, without HEIC where nothing reads it. Raises BlazeFaceError where none is left, or
    none of those that are tried can be read."""
    there = [sample for sample in samples if sample.path.is_file()]
    missing = len(samples) - len(there)
    if missing:
        first = next(sample.path for sample in samples if not sample.path.is_file())
        shown = printable(str(first))
        if not there:
            raise BlazeFaceError(
                f"{printable(str(root))}: none of the {len(samples):,} pictures of {split} is there, {shown} for one"
            )
        say(f"{missing:,} of {len(samples):,} pictures of {split} are missing, {shown} for one; left out")
    heic = [] if heic_library() else [sample for sample in there if sample.path.suffix.lower() in HEIC_SUFFIXES]
    if heic:
        sentence = f"{len(heic):,} of {len(samples):,} pictures of {split}: {NO_HEIC}"
        there = [sample for sample in there if sample.path.suffix.lower() not in HEIC_SUFFIXES]
        if not there:
            raise BlazeFaceError(f"{printable(str(root))}: {sentence}")
        say(f"{sentence}; left out")
    _try_to_read(there, split)
    return there


def _try_to_read(samples: list[Sample], split: str) -> None:
    """Raise BlazeFaceError where none of TRIED pictures can be read; the first that can ends the search."""
    faults = []
    for sample in chosen_evenly(samples, TRIED):
        try:
            read_picture(str(sample.path))
            return
        except BlazeFaceError as error:
            faults.append(error)
    raise BlazeFaceError(f"none of {len(faults)} pictures of {split} that were tried can be read: {faults[0]}")


def _refuse_another_run(out: Path) -> None:
    for name in LEFT_BY_A_RUN:
        if (out / name).exists():
            shown = printable(str(out))
            raise BlazeFaceError(
                f"--out: {shown} holds a run already; go on with --resume {shown}, or name another"
            )


def _is_there(name: str) -> bool:
    if name in sys.modules:
        return sys.modules[name] is not None
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _same(first: Path, second: Path) -> bool:
    return os.path.realpath(first) == os.path.realpath(second)


def _take(lock: int) -> bool:
    """Lock a file that is open, for as long as it is; true as well where the system has no such locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
