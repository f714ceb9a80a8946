"""`detect --jobs N --jsonl FILE` (or --json): very many pictures, by several processes."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from blazeface.backends import backend_for
from blazeface.batch.run import WorkerPool, outcomes_in_order, resumable
from blazeface.detector import FaceDetector, model_path
from blazeface.errors import BlazeFaceError
from blazeface.options import DetectOptions
from blazeface.pipeline import RunCounts, say
from blazeface.sinks.output_paths import WrongUsage, check_file, refuse_existing
from blazeface.sinks.records import json_texts
from blazeface.sources.inputs import pictures_in


def run_batch(options: DetectOptions, counts: RunCounts, stop: Callable[[], bool]) -> float:
    """Do it, counting in `counts`; the seconds that it took. Raises WrongUsage and BlazeFaceError."""
    inputs, write = options.read.inputs, options.write
    _refuse_others(options)
    target = _target(options)
    if not inputs:
        raise WrongUsage("no input: name pictures or folders")
    total = None if write.quiet or not sys.stderr.isatty() else _count(inputs)
    start = time.monotonic()
    pool = _make_pool(options)
    try:
        with _lines(options, target) as (put, done), _bar(total) as bar:
            for outcomes in outcomes_in_order(_left(inputs, counts, done, bar), pool, stop):
                put([out.line for out in outcomes if out.line is not None])
                for outcome in outcomes:
                    counts.pictures += outcome.fault is None
                    counts.with_face += outcome.faces > 0
                    if outcome.fault is not None:
                        counts.report(BlazeFaceError(outcome.fault))
                bar.update(len(outcomes))
            if stop():
                raise KeyboardInterrupt  # a part that can be gone on with stays
    finally:
        pool.close()
    return time.monotonic() - start


def _target(options: DetectOptions) -> Path | None:
    """The file that the faces go into, None for standard output. Raises WrongUsage."""
    write = options.write
    if write.json is not None and write.jsonl is not None:
        raise WrongUsage("--json and --jsonl: name one of them")
    flag, name = ("--json", write.json) if write.json is not None else ("--jsonl", write.jsonl)
    if name is None:
        raise WrongUsage("--jobs: name the file for the faces with --json FILE or --jsonl FILE")
    target = None if flag == "--json" and name == "-" else check_file(flag, name, [], [])
    if options.batch.resume and not _has_lines(target):
        raise WrongUsage("--resume: goes on with a file of lines alone: name it with --jsonl FILE.jsonl")
    if target is not None and not (options.batch.resume or write.overwrite):
        refuse_existing([target], flag)
    return target


def _has_lines(target: Path | None) -> bool:
    return target is not None and target.suffix.lower() == ".jsonl"


@contextmanager
def _lines(
    options: DetectOptions, target: Path | None
) -> Iterator[tuple[Callable[[list[str]], None], Callable[[str], bool]]]:
    """What takes the lines, and whether a name has one already from a run before."""
    replace = options.write.overwrite
    if target is None:
        yield _print_lines, lambda name: False
    elif _has_lines(target):
        with resumable(target, options.batch.resume, replace, _made_by(options)) as (file, done):

            def put(lines: list[str]) -> None:
                file.write("".join(f"{line}\n" for line in lines).encode("ascii"))
                file.flush()

            yield put, done
    else:
        with json_texts(target, replace) as write:

            def put_all(lines: list[str]) -> None:
                for line in lines:
                    write(line)

            yield put_all, lambda name: False


def _print_lines(lines: list[str]) -> None:
    for line in lines:
        print(line)
    sys.stdout.flush()


def _made_by(options: DetectOptions) -> dict[str, Any]:
    """On what the lines depend: the model, byte for byte, and the flags that change what is found."""
    look = options.look
    backend = look.backend or backend_for(look.model)
    path = model_path(look.model, backend)
    digest = hashlib.sha256(path.read_bytes())
    if path.suffix in (".xml", ".param"):  # whose weights lie beside them
        digest.update(path.with_suffix(".bin").read_bytes())
    left_out = ("model", "backend", "threads", "trust")
    others = {name: value if isinstance(value, float) else str(value) for name, value in vars(look).items()}
    return {"model": digest.hexdigest(), "backend": backend} | {
        name: value for name, value in others.items() if name not in left_out
    }


def _refuse_others(options: DetectOptions) -> None:
    """Raise WrongUsage for what has no meaning here."""
    look, follow, cover, write = options.look, options.follow, options.cover, options.write
    for flag, network in (("--refine", look.refine), ("--background-blur", cover.background)):
        if network is not None:
            raise WrongUsage(f"{flag} does not go with --jobs")
    others = {
        "video": options.read.video,
        "output": write.output,
        "csv": write.csv,
        "coco": write.coco,
        "yolo": write.yolo,
        "crop": write.crop,
        "blur": cover.faces,
        "track": follow.track,
        "smooth": follow.smooth,
        "roi": look.roi,
    }
    for flag, value in others.items():
        if value:
            raise WrongUsage(f"--{flag}: does not go with --jobs, which reads pictures into --json or --jsonl")


def _make_pool(options: DetectOptions) -> WorkerPool:
    FaceDetector(**options.look.arguments)  # a model that cannot be opened is said here, and not by each worker
    jobs = options.batch.jobs or 1
    # Imported here: Ray is heavy and optional.
    if options.batch.engine == "ray":
        from blazeface.batch.ray_pool import RayPool

        return RayPool(jobs, options.look)
    from blazeface.batch.pool import ProcessPool

    return ProcessPool(jobs, options.look)


def _bar(total: int | None) -> Any:
    return tqdm(total=total, unit="picture", leave=False, dynamic_ncols=True, disable=total is None)


def _left(texts: Sequence[str], counts: RunCounts, done: Callable[[str], bool], bar: Any) -> Iterator[str]:
    """The names of the pictures that have no line yet, found as they are needed."""
    for name in pictures_in(texts, counts.report, say):
        if done(name):
            bar.update()
        else:
            yield name


def _count(texts: Sequence[str]) -> int:
    return sum(1 for _ in pictures_in(texts, lambda fault: None))
