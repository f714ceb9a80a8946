"""Wrong bytes by the hundred thousand: does anything crash, hang for 5 seconds, or take a gigabyte?

    python -m reliability.fuzz --count 1000000 --seed 20
    python -m reliability.fuzz --count 1000000 --seed 20 --add       # goes on after the newest report

Each kind of file is read in a process of its own: mutants of whole files, in numbered series, the same again for the same seed;
then, with --guided and where reading is Python and atheris is installed, inputs that atheris makes by watching which lines run.
An input ends well when it is read or refused with a BlazeFaceError. Anything else is a finding: its bytes are kept under
out/fuzz/findings, to become a test. The report is written again after each part.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

from blazeface.errors import BlazeFaceError
from reliability import guided
from reliability.feeding import Limits, One, feed, in_child
from reliability.mutate import mutant
from reliability.report import resumed, table, write_report
from reliability.targets import COVERED, TARGETS

OUT = Path(__file__).parents[1] / "out" / "fuzz"
LIMITS = Limits(cpu_seconds=5, memory_mb=1024)
MAX_PIXELS = 2**25
"""So that a picture, which may be large, is not taken for a bug; see files/pictures.py."""

PARTS = 4
"""Each kind of file is tried in so many parts, in turns, so that a trial that is cut short has been through all of them."""

KEPT = 50
"""Findings of one kind of file that are kept."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="mutants of all kinds together")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="end after these at the latest")
    parser.add_argument("--guided", type=float, default=0.0, help="seconds for what atheris makes (default 0)")
    parser.add_argument("--only", choices=sorted(TARGETS), nargs="+", default=list(TARGETS))
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument(
        "--add", action="store_true", help="go on after the newest report, which has the same seed"
    )
    parser.add_argument("--cover", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ.update({f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")})
    os.environ["BLAZEFACE_MAX_PIXELS"] = str(MAX_PIXELS)
    if args.cover:
        return guided.watch_coverage(args.cover[0], int(args.cover[1]), LIMITS, OUT)
    figures = resumed("fuzz", args.seed, args.add)
    rows: dict[str, dict[str, Any]] = figures.setdefault("targets", {})
    whole, end = sum(TARGETS[name].share for name in args.only), time.monotonic() + 60 * args.minutes
    goals = {name: ceil(args.count * TARGETS[name].share / whole) for name in args.only}
    seeds: dict[str, list[bytes]] = {}
    path = None
    for part in range(1, PARTS + 1):
        for name, goal in goals.items():
            row = rows.setdefault(name, new_row(name))
            missing = goal * part // PARTS - row["inputs"]
            if missing > 0 and time.monotonic() < end:
                seeds[name] = seeds.get(name) or in_child(TARGETS[name].seeds)
                add_mutants(row, seeds[name], args.seed, missing, end)
                path = write_report("fuzz", _summed(figures, args), as_text(figures))
    covered = [name for name in args.only if name in COVERED and importlib.util.find_spec("atheris")]
    for name in covered if args.guided else ():
        rows[name]["guided"] += guided.coverage(
            name, args.guided / len(covered), rows[name]["findings"], OUT, seeds.get(name) or TARGETS[name].seeds()
        )
        path = write_report("fuzz", _summed(figures, args), as_text(figures))
    print(
        f"{figures.get('inputs', 0):,} inputs, {len(figures.get('findings', ()))} findings: {path or 'nothing new'}"
    )
    return 1 if figures.get("findings") else 0


def new_row(name: str) -> dict[str, Any]:
    return {"target": name, "inputs": 0, "guided": 0, "read": 0, "refused": 0, "memory_mb": 0, "findings": []}


def add_mutants(row: dict[str, Any], seeds: list[bytes], seed: int, count: int, end: float) -> None:
    """Feed `count` mutants more to one kind of file, from the first number that was not tried on."""
    name = row["target"]
    fed = feed(partial(opened, name, seeds, seed), row["inputs"], count, end, LIMITS)
    row["inputs"] = fed.done
    row["read"] += fed.counts["read"]
    row["refused"] += fed.counts["refused"]
    row["memory_mb"] = max(row["memory_mb"], fed.memory_mb)
    for number, what in fed.findings:
        if len(row["findings"]) < KEPT:
            row["findings"].append(keep(name, mutant(seeds, is_text(name), seed, number), f"{number}: {what}"))


@contextmanager
def opened(name: str, seeds: list[bytes], seed: int, folder: Path) -> Iterator[One]:
    """Feeds mutants of `seeds` to the reader of one kind of file."""
    target, text = TARGETS[name], is_text(name)
    call, path = target.entry_point(), folder / f"checkpoint{target.suffix}"

    def one(number: int) -> str:
        path.write_bytes(mutant(seeds, text, seed, number))
        try:
            call(path)
            return "read"
        except BlazeFaceError as error:
            if "\n" in str(error).strip():
                raise ValueError("a refusal of several lines") from error
            return "refused"

    yield one


def is_text(name: str) -> bool:
    return TARGETS[name].suffix in (".txt", ".json")


def keep(name: str, data: bytes, what: str) -> str:
    """Keep the bytes of a finding; give its line for the report."""
    folder = OUT / "findings"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}{TARGETS[name].suffix}"
    path.write_bytes(data)
    return f"{name}: {what} ({path.name})"


def _summed(figures: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    rows = figures["targets"].values()
    findings = [finding for row in rows for finding in row["findings"]]
    figures |= {
        "asked": args.count,
        "inputs": sum(row["inputs"] + row["guided"] for row in rows),
        "findings": findings,
        "limits": {"seconds": LIMITS.cpu_seconds, "memory_mb": LIMITS.memory_mb, "pixels": MAX_PIXELS},
        "passed": not findings,
    }
    return figures


def as_text(figures: dict[str, Any]) -> str:
    rows = [
        [name, row["inputs"], row["guided"], row["read"], row["refused"], row["memory_mb"], len(row["findings"])]
        for name, row in figures["targets"].items()
    ]
    head = ["file", "mutants", "guided by coverage", "read", "refused", "peak of memory, MB", "findings"]
    found = "".join(f"\n- {line}" for line in figures["findings"]) or " none."
    return (
        f"{figures['inputs']:,} inputs of {figures['asked']:,} mutants asked for, seed {figures['seed']}, by the code of"
        f" {', '.join(figures['commits'])}. A finding is a crash, an exception other than BlazeFaceError,"
        f" {LIMITS.cpu_seconds:g} s of CPU time, or {LIMITS.memory_mb} MB of memory;"
        f" pictures were limited to {MAX_PIXELS:,} pixels. `read` and `refused` are of the mutants.\n\n"
        f"{table(head, rows)}\n\nFindings:{found}"
    )


if __name__ == "__main__":
    sys.exit(main())
