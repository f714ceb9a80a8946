"""Train one network on one GPU for a given time.

    python -m benchmarks.training.on_gpu.train --data ROOT --regions benchmarks/training/regions.json --init WEIGHTS \
        --seconds 500 --workers 6 --out FOLDER

Goes on from weights, in the recipe of `train.py` but for the pixel augmentation (`augment`), which is computed on the GPU, and
for views being seen more than once (`pool`). The rate follows the clock, a warm-up and half a cosine, so that the run ends
where the time does; what is learnt is therefore not the same twice. Writes FOLDER/NAME.safetensors, every minute and at the end,
and NAME.csv: the averaged weights, not calibrated, from which `train.py --init` goes on.
"""

from __future__ import annotations

import argparse
import csv
import functools
import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from benchmarks.training.on_gpu.augment import disturb
from benchmarks.training.on_gpu.pool import Pool
from blazeface.data.crops import Crop, CropRecipe, views_for
from blazeface.data.dataset import Batch, CropDataset, StepSampler, collate, init_worker
from blazeface.data.pictures import PictureCache
from blazeface.data.regions import with_regions
from blazeface.data.samples import Sample, load_split
from blazeface.export.verify import inference_copy
from blazeface.models.network import BlazeFace
from blazeface.models.weights import load_weights, save_weights
from blazeface.training.config import TrainConfig
from blazeface.training.losses import DetectionLoss, LossRecipe
from blazeface.training.optim import Ema, learning_rate, make_optimizer

READ_AT_ONCE = 256
"""Pictures read at once by the threads of `Decoded`."""

FIRST_VIEWS = 4096
"""Views in the pool before the first step."""

PUT_AT_ONCE = 256
"""Views in a batch of the workers."""

PARTS = 10_000
"""Parts of the time that the schedule counts as steps."""

WARM_UP = 150
"""Of those, in which the rate rises."""

LOG_SECONDS = 10.0
SAVE_SECONDS = 60.0


class Decoded(PictureCache):
    """All pictures, decoded by many threads before the workers are forked."""

    def __init__(self, paths: list[Path]):
        super().__init__(paths, 0, quiet=True)
        with ThreadPoolExecutor() as threads:
            for start in range(0, len(paths), READ_AT_ONCE):
                part = range(start, min(start + READ_AT_ONCE, len(paths)))
                self._kept[part.start : part.stop] = threads.map(self.get, part)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a detector on one GPU for a given time.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--regions", type=Path)
    parser.add_argument("--init", type=Path, required=True, help="weights to go on from, before their calibration")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--seconds", type=float, required=True, help="time for the steps, without reading pictures"
    )
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--keypoint-weight", type=float, default=16.0)
    parser.add_argument("--any-roll", type=float, default=CropRecipe.any_roll)
    parser.add_argument("--ema", type=float, default=0.9995)
    parser.add_argument("--pool", type=int, default=32_768, help="views kept of each shape")
    parser.add_argument(
        "--square",
        action="store_true",
        help="square views alone, for which the fastest kernels are looked for once",
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(args.seed)
    samples = load_split(args.data, "train")
    if args.regions:
        samples = with_regions(samples, args.regions)
    network = load_weights(args.init)
    torch.backends.cudnn.benchmark = args.square
    shapes = ((8, 8, 1.0),) if args.square else CropRecipe.shapes
    config = TrainConfig(
        model=network.spec.name,
        learning_rate=args.learning_rate,
        batch=args.batch,
        warmup=WARM_UP,
        seed=args.seed,
        ema=args.ema,
        crops=CropRecipe(any_roll=args.any_roll, shapes=shapes),
        loss=LossRecipe(keypoint_weight=args.keypoint_weight),
    )
    views = incoming(samples, network, config, args.workers)
    pool = Pool(args.pool, network.spec.input_size, device)
    args.out.mkdir(parents=True, exist_ok=True)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    train(network, config, pool, views, args.seconds, args.out / args.init.stem)


def incoming(samples: list[Sample], network: BlazeFace, config: TrainConfig, workers: int) -> queue.Queue[Batch]:
    """A queue that a thread keeps filled with batches of undisturbed views."""
    size = network.spec.input_size
    recipe = views_for(config.crops, size, max(network.layout.strides))
    pictures = Decoded([sample.path for sample in samples])
    dataset = CropDataset(samples, pictures, size, recipe, unchanged, config.seed, PUT_AT_ONCE)
    loader = DataLoader(
        dataset,
        batch_sampler=StepSampler(0, 10**9, PUT_AT_ONCE),
        num_workers=workers,
        collate_fn=functools.partial(collate, size=size),
        worker_init_fn=init_worker,
        prefetch_factor=4,
    )
    filled: queue.Queue[Batch] = queue.Queue(maxsize=32)

    def fill(batches: Iterator[Batch]) -> None:
        for batch in batches:
            filled.put(batch)

    threading.Thread(target=fill, args=(iter(loader),), daemon=True).start()
    return filled


def unchanged(crop: Crop, _: int) -> Crop:
    return crop


def train(
    network: BlazeFace,
    config: TrainConfig,
    pool: Pool,
    views: queue.Queue[Batch],
    seconds: float,
    out: Path,
) -> None:
    """Train for that many seconds, those in which the pool gets its first views among them."""
    network.train()
    ema, optimizer = Ema(network, config.ema), make_optimizer(network, config)
    device = next(network.parameters()).device
    loss = DetectionLoss(network.spec, config.loss).to(device)
    rng = np.random.default_rng(config.seed)
    start = logged = saved = time.monotonic()
    while pool.put_so_far < FIRST_VIEWS:
        pool.put(views.get())
    print(f"{out.name}: the first {pool.put_so_far:,} views after {time.monotonic() - start:.1f} s", flush=True)
    step, sums, summed = 0, torch.zeros(4, device=device), 0
    with out.with_suffix(".csv").open("w", newline="") as table:
        rows = csv.writer(table)
        rows.writerow(["seconds", "step", "crops", "views", "learning_rate", "loss", "score", "box", "keypoint"])
        while (passed := time.monotonic() - start) < seconds:
            while not views.empty():
                pool.put(views.get())
            rate = learning_rate(int(PARTS * passed / seconds), PARTS, config)
            for group in optimizer.param_groups:
                group["lr"] = rate
            batch = pool.draw(config.batch, rng)
            images = disturb(batch.images, network.spec.input_size, rng)
            images = (images - network.spec.mean) / network.spec.std
            images = images.contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                logits, regressions = network(images)
            found = loss(logits.float(), regressions.float(), batch)
            optimizer.zero_grad(set_to_none=True)
            found.total.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip)
            optimizer.step()
            step += 1
            ema.update(network, step)
            sums += torch.stack([found.total, found.score, found.box, found.keypoint]).detach()
            summed += 1
            if time.monotonic() - logged > LOG_SECONDS:
                means = [round(value, 5) for value in (sums / summed).tolist()]
                rows.writerow(
                    [round(passed, 1), step, step * config.batch, pool.put_so_far, f"{rate:.3g}", *means]
                )
                table.flush()
                print(
                    f"{out.name}: {passed:.0f} s, step {step}, {step * config.batch:,} crops of {pool.put_so_far:,} views, {means}",
                    flush=True,
                )
                sums.zero_()
                summed, logged = 0, time.monotonic()
            if time.monotonic() - saved > SAVE_SECONDS:
                save(ema.network, out)
                saved = time.monotonic()
    save(ema.network, out)
    print(f"{out.name}: {step} steps, {step * config.batch:,} crops of {pool.put_so_far:,} views", flush=True)


def save(network: BlazeFace, out: Path) -> None:
    save_weights(inference_copy(network), out.with_suffix(".safetensors"))


if __name__ == "__main__":
    main()
