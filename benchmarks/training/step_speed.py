"""How fast a training step is on this machine's CPU, and what brings it there.

    python -m benchmarks.training.step_speed                     # prints, and writes benchmarks/results/training_speed.json
    python -m benchmarks.training.step_speed --model back-256 --batch 16 --rounds 5

A step is forward, backward of a plain loss over all outputs, and AdamW; no data, no assignment. The ways
take turns step by step, so that a machine that is busy with other things slows them alike: compare the
ways of one run, not two runs. Speeds are medians, by the clock and by CPU time; the two differ
where other programs want the same cores.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import RESULTS
from blazeface.models.network import build
from blazeface.training.compiler import cpu_name
from blazeface.training.depthwise import accelerate, load_kernel
from blazeface.training.memory import keep_freed_memory

# Name, channels_last, own kernel, bfloat16 autocast.
WAYS = (
    ("NCHW", False, False, False),
    ("channels_last", True, False, False),
    ("channels_last + kernel", True, True, False),
    ("channels_last + bfloat16", True, False, True),
    ("channels_last + kernel + bfloat16", True, True, True),
)
WARM_UP = 2


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure training steps on the CPU.")
    parser.add_argument("--model", default="front-128")
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9, help="steps measured for each way")
    parser.add_argument("--out", type=Path, default=RESULTS / "training_speed.json")
    args = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(args.threads)
    ways = [way for way in WAYS if not way[2] or load_kernel() is not None]
    report = {
        "date": datetime.date.today().isoformat(),
        "cpu": next((line.split(":")[1].strip() for line in cpu_name().splitlines() if "model name" in line), ""),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "model": args.model,
        "threads": args.threads,
        "rounds": args.rounds,
        "unit": "images per second; medians",
        "batches": {str(batch): measure(args.model, batch, args.rounds, ways) for batch in args.batch},
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    fresh = args.out.with_suffix(".part")
    fresh.write_text(json.dumps(report, indent=2) + "\n")
    os.replace(fresh, args.out)


def measure(model: str, batch: int, rounds: int, ways: list[tuple[str, bool, bool, bool]]) -> dict[str, object]:
    """Images per second of each way, by the clock and per CPU second."""
    steps = {name: training_step(model, batch, *how) for name, *how in ways}
    clock: dict[str, list[float]] = {name: [] for name in steps}
    cpu: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(WARM_UP + rounds):
        for name, step in steps.items():
            started, started_cpu = time.perf_counter(), time.process_time()
            step()
            clock[name].append(time.perf_counter() - started)
            cpu[name].append(time.process_time() - started_cpu)
    result: dict[str, object] = {}
    for name in steps:
        by_clock = batch / statistics.median(clock[name][WARM_UP:])
        by_cpu = batch / statistics.median(cpu[name][WARM_UP:])
        print(
            f"batch {batch:3d}  {name:34s} {by_clock:6.1f} by the clock, {by_cpu:6.1f} per CPU second", flush=True
        )
        result[name] = {"by_clock": round(by_clock, 1), "per_cpu_second": round(by_cpu, 1)}
    return result


def training_step(model: str, batch: int, channels_last: bool, kernel: bool, bfloat16: bool) -> Callable[[], None]:
    """A function that takes one step of a fresh network on one fixed batch."""
    torch.manual_seed(0)
    network = build(model).train()
    side = network.spec.input_size
    images = torch.randn(batch, 3, side, side)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = images.contiguous(memory_format=torch.channels_last)
    if kernel:
        accelerate(network)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits, regressions = network(images)
        optimizer.zero_grad(set_to_none=True)
        (logits.float().square().mean() + regressions.float().square().mean()).backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
