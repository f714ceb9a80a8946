"""`detect --jobs N --jsonl FILE`: very many pictures, by several processes."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from tqdm import tqdm

from blazeface.batch.run import WorkerPool, outcomes_in_order, resumable
from blazeface.batch.worker import Settings
from blazeface.detector import FaceDetector
from blazeface.errors import BlazeFaceError
from blazeface.pipeline import RunCounts
from blazeface.sinks.output_paths import WrongUsage, check_file
from blazeface.sources.inputs import pictures_in

OTHERS = ("video", "output", "json", "csv", "coco", "yolo", "crop", "blur", "track", "smooth", "roi")
"""Flags that have no meaning here."""


def run_batch(args: argparse.Namespace, counts: RunCounts, stop: Callable[[], bool]) -> float:
    """Do it, counting in `counts`; the seconds that it took. Raises WrongUsage and BlazeFaceError."""
    for flag in OTHERS:
        if getattr(args, flag):
            raise WrongUsage(f"--{flag}: does not go with --jobs, which reads pictures into --jsonl")
    if args.jsonl is None:
        raise WrongUsage("--jobs: name the file for the faces with --jsonl FILE")
    if not args.inputs:
        raise WrongUsage("no input: name pictures or folders")
    target = check_file("--jsonl", args.jsonl, [], [])
    total = None if args.quiet or not sys.stderr.isatty() else _count(args.inputs)
    start = time.monotonic()
    pool = _make_pool(args)
    try:
        with resumable(target, args.resume) as (file, done), _bar(total) as bar:
            for outcomes in outcomes_in_order(_left(args.inputs, counts, done, bar), pool, stop):
                file.write("".join(f"{out.line}\n" for out in outcomes if out.line is not None).encode("ascii"))
                file.flush()
                for outcome in outcomes:
                    counts.pictures += outcome.fault is None
                    counts.with_face += outcome.faces > 0
                    if outcome.fault is not None:
                        counts.report(BlazeFaceError(outcome.fault))
                bar.update(len(outcomes))
            if stop():
                raise KeyboardInterrupt  # the part stays, to be gone on with
    finally:
        pool.close()
    return time.monotonic() - start


def _make_pool(args: argparse.Namespace) -> WorkerPool:
    settings: Settings = (args.model, args.score_threshold, args.backend, args.threads)
    FaceDetector(*settings)  # a model that cannot be opened is said here, and not by each worker
    # Imported here: Ray is heavy and optional.
    if args.engine == "ray":
        from blazeface.batch.ray_pool import RayPool

        return RayPool(args.jobs, settings)
    from blazeface.batch.pool import ProcessPool

    return ProcessPool(args.jobs, settings)


def _bar(total: int | None) -> Any:
    return tqdm(total=total, unit="picture", leave=False, dynamic_ncols=True, disable=total is None)


def _left(texts: list[str], counts: RunCounts, done: Callable[[str], bool], bar: Any) -> Iterator[str]:
    """The names of the pictures that have no line yet, found as they are needed."""
    for name in pictures_in(texts, counts.report):
        if done(name):
            bar.update()
        else:
            yield name


def _count(texts: list[str]) -> int:
    return sum(1 for _ in pictures_in(texts, lambda fault: None))
