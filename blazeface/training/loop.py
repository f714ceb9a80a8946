"""The training loop for every task: it is handed a network, batches and a loss."""

from __future__ import annotations

import atexit
import math
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from blazeface.errors import BlazeFaceError
from blazeface.training.checkpoint import FILE
from blazeface.training.config import TrainConfig
from blazeface.training.depthwise import accelerate
from blazeface.training.distributed import Processes
from blazeface.training.optim import Ema, learning_rate, make_optimizer

LOG_EVERY = 20
"""Steps whose means are logged together, where the task does not say otherwise."""

WORKER_DIED = "a process that prepares crops died, killed perhaps for want of memory (--workers, --cache-mb)"

Network = TypeVar("Network", bound=nn.Module)
Model = Callable[[Tensor], Any]


@dataclass(frozen=True)
class Machine:
    """Where and how a run runs; none of it changes what is learnt (but for rounding).

    device: "cpu" or "cuda". workers: processes that prepare batches. cache_mb: memory for decoded
    pictures. checkpoint_seconds: time between checkpoints. evaluate_every: epochs between
    evaluations. quiet: no progress bar.
    """

    device: str = "cpu"
    workers: int = 1
    cache_mb: int = 4096
    checkpoint_seconds: float = 180.0
    evaluate_every: int = 1
    quiet: bool = False


@dataclass(frozen=True)
class Task:
    """What a trainer is handed beside the network. Callables that the task does not need do nothing.

    total, steps_per_epoch: of the run. batches: from a step to the end; what a batch holds must follow from the step
    alone, so that a run in pieces is the run in one piece. losses: of the model on a batch, scalars by name; the first,
    "loss", is minimised. On a GPU the model computes, and answers, in bfloat16. log: takes the means of the last
    `log_every` steps. evaluate: called at the ends of epochs (see Machine) with the epoch, gives figures to be shown.
    ended: asked after each evaluation whether the run is to end there. save: writes a checkpoint; it is told whether the run
    is at its end. close: called at the end. advice: what a user may try when the loss is no longer finite.
    resume: how the user goes on from a checkpoint.
    """

    total: int
    steps_per_epoch: int
    batches: Callable[[int], Iterable[Any]]
    losses: Callable[[Model, Any], Mapping[str, Tensor]]
    save: Callable[[bool], None]
    log: Callable[[dict[str, float]], None]
    evaluate: Callable[[float], dict[str, float]] = lambda _: {}
    ended: Callable[[], bool] = lambda: False
    close: Callable[[], None] = lambda: None
    log_every: int | None = None
    advice: str = ""
    resume: str = "the same command goes on"


class Trainer(Generic[Network]):
    """A run in progress: a network, its moving average, its optimizer, and the step that they are at."""

    def __init__(self, network: Network, config: TrainConfig, machine: Machine, processes: Processes):
        """config: its schedule, decays and clip are used here, the rest is the task's."""
        self.config, self.machine, self.processes = config, machine, processes
        self.device = torch.device(machine.device)
        self.network = network.to(self.device, memory_format=memory_format(network)).train()  # type: ignore[call-overload]
        if self.device.type == "cpu":
            accelerate(self.network)
        self.ema = Ema(self.network, config.ema)
        self.optimizer = make_optimizer(self.network, config)
        self.step = 0

    def load(self, network: dict[str, Any], ema: dict[str, Any], optimizer: dict[str, Any], step: int) -> None:
        """Take over the state of an earlier run of the same configuration: three state dicts, and the step.

        Raises BlazeFaceError for those of another network.
        """
        try:
            self.network.load_state_dict(network)
            self.ema.network.load_state_dict(ema)
            self.optimizer.load_state_dict(optimizer)
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = str(error).splitlines()[0]
            raise BlazeFaceError(f"--resume: its checkpoint does not fit its own network: {reason}") from error
        self.step = step

    def run(self, task: Task, out: Path) -> bool:
        """Train to the task's last step, or to where it ends before; false when a signal stopped it, after a checkpoint.

        Raises BlazeFaceError when the loss is no longer finite; the last checkpoint in `out` then stays.
        """
        config, machine, processes, total = self.config, self.machine, self.processes, task.total
        model = DistributedDataParallel(self.network) if processes.world > 1 else self.network
        saved_state = SavedState(out, task)
        saved = time.monotonic()
        bar = tqdm(
            total=total,
            initial=self.step,
            unit="step",
            disable=True if machine.quiet or not processes.leads else None,
        )
        meter = Meter()
        ended, stop = self.step >= total or processes.any(task.ended()), False
        with stop_signals() as stopped, one_sentence_errors(saved_state), ExitStack() as closing:
            closing.callback(task.close)
            for batch in task.batches(self.step) if not ended else ():
                rate = learning_rate(self.step, total, config)
                losses = self._step(task, model, batch, rate)
                self.step += 1
                meter.add(losses, config.batch, self.step)
                bar.update()
                epoch = self.step / task.steps_per_epoch
                if self.step % (task.log_every or LOG_EVERY) == 0 or self.step == total:
                    check_finite(meter, saved_state)
                    row = {"step": self.step, "epoch": epoch, "learning_rate": rate, **meter.means()}
                    bar.set_postfix_str(
                        f"loss {row['loss']:.3f}, {row['images_per_second']:.0f} images/s", refresh=False
                    )
                    if processes.leads:
                        task.log(row)
                if self.step % (machine.evaluate_every * task.steps_per_epoch) == 0 or self.step == total:
                    check_finite(meter, saved_state)
                    if processes.leads:
                        figures = task.evaluate(epoch)
                        if figures:
                            bar.write(", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
                    processes.wait()
                    meter = Meter()
                    ended = self.step == total or processes.any(task.ended())
                stop = processes.any(bool(stopped))
                if processes.leads and (stop or ended or time.monotonic() - saved > machine.checkpoint_seconds):
                    check_finite(meter, saved_state)
                    task.save(ended)
                    saved = time.monotonic()
                if stop or ended:
                    break
        bar.close()
        return ended and not stop  # also where the signal came with the last step: what follows may take long

    def _step(self, task: Task, model: nn.Module, batch: Any, rate: float) -> Mapping[str, Tensor]:
        for group in self.optimizer.param_groups:
            group["lr"] = rate

        def forward(images: Tensor) -> Any:
            with torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"):
                return model(images)

        losses = task.losses(forward, batch)
        self.optimizer.zero_grad(set_to_none=True)
        next(iter(losses.values())).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimizer.step()
        self.ema.update(self.network, self.step)
        return losses


NARROW = 16
"""Input channels from which on PyTorch 2.13 computes the gradient of strided 1 x 1 convolutions in channels_last soundly."""


def memory_format(network: nn.Module) -> torch.memory_format:
    """channels_last, which is faster, unless the network has a strided 1 x 1 convolution of few inputs: in that format
    PyTorch 2.13 writes beyond its memory in the backward pass of one."""
    pointwise = (m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1))
    if any(max(layer.stride) > 1 and layer.in_channels < NARROW for layer in pointwise):
        return torch.contiguous_format
    return torch.channels_last


class Meter:
    """Mean losses and images per second since it was made or last read."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ("loss",)
        self._sums: Tensor = torch.zeros(())
        self._not_finite: Tensor = torch.tensor(math.inf)  # the first step whose loss was not finite
        self._count = self._images = 0
        self._start = time.perf_counter()

    def add(self, losses: Mapping[str, Tensor], images: int, step: int) -> None:
        self._names = tuple(losses)
        parts = torch.stack([loss.detach() for loss in losses.values()])
        self._sums = self._sums.to(parts.device) + parts
        # Kept on the device: asking it each step would hold up the training.
        broken = torch.where(torch.isfinite(parts[0]), math.inf, float(step))
        self._not_finite = torch.minimum(self._not_finite.to(parts.device), broken)
        self._count += 1
        self._images += images

    def first_not_finite(self) -> int | None:
        """The first step whose loss was not finite."""
        step = float(self._not_finite)
        return None if math.isinf(step) else int(step)

    def means(self) -> dict[str, float]:
        values = (self._sums / max(1, self._count)).tolist()
        speed = self._images / (time.perf_counter() - self._start)
        means = dict(zip(self._names, values, strict=True))
        self.__init__()  # type: ignore[misc]
        return {**means, "images_per_second": speed}


@dataclass(frozen=True)
class SavedState:
    """What is left of a run that ends early, as part of a sentence."""

    out: Path
    task: Task

    def __str__(self) -> str:
        if (self.out / FILE).exists():
            return f"the last checkpoint is kept, {self.task.resume}"
        return "there was no checkpoint yet"


def check_finite(meter: Meter, saved_state: SavedState) -> None:
    """Raise BlazeFaceError when a loss was not finite, before anything of it is written."""
    step = meter.first_not_finite()
    if step is not None:
        advice = f": {saved_state.task.advice}" if saved_state.task.advice else ""
        raise BlazeFaceError(f"the loss is no longer finite at step {step}{advice}; {saved_state}")


@contextmanager
def one_sentence_errors(saved_state: SavedState) -> Iterator[None]:
    """Within the block a full disk, the death of a process that prepares crops, and what went wrong in one, are each
    a BlazeFaceError."""
    try:
        with _end_workers_at_exit():
            yield
    except BlazeFaceError as error:
        if "Original Traceback" not in str(error):
            raise
        raise BlazeFaceError(str(error).strip().splitlines()[-1].split("BlazeFaceError: ")[-1]) from error
    except (ConnectionError, EOFError) as error:  # the pipe to a process that died
        raise BlazeFaceError(f"{WORKER_DIED}; {saved_state}") from error
    except OSError as error:
        raise BlazeFaceError(
            f"{saved_state.out}: cannot be written: {error.strerror or error}; {saved_state}"
        ) from error
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise BlazeFaceError(f"{WORKER_DIED}; {saved_state}") from error


@contextmanager
def _end_workers_at_exit() -> Iterator[None]:
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


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Ctrl-C, SIGTERM and SIGHUP asked for, gently: the list fills, the loop looks at it. A second one stops at once."""
    received: list[int] = []

    def note(number: int, _: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if getattr(signal, "SIGHUP", None) and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
