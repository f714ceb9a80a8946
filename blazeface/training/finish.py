"""Evaluation during a training run; calibration, export and report at its end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from blazeface.data.pictures import PictureCache
from blazeface.data.samples import Sample, chosen_evenly
from blazeface.detector import FaceDetector
from blazeface.evaluation.headline import faceless_samples, headline_figures
from blazeface.evaluation.record import SCORE_CUT, Record, records
from blazeface.evaluation.report import figures, make_report
from blazeface.files.staged import staged_file
from blazeface.models.network import BlazeFace
from blazeface.training.calibrate import calibrate
from blazeface.training.faces import Score

CALIBRATION_PICTURES = 3000


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
    return list(records(samples, lambda path: pictures.get(position[path]), detector.detect_batch))


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


def finish(network: BlazeFace, train: list[Sample], samples: list[Sample], out: Path) -> None:
    """Write model.safetensors, model.onnx (checked against PyTorch) and report.json into a run's folder.

    The scores are calibrated on an even choice of the training pictures first, in place; `samples` are those of val.
    """
    from blazeface.export.formats.onnx import export_onnx
    from blazeface.models.weights import save_weights

    chosen = chosen_evenly(train, CALIBRATION_PICTURES)
    known = PictureCache([sample.path for sample in chosen], budget_mb=0, quiet=True)
    scale, shift = calibrate(network, score_network(network, chosen, known))
    save_weights(network, out / "model.safetensors")
    pictures = PictureCache([sample.path for sample in samples], budget_mb=1024, quiet=True)
    report = make_report(score_network(network, samples, pictures), resamples=200)
    with staged_file(out / "report.json") as part:
        part.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    shown = [image for image in map(pictures.get, range(min(16, len(samples)))) if image is not None]
    export_onnx(network, out / "model.onnx", shown)
    row = ", ".join(f"{name} {value}" for name, value in report["figures"].items())
    print(
        f"{out}: model.safetensors, model.onnx, report.json; calibrated logit = {scale:.3f} * logit {shift:+.3f}\n{row}"
    )
