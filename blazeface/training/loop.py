"""The training loop, from top to bottom."""

from __future__ import annotations

import atexit
import functools
import math
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from tqdm import tqdm

from blazeface.data.augment import FLIP_AND_LIGHT
from blazeface.data.crops import square_views
from blazeface.data.dataset import Batch, CropDataset, StepSampler, collate, init_worker
from blazeface.data.pictures import PictureCache
from blazeface.data.samples import Sample
from blazeface.errors import BlazeFaceError
from blazeface.models.layouts import Layout
from blazeface.models.network import BlazeFace
from blazeface.spec import ModelSpec
from blazeface.training.checkpoint import FILE, Checkpoint, save_checkpoint
from blazeface.training.config import TrainConfig
from blazeface.training.depthwise import accelerate
from blazeface.training.distributed import Processes
from blazeface.training.log import STEP_COLUMNS, TrainingLog
from blazeface.training.losses import DetectionLoss, Losses
from blazeface.training.optim import Ema, learning_rate, make_optimizer

LOG_EVERY = 20
"""Steps whose mean is one row of log.csv."""

WORKER_DIED = "a process that prepares crops died, killed perhaps for want of memory (--workers, --cache-mb)"

Score = Callable[[BlazeFace], dict[str, float]]


@dataclass(frozen=True)
class Machine:
    """Where and how a run runs; none of it changes what is learnt (but for rounding).

    device: "cpu" or "cuda". workers: processes that prepare crops. cache_mb: memory for decoded
    pictures. checkpoint_seconds: time between checkpoints. evaluate_every: epochs between
    evaluations. quiet: no progress bar.
    """

    device: str = "cpu"
    workers: int = 1
    cache_mb: int = 4096
    checkpoint_seconds: float = 180.0
    evaluate_every: int = 1
    quiet: bool = False


class Trainer:
    """A run in progress: `train` takes it to its end, or to a checkpoint when it is asked to stop."""

    def __init__(self, network: BlazeFace, config: TrainConfig, machine: Machine, processes: Processes):
        self.config, self.machine, self.processes = config, machine, processes
        self.device = torch.device(machine.device)
        self.network = network.to(self.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        if self.device.type == "cpu":
            accelerate(self.network)
        if config.freeze:
            heads = {id(p) for m in (network.score_heads, network.regression_heads) for p in m.parameters()}
            for parameter in network.parameters():
                parameter.requires_grad_(id(parameter) in heads)
        self.ema = Ema(self.network, config.ema)
        self.optimizer = make_optimizer(self.network, config)
        self.loss = DetectionLoss(network.spec, config.loss, processes.mean).to(self.device)
        self.step = 0
        self.history: list[dict[str, float]] = []

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over the state of an earlier run of the same configuration.

        Raises BlazeFaceError for a checkpoint of another network.
        """
        try:
            self.network.load_state_dict(checkpoint.network)
            self.ema.network.load_state_dict(checkpoint.ema)
            self.optimizer.load_state_dict(checkpoint.optimizer)
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = str(error).splitlines()[0]
            raise BlazeFaceError(f"--resume: its checkpoint does not fit its own network: {reason}") from error
        self.step, self.history = checkpoint.step, checkpoint.history

    def checkpoint(self, total: int) -> Checkpoint:
        network = self.network
        return Checkpoint(
            config=self.config,
            step=self.step,
            total=total,
            spec=network.spec.to_json(),
            layout=network.layout.to_json(),
            network=network.state_dict(),
            ema=self.ema.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
            history=self.history,
        )

    def train(self, samples: list[Sample], out: Path, score: Score) -> bool:
        """Train to the last step of the configuration; false when a signal stopped it before.

        Writes checkpoints, logs and curves into `out`. `score` gives the figures of a network in eval
        mode; keys that begin with "AP" are drawn. Raises BlazeFaceError when the loss is no longer finite;
        the last checkpoint then stays.
        """
        config, machine, processes = self.config, self.machine, self.processes
        steps_per_epoch = math.ceil(len(samples) / config.batch)
        total = config.epochs * steps_per_epoch
        model = DistributedDataParallel(self.network) if processes.world > 1 else self.network
        loader = self._loader(samples, total)
        saved = time.monotonic()
        bar = tqdm(
            total=total,
            initial=self.step,
            unit="step",
            disable=True if machine.quiet or not processes.leads else None,
        )
        training_log = TrainingLog(out, self.step) if processes.leads else None
        meter = Meter()
        with (
            stop_signals() as stopped,
            errors_as_sentences(out),
            closing(training_log) if training_log else nullcontext(),
        ):
            for batch in loader:
                rate = learning_rate(self.step, total, config)
                losses = self._step(model, batch.to(self.device), rate)
                self.step += 1
                meter.add(losses, config.batch, self.step)
                bar.update()
                epoch = self.step / steps_per_epoch
                if self.step % LOG_EVERY == 0 or self.step == total:
                    refuse_nan(meter, out)
                    row = {"step": self.step, "epoch": epoch, "learning_rate": rate, **meter.means()}
                    bar.set_postfix_str(
                        f"loss {row['loss']:.3f}, {row['images_per_second']:.0f} images/s", refresh=False
                    )
                    if training_log:
                        training_log.steps({name: row[name] for name in STEP_COLUMNS})
                if self.step % (machine.evaluate_every * steps_per_epoch) == 0 or self.step == total:
                    refuse_nan(meter, out)
                    if training_log:
                        figures = {"step": self.step, "epoch": epoch, **score(self.ema.network)}
                        self.history.append(figures)
                        training_log.evaluation(figures)
                        bar.write(", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
                    processes.wait()
                    meter = Meter()
                stop = processes.any(bool(stopped))
                if training_log and (
                    stop or self.step == total or time.monotonic() - saved > machine.checkpoint_seconds
                ):
                    refuse_nan(meter, out)
                    save_checkpoint(self.checkpoint(total), out)
                    saved = time.monotonic()
                if stop:
                    break
        bar.close()
        return self.step == total

    def _step(self, model: nn.Module, batch: Batch, rate: float) -> Losses:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        # uint8 travels, floats are made here: a quarter of the memory traffic.
        spec = self.network.spec
        images = batch.images.float().sub_(spec.mean).div_(spec.std)
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"):
            logits, regressions = model(images)
        losses: Losses = self.loss(logits.float(), regressions.float(), batch)
        self.optimizer.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimizer.step()
        self.ema.update(self.network, self.step)
        return losses

    def _loader(self, samples: list[Sample], total: int) -> DataLoader[Any]:
        config, machine = self.config, self.machine
        quiet = machine.quiet or not self.processes.leads
        pictures = PictureCache([sample.path for sample in samples], machine.cache_mb, quiet)
        # Other shapes are whole eighths of the square's side, which the strides must divide.
        eighth = self.network.spec.input_size / 8
        crops = config.crops if eighth % max(self.network.layout.strides) == 0 else square_views(config.crops)
        dataset = CropDataset(
            samples,
            pictures,
            self.network.spec.input_size,
            crops,
            FLIP_AND_LIGHT,
            config.seed,
            config.batch,
        )
        return DataLoader(
            dataset,
            batch_sampler=StepSampler(self.step, total, config.batch, self.processes.rank, self.processes.world),
            num_workers=machine.workers,
            collate_fn=functools.partial(collate, size=self.network.spec.input_size),
            worker_init_fn=init_worker,
            prefetch_factor=6 if machine.workers else None,
        )


class Meter:
    """Mean losses and images per second since it was made or last read."""

    def __init__(self) -> None:
        self._sums: Tensor = torch.zeros(4)
        self._broken: Tensor = torch.tensor(math.inf)  # the first step whose loss was not finite
        self._count = self._images = 0
        self._start = time.perf_counter()

    def add(self, losses: Losses, images: int, step: int) -> None:
        parts = torch.stack([losses.total, losses.score, losses.box, losses.keypoint]).detach()
        self._sums = self._sums.to(parts.device) + parts
        # Kept on the device: asking it each step would hold up the training.
        broken = torch.where(torch.isfinite(parts[0]), math.inf, float(step))
        self._broken = torch.minimum(self._broken.to(parts.device), broken)
        self._count += 1
        self._images += images

    def first_broken(self) -> int | None:
        """The first step whose loss was not finite."""
        step = float(self._broken)
        return None if math.isinf(step) else int(step)

    def means(self) -> dict[str, float]:
        names = ("loss", "score", "box", "keypoint")
        values = (self._sums / max(1, self._count)).tolist()
        speed = self._images / (time.perf_counter() - self._start)
        self.__init__()  # type: ignore[misc]
        return {**dict(zip(names, values, strict=True)), "images_per_second": speed}


def refuse_nan(meter: Meter, out: Path) -> None:
    """Raise BlazeFaceError when a loss was not finite, before anything of it is written."""
    step = meter.first_broken()
    if step is not None:
        raise BlazeFaceError(
            f"the loss is no longer finite at step {step}: try a lower --learning-rate; {what_is_kept(out)}"
        )


@contextmanager
def errors_as_sentences(out: Path) -> Iterator[None]:
    """Within the block a full disk, the death of a process that prepares crops, and what went wrong in one, are each
    a BlazeFaceError."""
    try:
        with _no_worker_left():
            yield
    except BlazeFaceError as error:
        if "Original Traceback" not in str(error):
            raise
        raise BlazeFaceError(str(error).strip().splitlines()[-1].split("BlazeFaceError: ")[-1]) from error
    except (ConnectionError, EOFError) as error:  # the pipe to a process that died
        raise BlazeFaceError(f"{WORKER_DIED}; {what_is_kept(out)}") from error
    except OSError as error:
        raise BlazeFaceError(
            f"{out}: cannot be written: {error.strerror or error}; {what_is_kept(out)}"
        ) from error
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise BlazeFaceError(f"{WORKER_DIED}; {what_is_kept(out)}") from error


@contextmanager
def _no_worker_left() -> Iterator[None]:
    """After a fault, end the processes that prepare crops when Python exits: they ignore the polite signal, with which
    it would wait for them for ever. Not before: the library would take their end for another fault."""
    try:
        yield
    except BaseException:
        atexit.register(_end_workers)
        raise


def _end_workers() -> None:
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()


def what_is_kept(out: Path) -> str:
    if (out / FILE).exists():
        return f"the last checkpoint is kept, go on with --resume {out}"
    return "there was no checkpoint yet"


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM asked for, gently: the list fills, the loop looks at it. A second one stops at once."""
    received: list[int] = []

    def note(number: int, _: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def averaged(checkpoint: Checkpoint) -> BlazeFace:
    """The network of a checkpoint with its averaged weights, which are what a run ends with."""
    network = rebuild(checkpoint)
    network.load_state_dict(checkpoint.ema)
    return network


def rebuild(checkpoint: Checkpoint) -> BlazeFace:
    """The network of a checkpoint, without its weights."""
    spec, layout = ModelSpec.from_json(checkpoint.spec), Layout.from_json(checkpoint.layout)
    norm = "stem.1.weight" in checkpoint.network
    with torch.device("meta"):  # without memory: a lying layout may ask for gigabytes
        expected = {name: tensor.shape for name, tensor in BlazeFace(spec, layout, norm).state_dict().items()}
    for state in (checkpoint.network, checkpoint.ema):
        if {name: tensor.shape for name, tensor in state.items()} != expected:
            raise BlazeFaceError("its checkpoint does not fit its own network: other tensors, or other shapes")
    return BlazeFace(spec, layout, norm)
