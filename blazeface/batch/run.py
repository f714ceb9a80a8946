"""Very many pictures into one .jsonl: several processes, lines in order, bounded memory, going on after a kill.

The lines stand in FILE.jsonl.part until all is done. One run hands out chunks of names to a pool of workers, takes
back their lines in whatever order they come, and writes them in the order of the names; no more than WINDOW chunks
a worker are on their way. A worker that dies, by a picture that crashes its decoder or for lack of memory, is
replaced, and the pictures that it had are tried again one by one.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.staged import EXISTS, cannot_write

CHUNK = 16
"""Pictures handed to a worker at once."""

WINDOW = 4
"""Chunks on their way per worker: while one is slow, the others get this far ahead."""

MAX_WORKER_EXITS = 10
"""Workers that may die one after the other, with no picture done in between, until a run gives up."""


class Outcome(NamedTuple):
    """What became of one picture: its line, or what is wrong with it. faces: how many were found."""

    line: str | None
    fault: str | None
    faces: int


class WorkerExit(NamedTuple):
    """A worker died before it was done with its chunk."""

    reason: str


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
                deaths += 1
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
    chunk.outcomes[place] = Outcome(None, f"{name}: the process that read it died: {death.reason}", 0)


@contextmanager
def resumable(
    target: Path, resume: bool, overwrite: bool = False
) -> Iterator[tuple[IO[bytes], Callable[[str], bool]]]:
    """The file of an unfinished run, open for appending, and whether it has the line of a source.

    It is TARGET.part, which becomes TARGET when the block ends well; when it does not, it stays for the next run.
    With resume a part that is there is gone on with (or the finished file, for pictures that have come since); a
    last line that was torn by a kill is cut off, and its picture is done again. overwrite: a finished file may be
    replaced. Raises BlazeFaceError for a finished file otherwise, for a part without resume, for one that another run
    has open, and for one that holds something else.
    """
    part = target.with_name(f"{target.name}.part")
    shown = printable(str(part))
    if target.exists() and not overwrite and (part.exists() or not resume):
        raise BlazeFaceError(f"{printable(str(target))}: {EXISTS}")
    if not resume and part.exists() and part.stat().st_size:
        raise BlazeFaceError(f"{shown}: from a run that was cut short: go on with --resume, or remove it")
    try:
        if resume and target.exists() and not part.exists():
            os.replace(target, part)
        with part.open("ab+") as file:
            _lock(file, shown)
            done = _sources(file, shown)
            yield file, lambda source: _digest(source) in done
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except OSError as error:
        raise cannot_write(part, error) from error


def _sources(file: IO[bytes], shown: str) -> set[int]:
    """Digests of the sources that have a line, eight bytes each; a torn last line is cut off the file."""
    done: set[int] = set()
    file.seek(0)
    end = 0
    for number, line in enumerate(file, 1):
        if not line.endswith(b"\n"):
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
