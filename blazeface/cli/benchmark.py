"""`blazeface benchmark`: how long a model takes from a 1280 x 720 picture to boxes, and where the time goes."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from blazeface.backends import BACKENDS, backend_for
from blazeface.benchmark import own
from blazeface.benchmark.contender import Contender
from blazeface.benchmark.interleave import Figures, interleaved, machine
from blazeface.benchmark.scenes import HEIGHT, WIDTH, scenes
from blazeface.cli.shared_flags import add_min_face, add_overwrite, refuse_unless
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture
from blazeface.files.staged import write_text

PICTURE = Path(own.__file__).with_name("astronaut.jpg")
"""data/pictures/astronaut.png as a JPEG file, which an installed wheel has as well."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--model", nargs="+", default=["front-128"], help="shipped models or model files (default: front-128)")
    add("--backend", nargs="+", choices=BACKENDS, help="default: by each model's suffix")
    add_min_face(parser)
    add("--threads", nargs="+", type=int, default=[1, 2], metavar="N", help="threads and CPU cores (default: 1 2)")
    add("--rounds", type=int, default=20, metavar="N", help="turns that each contender takes (default: 20)")
    add(
        "--picture", type=Path, help="a picture of a face, of which the frames are made (default: the shipped one)"
    )
    add("--json", type=Path, metavar="FILE", help="write the figures")
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    """Print a table for each number of threads. Status 1 when a contender could not be measured."""
    if args.rounds < 1:
        raise BlazeFaceError(f"--rounds must be 1 or more, not {args.rounds}")
    if min(args.threads) < 1:
        raise BlazeFaceError(f"--threads must be 1 or more, not {min(args.threads)}")
    refuse_unless(args.overwrite, "--json", [args.json] if args.json else [])
    picture = args.picture or PICTURE
    if not picture.is_file():
        raise BlazeFaceError(f"--picture: there is no {picture}; name a picture of a face")
    frames = scenes(read_picture(str(picture)))
    about = machine()
    print(f"{about['cpu']}, {about['cores']} cores, {about['date']}, load {about['load_average_at_start']};")
    print(f"{WIDTH} x {HEIGHT} BGR in, boxes out; milliseconds; medians, the contenders taking turns\n")
    results: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for threads in args.threads:
        found, lost = _measure(args.model, args.backend, threads, frames, args.rounds, args.min_face)
        results[str(threads)] = found
        failed |= lost
        if found:
            print(table(found, threads), flush=True)
    for reason in dict.fromkeys(failed.values()):
        print(f"blazeface benchmark: {reason}", file=sys.stderr)
    if args.json:
        content = {
            "machine": about,
            "frames": [HEIGHT, WIDTH],
            "min_face": args.min_face,
            "threads": results,
            "missing": failed,
        }
        write_text(args.json, json.dumps(content, indent=2) + "\n")
    return 1 if failed else 0


def _measure(
    models: list[str],
    backends: list[str] | None,
    threads: int,
    frames: list[Any],
    rounds: int,
    min_face: float | str | None,
) -> tuple[dict[str, Figures], dict[str, str]]:
    lost: dict[str, str] = {}
    with ExitStack() as running:
        contenders = {}
        for model in models:
            for backend in backends or [backend_for(model)]:
                name = f"{Path(model).name}, {backend}"
                options = {
                    "model": model,
                    "backend": backend,
                    "threads": threads,
                    "cores": threads,
                    "min_face": min_face,
                }
                try:
                    contender = Contender(name, Path(sys.executable), Path(own.__file__), options)
                    contenders[name] = running.enter_context(contender)
                except BlazeFaceError as error:
                    lost[name] = str(error)
        found, left = interleaved(contenders, frames, rounds)
    return found, lost | left


def table(found: dict[str, Figures], threads: int) -> str:
    """One row a contender; the three parts are measured by themselves, so they do not quite add up."""
    columns = ("median_ms", "p95_ms", "cpu_ms", "pre_ms", "network_ms", "post_ms", "peak_mb")
    titles = ("median", "p95", "CPU", "before", "network", "after", "peak MB")
    lines = [f"{threads} thread{'s' * (threads > 1)}".ljust(32) + "".join(f"{title:>10s}" for title in titles)]
    for name, row in found.items():
        cells = ["-" if row.get(column) is None else f"{row[column]:.2f}" for column in columns]
        lines.append(f"{name:32s}" + "".join(f"{cell:>10s}" for cell in cells))
    return "\n".join(lines) + "\n"
