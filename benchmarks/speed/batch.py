"""How many pictures of 1280 x 720 a second a run over very many pictures does: from memory, and from disk.

    python -m benchmarks.speed.batch [--model front-128] [--jobs 2] [--seconds 10] [--rounds 3]

From memory: as many processes as jobs, each with one thread, look at pictures that are decoded already, in batches as
`detect --jobs` does. From disk: `detect --jobs` itself over JPEG files, with the start of its workers taken off by
running it over two numbers of pictures. Beside it, what decoding alone allows: the same processes read the same files
and look for nothing. The pictures are the shipped photograph on grounds of noise. Writes
benchmarks/results/batch.json and batch.md. The three take turns, and the best of each is given, since other work on
the machine only ever slows them: three rounds take two minutes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import RESULTS, ROOT

RESULT = RESULTS / "batch.json"
SIZE = (720, 1280)
DIFFERENT = 24


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure pictures per second, from memory and from disk.")
    parser.add_argument(
        "--model", default="front-128", help="a shipped model or a model file (default: front-128)"
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement (default: 10)")
    parser.add_argument("--pictures", type=int, default=3000, help="read from disk (default: 3000)")
    parser.add_argument("--rounds", type=int, default=3, help="the best of them is given (default: 3)")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    from blazeface.batch.run import CHUNK

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kilobytes = write_pictures(folder, args.pictures)
        result: dict[str, Any] = {
            "model": args.model,
            "picture": f"{SIZE[1]}x{SIZE[0]}",
            "jobs": args.jobs,
            "cpus": os.cpu_count(),
            "machine": platform.machine(),
            "load_before": round(os.getloadavg()[0], 2),
            "batch": CHUNK,
            "jpeg_kilobytes": round(kilobytes, 1),
            "rounds": args.rounds,
        }
        rounds = [
            {
                **rate(args, "memory", look, args.model),
                **rate(args, "decoding", decode, str(folder)),
                "disk_per_second": round(from_disk(args, folder), 1),
            }
            for _ in range(args.rounds)
        ]
        result |= {name: max(each[name] for each in rounds) for name in rounds[0]}
    text = json.dumps(result, indent=2) + "\n"
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(text, encoding="utf-8")
    args.out.with_suffix(".md").write_text(table(result), encoding="utf-8")
    print(text, end="")


def table(result: dict[str, Any]) -> str:
    head = (
        f"{result['model']}, pictures of {result['picture']}, {result['jobs']} processes of one thread on "
        f"{result['cpus']} cores ({result['machine']}), load {result['load_before']} before; best of {result['rounds']}. `python -m benchmarks.speed.batch`"
    )
    rows = [
        ("looked at, from memory", result["memory_per_second"], result["memory_per_cpu_second"]),
        (
            f"decoded alone (JPEG of {result['jpeg_kilobytes']:g} kB)",
            result["decoding_per_second"],
            result["decoding_per_cpu_second"],
        ),
        ("`detect --jobs`, from disk", result["disk_per_second"], "-"),
    ]
    lines = [f"| {name} | {wall} | {cpu} |" for name, wall, cpu in rows]
    return "\n".join([head, "", "| | a second | a second of one processor |", "| --- | ---: | ---: |", *lines, ""])


def write_pictures(folder: Path, count: int) -> float:
    """`count` names for DIFFERENT JPEG files, linked; the mean size in kB."""
    import cv2

    sizes = []
    for n, image in enumerate(pictures()):
        cv2.imwrite(str(folder / f"{n:06d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 90])
        sizes.append((folder / f"{n:06d}.jpg").stat().st_size)
    for n in range(DIFFERENT, count):
        os.link(folder / f"{n % DIFFERENT:06d}.jpg", folder / f"{n:06d}.jpg")
    return sum(sizes) / len(sizes) / 1000


def pictures() -> list[np.ndarray]:
    """The shipped photograph at several sizes and places, on blurred noise."""
    import cv2

    face = cv2.imread(str(ROOT / "data" / "pictures" / "astronaut.png"))
    assert face is not None
    rng = np.random.default_rng(7)
    made = []
    for _ in range(DIFFERENT):
        ground = cv2.resize(rng.integers(0, 255, (45, 80, 3), np.uint8), SIZE[::-1], interpolation=cv2.INTER_CUBIC)
        side = int(rng.integers(300, 700))
        top, left = int(rng.integers(0, SIZE[0] - side)), int(rng.integers(0, SIZE[1] - side))
        ground[top : top + side, left : left + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
        made.append(np.ascontiguousarray(ground))
    return made


def rate(args: argparse.Namespace, name: str, work: Callable[..., None], what: str) -> dict[str, float]:
    """Pictures a second of all processes together, from when all of them were ready, and per second of processor
    time of one, which other work on the machine disturbs less."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(args.jobs)
    done = context.Queue()
    processes = [context.Process(target=work, args=(what, args.seconds, ready, done)) for _ in range(args.jobs)]
    for process in processes:
        process.start()
    rates = [done.get(timeout=600) for _ in processes]
    for process in processes:
        process.join()
    per_second, per_cpu_second = np.array(rates).T
    return {
        f"{name}_per_second": round(float(per_second.sum()), 1),
        f"{name}_per_cpu_second": round(float(per_cpu_second.mean()), 1),
    }


def look(model: str, seconds: float, ready: Any, done: Any) -> None:
    import cv2

    from blazeface import FaceDetector
    from blazeface.batch.run import CHUNK

    cv2.setNumThreads(1)
    detector = FaceDetector(model)
    images = pictures()
    batches = [[images[(start + n) % len(images)] for n in range(CHUNK)] for start in range(0, len(images), CHUNK)]
    detector.detect_batch(batches[0])
    done.put(timed(lambda n: len(detector.detect_batch(batches[n % len(batches)])), seconds, ready))


def decode(folder: str, seconds: float, ready: Any, done: Any) -> None:
    import cv2

    from blazeface.files.pictures import read_picture
    from blazeface.training.memory import keep_freed_memory

    keep_freed_memory()  # as a worker's heap does after its first pictures; fresh pages halve the speed of decoding
    cv2.setNumThreads(1)
    names = sorted(str(path) for path in Path(folder).iterdir())

    def one(n: int) -> int:
        read_picture(names[n % len(names)])
        return 1

    one(0)
    done.put(timed(one, seconds, ready))


def timed(work: Callable[[int], int], seconds: float, ready: Any) -> tuple[float, float]:
    """Pictures a second by the clock on the wall, and by the processor's."""
    ready.wait(300)
    start, processor = time.perf_counter(), time.process_time()
    count = n = 0
    while time.perf_counter() - start < seconds:
        count += work(n)
        n += 1
    return count / (time.perf_counter() - start), count / (time.process_time() - processor)


def from_disk(args: argparse.Namespace, folder: Path) -> float:
    """Pictures a second of `detect --jobs`, without the start of its workers."""
    names = sorted(str(path) for path in folder.iterdir())
    few = max(64, len(names) // 10)
    lengths = [seconds_for(args, folder, chosen) for chosen in (names[:few], names)]
    return (len(names) - few) / (lengths[1] - lengths[0])


def seconds_for(args: argparse.Namespace, folder: Path, names: list[str]) -> float:
    from blazeface.batch.pool import ProcessPool
    from blazeface.batch.run import outcomes_in_order
    from blazeface.options import LookOptions

    pool = ProcessPool(args.jobs, LookOptions(args.model))
    start = time.perf_counter()
    try:
        lines = sum(len(chunk) for chunk in outcomes_in_order(names, pool, lambda: False))
    finally:
        pool.close()
    assert lines == len(names), f"{folder}: {lines} of {len(names)}"
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
