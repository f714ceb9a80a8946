"""Very many pictures into one .jsonl: several processes, lines in order, bounded memory, going on after a kill.

The lines stand in FILE.jsonl.part until all is done. One run hands out chunks of names to a pool of workers, takes
back their lines in any order, and writes them in the order of the names; no more than WINDOW chunks
a worker are on their way. A worker that dies, by a picture that crashes its decoder or for lack of memory, is
replaced, and the pictures that it had are tried again one by one.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.staged import EXISTS, staged_file, write_errors

CHUNK = 16
"""Pictures handed to a worker at once."""

WINDOW = 4
"""Chunks on their way per worker: while one is slow, the others get this far ahead."""

MAX_WORKER_EXITS = 10
"""Workers that may die one after the other, with no picture done in between, until a run gives up."""


BEGINNING = b'{"source": "'
"""How each line begins (`sinks.records.record`): what else stands where a line was torn is not ours to cut off."""


class Outcome(NamedTuple):
    """What became of one picture: its line, or what is wrong with it. faces: how many were found."""

    line: str | None
    fault: str | None
    faces: int


class WorkerExit(NamedTuple):
    """A worker died before it was done with its chunk. late: it was ended, since it took too long."""

    reason: str
    late: bool = False


class WorkerPool(Protocol):
    """Workers, wherever they run. submit(key, names) gives work to one of the `free`; wait(seconds) gives what has
    come back meanwhile: the key with an outcome per name, or with a WorkerExit. close() ends them.
    """

    @property
    def size(self) -> int: ...

    @property
    def free(self) -> int: ...

    def submit(self, key: Key, names: list[str]) -> None: ...

    def wait(self, seconds: float) -> list[tuple[Key, list[Outcome] | WorkerExit]]: ...

    def close(self) -> None: ...


Key = tuple[int, int]
"""A chunk's number, and the place in it of the first of the names that are meant."""


@dataclass
class _Chunk:
    names: list[str]
    outcomes: list[Outcome | None]
    alone: bool = False  # its names were handed out one by one


def outcomes_in_order(names: Iterable[str], pool: WorkerPool, stop: Callable[[], bool]) -> Iterator[list[Outcome]]:
    """What becomes of the pictures, in their order, a chunk at a time; less than all where stop() says so.

    Raises BlazeFaceError when workers die again and again.
    """
    source = iter(names)
    chunks: dict[int, _Chunk] = {}
    again: deque[tuple[Key, list[str]]] = deque()
    first = following = deaths = 0
    more = True
    while not stop():
        while pool.free and again:
            pool.submit(*again.popleft())
        while pool.free and more and following - first < WINDOW * pool.size:
            chunk = list(islice(source, CHUNK))
            more = len(chunk) == CHUNK
            if chunk:
                chunks[following] = _Chunk(chunk, [None] * len(chunk))
                pool.submit((following, 0), chunk)
                following += 1
        if first == following:
            return
        for (number, place), back in pool.wait(0.2):
            chunk_of = chunks[number]
            if isinstance(back, WorkerExit):
                deaths += not back.late
                if deaths > MAX_WORKER_EXITS:
                    raise BlazeFaceError(f"the workers die one after the other: {back.reason}")
                again.extend(_tried_again(number, place, chunk_of, back))
            else:
                deaths = 0
                chunk_of.outcomes[place : place + len(back)] = back
        while first in chunks and None not in chunks[first].outcomes:
            yield [outcome for outcome in chunks.pop(first).outcomes if outcome is not None]
            first += 1


def _tried_again(number: int, place: int, chunk: _Chunk, death: WorkerExit) -> Iterator[tuple[Key, list[str]]]:
    """The names of a chunk one by one; one that was alone already has killed its worker, and that is its outcome."""
    if not chunk.alone:
        chunk.alone = True
        for position, name in enumerate(chunk.names):
            yield (number, position), [name]
        return
    name = printable(chunk.names[place])
    reason = death.reason if death.late else f"the process that read it died: {death.reason}"
    chunk.outcomes[place] = Outcome(None, f"{name}: {reason}", 0)


@contextmanager
def resumable(
    target: Path, resume: bool, overwrite: bool = False, made_by: Mapping[str, Any] | None = None
) -> Iterator[tuple[IO[bytes], Callable[[str], bool]]]:
    """The file of an unfinished run, open for appending, and whether it has the line of a source.

    It is TARGET.part, which becomes TARGET when the block ends well; when it does not, it stays for the next run.
    With resume a part that is there is gone on with (or the finished file, for pictures that have come since); a
    last line that was torn by a kill is cut off, and its picture is done again. overwrite: a finished file may be
    replaced. Raises BlazeFaceError for a finished file otherwise, for a part without resume, for one that another run
    has open, and for one that holds something else.

    made_by: the model and the flags on which the lines depend. They stand in a hidden file beside it, and going on with
    others, or with a file of which nothing is known, raises BlazeFaceError.
    """
    part = target.with_name(f"{target.name}.part")
    beside = target.with_name(f".{target.name}.run")
    shown = printable(str(part))
    begun = (
        next((path for path in (part, target) if path.exists() and path.stat().st_size), None) if resume else None
    )
    if target.exists() and not overwrite and (part.exists() or not resume):
        raise BlazeFaceError(f"{printable(str(target))}: {EXISTS}")
    if not resume and part.exists() and part.stat().st_size:
        raise BlazeFaceError(f"{shown}: from a run that was cut short: go on with --resume, or remove it")
    if made_by is not None and begun is not None:
        _refuse_other_run(begun, beside, made_by)
    with write_errors(part):
        if made_by is not None and begun is None:
            with staged_file(beside) as staged:
                staged.write_text(json.dumps(made_by, sort_keys=True), encoding="ascii")
        if resume and target.exists() and not part.exists():
            os.replace(target, part)
        with part.open("ab+") as file:
            _lock(file, shown)
            done = _sources(file, shown)
            yield file, lambda source: _digest(source) in done
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)


def _refuse_other_run(begun: Path, beside: Path, made_by: Mapping[str, Any]) -> None:
    """Raise BlazeFaceError unless the lines that are there were made by the same model with the same flags."""
    shown = printable(str(begun))
    try:
        before = json.loads(beside.read_text(encoding="ascii"))
        changed = sorted(key for key in made_by.keys() | before.keys() if before.get(key) != made_by.get(key))
    except FileNotFoundError as error:
        raise BlazeFaceError(
            f"--resume: {shown}: what made it is not known ({beside.name} is not beside it); it is left as it is"
        ) from error
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise BlazeFaceError(f"--resume: {printable(str(beside))}: cannot be read; nothing was changed") from error
    if changed:
        differences = ", ".join(f"{key} {before.get(key)!s:.40} (now {made_by.get(key)!s:.40})" for key in changed)
        raise BlazeFaceError(f"--resume: {shown}: made with another {printable(differences)}; it is left as it is")


def _sources(file: IO[bytes], shown: str) -> set[int]:
    """Digests of the sources that have a line, eight bytes each; a torn last line is cut off the file."""
    done: set[int] = set()
    file.seek(0)
    end = 0
    for number, line in enumerate(file, 1):
        if not line.endswith(b"\n"):
            if not (line.startswith(BEGINNING) or BEGINNING.startswith(line)):
                raise BlazeFaceError(f"{shown}:{number}: not a line that detect wrote; it is left as it is")
            break
        try:
            done.add(_digest(json.loads(line)["source"]))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BlazeFaceError(f"{shown}:{number}: not a line that detect wrote; it is left as it is") from error
        end += len(line)
    file.truncate(end)
    file.seek(end)
    return done


def _digest(source: str) -> int:
    return int.from_bytes(blake2b(os.fsencode(source), digest_size=8).digest(), "big")


def _lock(file: IO[Any], shown: str) -> None:
    with suppress(ImportError):  # Windows has no fcntl
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BlazeFaceError(f"{shown}: another run is writing it") from error
