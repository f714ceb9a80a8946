"""Each network trains for a minute with the project's trainer and is exported: that all of them work, not how good they get.

The minute is the processor's time of this process, so that a busy machine gives the same number of steps as a quiet one.

    python -m benchmarks.lightweight.measure --data ROOT --only minute tables

The classifiers' digits come from scikit-learn; the others learn from the first pictures of `train`.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from benchmarks.lightweight.classifiers import RATES, SIZE, digits_folder
from blazeface.crop import CropSpec
from blazeface.data.class_folders import find_classes, load_pictures
from blazeface.data.face_crops import cut_faces
from blazeface.data.face_masks import masked_pictures
from blazeface.data.samples import load_split
from blazeface.export import auxiliary
from blazeface.export.formats.onnx import export_onnx
from blazeface.export.formats.tflite import export_tflite
from blazeface.files.pictures import read_picture
from blazeface.models.light.classifiers import build_classifier
from blazeface.models.light.segmenters import SEGMENT_SIZE
from blazeface.models.network import build
from blazeface.training.config import TrainConfig
from blazeface.training.faces import train_in_folder
from blazeface.training.loop import Machine, Model, Task, Trainer
from blazeface.training.tasks.classify import classify_config, train_classifier
from blazeface.training.tasks.refine import refine_config, train_refine
from blazeface.training.tasks.segment import segment_config, train_segmenter

PICTURES = 400
"""Of `train` that the networks on faces see."""

FEW = 5
"""Steps whose mean loss is told, at the beginning and at the end."""

PICTURE = Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"

Row = dict[str, Any]
Train = Callable[[str, Path], dict[str, float]]


def minutes(
    data: Path, runs: Path, networks: Mapping[str, Sequence[str]], done: list[Row], seconds: float, threads: int
) -> Iterator[list[Row]]:
    """Yields `done` and what was added to it, network after network, so that it can be written each time.

    networks: names by task.
    """
    torch.set_num_threads(threads)
    samples = load_split(data, "train")[:PICTURES]
    there = {(row["task"], row["network"]) for row in done}
    rows = list(done)
    tasks: dict[str, Train] = {
        "detector": lambda name, out: _detector(name, samples, out),
        "segment": lambda name, out: _segmenter(name, samples, out),
        "refine": lambda name, out: _refine(name, samples, out),
        "classify": lambda name, out: _classifier(name, runs, out),
    }
    for task, train in tasks.items():
        for name in networks[task]:
            if (task, name) in there:
                continue
            with tempfile.TemporaryDirectory() as out, ended_after(seconds) as seen:
                differences = train(name, Path(out))
            rows.append({"task": task, "network": name, **seen(), "differences": differences})
            yield rows


@contextmanager
def ended_after(seconds: float) -> Iterator[Callable[[], Row]]:
    """Within the block every run of the trainer ends after so many seconds of the processor's time of this process (all of
    its threads), at the peak of its learning rate. The value is a function that returns seconds, steps and losses of the run."""
    run, losses, times = Trainer.run, list[float](), list[float]()

    def timed(trainer: Trainer[Any], task: Task, out: Path) -> bool:
        def noted(model: Model, batch: Any) -> Mapping[str, Tensor]:
            found = task.losses(model, batch)
            losses.append(float(next(iter(found.values())).detach()))
            times.append(time.process_time())
            return found

        def over() -> bool:
            return bool(times) and times[-1] - times[0] > seconds

        fields: dict[str, Any] = {"total": 10**9, "steps_per_epoch": 1, "losses": noted, "ended": over}
        fields["evaluate"] = lambda _: {}
        trainer.machine = dataclasses.replace(
            trainer.machine, evaluate_every=1
        )  # or it would not ask whether it is over
        return run(trainer, dataclasses.replace(task, **fields), out)

    def seen() -> Row:
        first, last = losses[:FEW], losses[-FEW:]
        means = [round(sum(part) / len(part), 4) for part in (first, last)]
        return {"seconds": round(times[-1] - times[0], 1), "steps": len(losses), "loss": means}

    with patch.object(Trainer, "run", timed):
        yield seen


def _detector(name: str, samples: list[Any], out: Path) -> dict[str, float]:
    config = TrainConfig(name, 10_000, batch=16, learning_rate=3e-3, warmup=20, ema=0.9)
    machine = Machine(quiet=True, evaluate_every=1, cache_mb=512)
    torch.manual_seed(0)
    network = _trained(train_in_folder(build(name), config, samples, out, machine))
    picture = [read_picture(str(PICTURE))]
    found = {}
    for suffix, export in (("onnx", export_onnx), ("tflite", export_tflite)):
        differences = export(network, out / f"x.{suffix}", picture).differences  # type: ignore[arg-type]
        assert differences
        found[suffix] = differences.largest
    return found


def _segmenter(kind: str, samples: list[Any], out: Path) -> dict[str, float]:
    pictures = masked_pictures(samples, SEGMENT_SIZE, quiet=True)
    network = train_segmenter(pictures, segment_config(kind, 10_000), out, log=_quiet)
    return _exported(_trained(network), SEGMENT_SIZE, out)


def _refine(kind: str, samples: list[Any], out: Path) -> dict[str, float]:
    network = train_refine(cut_faces(samples, quiet=True), refine_config(kind, 10_000), out, log=_quiet)
    return _exported(_trained(network), CropSpec().size, out)


def _classifier(name: str, runs: Path, out: Path) -> dict[str, float]:
    _, found = find_classes(digits_folder(runs))
    pictures = load_pictures(found["train"], SIZE, quiet=True)
    config = classify_config(name, 10_000, batch=16)
    config = dataclasses.replace(config, learning_rate=RATES.get(name, config.learning_rate))
    network = train_classifier(lambda: build_classifier(name, 10), pictures, config, out, log=_quiet, mirror=False)
    return _exported(_trained(network), SIZE, out)


def _exported(network: nn.Module, size: int, out: Path) -> dict[str, float]:
    """How far both files are from PyTorch, on noise."""
    exports = (("onnx", auxiliary.export_onnx), ("tflite", auxiliary.export_tflite))
    return {
        suffix: export(network, out / f"x.{suffix}", (3, size, size), ("pictures", "answers"), {}, "")
        for suffix, export in exports
    }


def _trained(network: nn.Module | None) -> nn.Module:
    if network is None:
        raise SystemExit("stopped; the same command goes on")
    return network


def _quiet(_: str) -> None:
    pass
