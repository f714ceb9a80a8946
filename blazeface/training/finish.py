"""Evaluation during a training run; calibration, export and report at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blazeface.data.even_choice import chosen_evenly
from blazeface.data.pictures import PictureCache
from blazeface.data.samples import Sample
from blazeface.detector import FaceDetector
from blazeface.evaluation.headline import faceless_samples, headline_figures
from blazeface.evaluation.record import SCORE_CUT, Record, records, with_points_of_labels
from blazeface.evaluation.report import figures, make_report
from blazeface.export.verify import inference_copy
from blazeface.files.staged import staged_file
from blazeface.models.network import BlazeFace
from blazeface.models.origin import Origin
from blazeface.models.weights import load_weights, save_weights
from blazeface.training.calibrate import calibrate
from blazeface.training.config import TrainConfig
from blazeface.training.faces import Score
from blazeface.training.runs.best import DECIDING, best_evaluation
from blazeface.training.runs.best import FILE as BEST
from blazeface.training.runs.initial import FILE_OF_INITIAL, WEIGHTS_OF_RUN
from blazeface.training.runs.labels_seen import LabelsSeen
from blazeface.version import __version__

CALIBRATION_PICTURES = 3000

NO_LICENCE = "not stated; the rights to the training pictures decide (train.py --licence states it)"


class NetworkBackend:
    """A network in memory behind the `Backend` protocol, so that it is scored like any model file."""

    def __init__(self, network: BlazeFace):
        self._network = network.folded().float().cpu()
        self.spec = network.spec
        self.input_multiple: int | None = max(network.layout.strides)

    @torch.inference_mode()
    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        logits, regressions = self._network(torch.from_numpy(batch))
        return logits.numpy(), regressions.numpy()


def score_network(network: BlazeFace, samples: Sequence[Sample], pictures: PictureCache) -> list[Record]:
    """Records of a network on labelled pictures, `pictures` being in the samples' order."""
    detector = FaceDetector.from_backend(NetworkBackend(network), score_threshold=SCORE_CUT)
    position = {sample.path: i for i, sample in enumerate(samples)}
    detect = with_points_of_labels(detector.detect_batch, network.spec.keypoint_names)
    return list(records(samples, lambda path: pictures.get(position[path]), detect))


def val_score(samples: list[Sample], limit: int) -> Score:
    """Figures on an even choice of at most `limit` labelled pictures, for the curves of a run.

    The headline's threshold comes from all face-less pictures, since a tenth of them has no false positive to spare.
    """
    chosen = chosen_evenly(samples, limit)
    even = {id(sample) for sample in chosen}
    looked_at = chosen + [sample for sample in faceless_samples(samples) if id(sample) not in even]
    pictures = PictureCache([sample.path for sample in looked_at], budget_mb=1024, quiet=True)

    def score(network: BlazeFace) -> dict[str, float]:
        found = score_network(network, looked_at, pictures)
        return figures([record for record in found if id(record.sample) in even]) | headline_figures(found)

    return score


def finish(
    network: BlazeFace,
    config: TrainConfig,
    history: Sequence[Mapping[str, float]],
    labels: LabelsSeen,
    train: list[Sample],
    samples: list[Sample],
    out: Path,
) -> None:
    """Write model.safetensors, model.onnx (checked against PyTorch) and report.json into a run's folder.

    The scores are calibrated on an even choice of the training pictures first, in place, unless they were retained; `samples` are those of val. With
    a patience it is the best network of the run's evaluations (`history`), else the one given. Where the run started from
    trained weights, the report has their figures on val as "before".
    """
    from blazeface.export.formats.onnx import export_onnx

    network = best_network(network, config, history, out)
    if config.init_share:
        network = averaged_with(network, load_weights(out / FILE_OF_INITIAL), config.init_share)
    network.origin = origin_of(network, config, labels)
    chosen = chosen_evenly(train, CALIBRATION_PICTURES)
    known = PictureCache([sample.path for sample in chosen], budget_mb=0, quiet=True)
    # What is retained are the scores as well: those of the few pictures that were learnt would calibrate for these alone.
    scale, shift = (1.0, 0.0) if config.retain else calibrate(network, score_network(network, chosen, known))
    save_weights(network, out / WEIGHTS_OF_RUN)
    pictures = PictureCache([sample.path for sample in samples], budget_mb=1024, quiet=True)
    report = make_report(score_network(network, samples, pictures), resamples=200)
    about: dict[str, Any] = dict(report)
    initial = out / FILE_OF_INITIAL
    if config.init and initial.is_file():
        before = make_report(score_network(load_weights(initial), samples, pictures))
        about["before"] = {"init": config.init, **{key: before[key] for key in ("figures", "headline")}}
    with staged_file(out / "report.json") as part:
        part.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    shown = [image for image in map(pictures.get, range(min(16, len(samples)))) if image is not None]
    export_onnx(network, out / "model.onnx", shown)
    calibrated = "scores as of --init" if config.retain else f"calibrated logit = {scale:.3f} * logit {shift:+.3f}"
    print(f"{out}: model.safetensors, model.onnx, report.json; {calibrated}")
    if "before" in about:
        print(f"before ({config.init}): {row_of(about['before']['figures'])}")
    print(row_of(report["figures"]))


def best_network(
    network: BlazeFace, config: TrainConfig, history: Sequence[Mapping[str, float]], out: Path
) -> BlazeFace:
    """What a run ends with."""
    best = best_evaluation(history)
    if not config.patience or best is None:
        return network
    epoch, name = history[best]["epoch"], DECIDING[0]
    if not (out / BEST).is_file():
        print(f"{out / BEST} is gone: the run ends with its last weights, not with those of epoch {epoch:g}")
        return network
    print(
        f"the best of {len(history)} evaluations, at epoch {epoch:g}: {name} {history[best].get(name, np.nan):.4g}"
    )
    return load_weights(out / BEST)


def averaged_with(network: BlazeFace, initial: BlazeFace, share: float) -> BlazeFace:
    """The network with each tensor moved back by `share` of the way to that of the network it started from.

    After fine-tuning on few pictures this keeps most of what was won on them and loses less elsewhere ("Robust
    fine-tuning of zero-shot models", arXiv 2109.01903).
    """
    mixed = inference_copy(network)
    start, state = initial.state_dict(), network.state_dict()
    mixed.load_state_dict(
        {
            name: torch.lerp(value.cpu(), start[name], share) if value.is_floating_point() else value
            for name, value in state.items()
        }
    )
    return mixed


def origin_of(network: BlazeFace, config: TrainConfig, labels: LabelsSeen) -> Origin:
    """The note of the weights: what they were before is part of what they are."""
    before = network.origin
    start = f"from {config.init}" if config.init else "from random weights"
    own = f"{labels} (labels sha256 {labels.sha256[:16]})"
    return Origin(
        origin=f"trained with blazeface {__version__} {start}",
        licence=config.licence or before.licence or NO_LICENCE,
        training_data=f"{before.training_data} Then: {own}" if before.training_data else own,
    )


def row_of(figures: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {value}" for name, value in figures.items())
