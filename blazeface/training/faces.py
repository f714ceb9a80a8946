"""Training of the face detectors: crops of labelled pictures, the loss over anchors, logs and checkpoints."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from blazeface.data.augment import Augmentation, augmentations
from blazeface.data.crops import views_for
from blazeface.data.dataset import Batch, CropDataset, StepSampler, collate, init_worker
from blazeface.data.pictures import PictureCache
from blazeface.data.samples import Sample
from blazeface.errors import BlazeFaceError
from blazeface.models.layouts import Layout
from blazeface.models.network import BlazeFace
from blazeface.models.origin import Origin
from blazeface.spec import KEYPOINT_NAMES, ModelSpec
from blazeface.training.checkpoint import FILE, Checkpoint, load_checkpoint, save_checkpoint
from blazeface.training.config import TrainConfig
from blazeface.training.distributed import Processes
from blazeface.training.log import STEP_COLUMNS, TrainingLog
from blazeface.training.loop import Machine, Model, Task, Trainer, memory_format
from blazeface.training.losses import DetectionLoss
from blazeface.training.retain import Retained, retain_loss
from blazeface.training.runs.best import evaluations_since_best, keep_if_best
from blazeface.training.runs.labels_seen import LabelsSeen, check_same_data

Score = Callable[[BlazeFace], dict[str, float]]


class FaceTrainer(Trainer[BlazeFace]):
    """A face detector's run in progress: `train` takes it to its end, or to a checkpoint when it is asked to stop."""

    def __init__(
        self,
        network: BlazeFace,
        config: TrainConfig,
        machine: Machine,
        processes: Processes,
        retained: Retained | None = None,
    ):
        """retained: pictures on which the network is held to the answers of the weights that it started from."""
        if config.freeze:
            heads = {id(p) for m in (network.score_heads, network.regression_heads) for p in m.parameters()}
            for parameter in network.parameters():
                parameter.requires_grad_(id(parameter) in heads)
        super().__init__(network, config, machine, processes)
        if config.freeze_norm:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):  # the heads have none
                    module.eval()
        self.point_columns = point_columns(network.spec.keypoint_names)
        self.loss = DetectionLoss(network.spec, config.loss, processes.mean).to(self.device)
        self.retained = retained
        if retained:
            retained.teacher.to(self.device, memory_format=memory_format(retained.teacher)).eval()  # type: ignore[call-overload]
        self.history: list[dict[str, float]] = []
        self.data: dict[str, Any] = {}
        self.steps_per_epoch: int | None = None

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over the state of an earlier run of the same configuration.

        The schedule stays as it was planned, however many pictures there are now. Raises BlazeFaceError for a checkpoint of
        another network.
        """
        self.load(checkpoint.network, checkpoint.ema, checkpoint.optimizer, checkpoint.step)
        self.history, self.data = checkpoint.history, checkpoint.data
        self.steps_per_epoch = checkpoint.total // checkpoint.config.epochs or None

    def checkpoint(self, total: int, ended: bool = False) -> Checkpoint:
        """The state as it is now; total: steps of the whole run; ended: whether that is over."""
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
            data=self.data,
            origin=network.origin.to_json(),
            ended=ended,
        )

    def train(self, samples: list[Sample], out: Path, score: Score) -> bool:
        """Train to the last step of the configuration, or until its patience is over; false when a signal stopped it before.

        Writes checkpoints, logs, curves and the best weights so far (`runs.best`) into `out`. `score` gives the figures of a network in eval
        mode; keys that begin with "AP" are drawn. Raises BlazeFaceError when the loss is no longer finite;
        the last checkpoint then stays.
        """
        steps_per_epoch = self.steps_per_epoch or math.ceil(len(samples) / self.config.batch)
        self.data = LabelsSeen.of(samples).to_dict()
        total = self.config.epochs * steps_per_epoch
        log = TrainingLog(out, self.step) if self.processes.leads else None

        def write_means(row: dict[str, float]) -> None:
            if log:
                log.steps({name: row[name] for name in STEP_COLUMNS})

        def evaluate(epoch: float) -> dict[str, float]:
            figures = {"step": self.step, "epoch": epoch, **score(self.ema.network)}
            self.history.append(figures)
            if log:
                log.evaluation(figures)
            keep_if_best(self.ema.network, self.history, out)
            return figures

        def out_of_patience() -> bool:
            return 0 < self.config.patience <= evaluations_since_best(self.history)

        task = Task(
            total=total,
            steps_per_epoch=steps_per_epoch,
            batches=lambda start: self._batches(samples, start, total),
            losses=self._losses,
            save=lambda ended: save_checkpoint(self.checkpoint(total, ended), out),
            log=write_means,
            evaluate=evaluate,
            ended=out_of_patience,
            close=log.close if log else lambda: None,
            advice="try a lower --learning-rate",
            resume=f"go on with --resume {out}",
        )
        return self.run(task, out)

    def _losses(self, model: Model, batches: Sequence[Batch]) -> dict[str, Tensor]:
        """batches: of the data, then, where there are any, of the retained pictures."""
        batch = with_points(batches[0].to(self.device), self.point_columns)
        # uint8 travels, floats are made here: a quarter of the memory traffic.
        spec, count = self.network.spec, len(batch.images)
        images = (
            torch.cat([each.images.to(self.device) for each in batches]).float().sub_(spec.mean).div_(spec.std)
        )
        logits, regressions = model(images)
        logits, regressions = logits.float(), regressions.float()
        found = self.loss(logits[:count], regressions[:count], batch)
        total = found.total
        if self.retained:
            with torch.no_grad():
                expected, places = self.retained.teacher(images[count:])
            total = total + retain_loss(logits[count:], regressions[count:], expected, places)
        return {"loss": total, "score": found.score, "box": found.box, "keypoint": found.keypoint}

    def _batches(self, samples: list[Sample], start: int, total: int) -> Iterator[tuple[Batch, ...]]:
        """What `_losses` takes, for each step. The loaders draw with one seed, so that their inputs have one shape."""
        if not self.retained:
            return ((batch,) for batch in self._loader(samples, start, total, self.machine.cache_mb))
        share = round(self.machine.cache_mb * len(samples) / (len(samples) + len(self.retained.samples)))
        own = self._loader(samples, start, total, share)
        others = self._loader(self.retained.samples, start, total, self.machine.cache_mb - share)
        return zip(own, others, strict=True)

    def _loader(self, samples: list[Sample], start: int, total: int, cache_mb: int) -> DataLoader[Any]:
        config, machine = self.config, self.machine
        quiet = machine.quiet or not self.processes.leads
        pictures = PictureCache([sample.path for sample in samples], cache_mb, quiet)
        size = self.network.spec.input_size
        dataset = CropDataset(
            samples,
            pictures,
            size,
            views_for(config.crops, size, max(self.network.layout.strides)),
            Augmentation(augmentations(size)),
            config.seed,
            config.batch,
        )
        return DataLoader(
            dataset,
            batch_sampler=StepSampler(start, total, config.batch, self.processes.rank, self.processes.world),
            num_workers=machine.workers,
            collate_fn=functools.partial(collate, size=size),
            worker_init_fn=init_worker,
            prefetch_factor=6 if machine.workers else None,
        )


def point_columns(names: Sequence[str]) -> list[int] | None:
    """Which of the labels' six keypoints each of a network's is, by name, -1 for one that no label has; None where they are
    the same in the same order."""
    columns = [KEYPOINT_NAMES.index(name) if name in KEYPOINT_NAMES else -1 for name in names]
    return columns if columns != list(range(len(KEYPOINT_NAMES))) else None


def with_points(batch: Batch, columns: list[int] | None) -> Batch:
    """The batch with the keypoints of a network that has others; those that no label has are unknown, without a loss."""
    if columns is None:
        return batch
    known = torch.tensor([column >= 0 for column in columns], device=batch.visibility.device)
    return replace(
        batch, keypoints=batch.keypoints[:, :, columns], visibility=batch.visibility[:, :, columns] * known
    )


def train_in_folder(
    network: BlazeFace, config: TrainConfig, samples: list[Sample], out: Path, machine: Machine
) -> BlazeFace | None:
    """Train a network, without evaluations on the way, or go on with the run of the same recipe that `out` holds.

    The averaged network in eval mode; None when a signal stopped the run before its end. Raises BlazeFaceError where the
    folder holds a run of another recipe or network.
    """
    found = load_checkpoint(out) if (out / FILE).is_file() else None
    if found and (found.config != config or found.layout != network.layout.to_json()):
        raise BlazeFaceError(f"{out} holds a run of another recipe; name another folder")
    if found:
        check_same_data(found.data, found.total, config.epochs, config.batch, samples, accepted=False)
    trainer = FaceTrainer(rebuild(found) if found else network, config, machine, Processes())
    if found:
        trainer.restore(found)
    return trainer.ema.network if trainer.train(samples, out, lambda _: {}) else None


def averaged(checkpoint: Checkpoint) -> BlazeFace:
    """The network of a checkpoint with its averaged weights, which are what a run ends with."""
    network = rebuild(checkpoint)
    network.load_state_dict(checkpoint.ema)
    return network.eval()


def rebuild(checkpoint: Checkpoint) -> BlazeFace:
    """The network of a checkpoint, without its weights."""
    spec, layout = ModelSpec.from_json(checkpoint.spec), Layout.from_json(checkpoint.layout)
    norm = "stem.1.weight" in checkpoint.network
    with torch.device("meta"):  # without memory: a lying layout may ask for gigabytes
        expected = {name: tensor.shape for name, tensor in BlazeFace(spec, layout, norm).state_dict().items()}
    for state in (checkpoint.network, checkpoint.ema):
        if {name: tensor.shape for name, tensor in state.items()} != expected:
            raise BlazeFaceError("its checkpoint does not fit its own network: other tensors, or other shapes")
    network = BlazeFace(spec, layout, norm)
    network.origin = Origin.from_json(checkpoint.origin)
    return network
