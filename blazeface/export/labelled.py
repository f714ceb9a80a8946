"""Labelled pictures on which a network and the files made of it are scored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from blazeface.anchors import anchor_centers
from blazeface.data.samples import Sample
from blazeface.detector import postprocess, prepare
from blazeface.errors import BlazeFaceError
from blazeface.evaluation.record import SCORE_CUT, make_record
from blazeface.evaluation.report import figures
from blazeface.export.verify import Run, torch_run
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image, Letterbox, letterbox_image
from blazeface.models.network import BlazeFace

BATCH = 16

Figures = dict[str, float | None]


class LabelledSet:
    """Labelled pictures, read and scaled once, and the figures of PyTorch on them in `expected`.

    pictures: how many could be read; the others are passed over and named in `left_out`.
    Raises BlazeFaceError when there is none.
    """

    def __init__(self, network: BlazeFace, samples: Sequence[Sample]):
        self.spec = network.spec
        self._samples: list[Sample] = []
        self._squares: list[Image] = []
        self._places: list[tuple[int, int, Letterbox]] = []
        self.left_out: list[str] = []
        for sample in tqdm(samples, desc="reading val", unit="picture", leave=False, disable=None):
            try:
                picture = read_picture(str(sample.path))
            except BlazeFaceError as error:
                self.left_out.append(str(error))
                continue
            square, letterbox = letterbox_image(picture, self.spec.input_size, self.spec.resampling)
            self._samples.append(sample)
            self._squares.append(square)
            self._places.append((*picture.shape[:2], letterbox))
        if not self._samples:
            raise BlazeFaceError("none of the val pictures can be read")
        self.pictures = len(self._samples)
        self.expected = self.figures(torch_run(network.eval()), "PyTorch")

    def figures(self, run: Run, name: str) -> Figures:
        """What `evaluate` would find: see `evaluation.columns.Columns.figures`. name: shown beside the progress."""
        centers = anchor_centers(self.spec.anchor_maps)
        found = []
        with tqdm(total=self.pictures, desc=f"scoring {name}", unit="picture", leave=False, disable=None) as bar:
            for start in range(0, self.pictures, BATCH):
                chosen = range(start, min(start + BATCH, self.pictures))
                # A square of the input's size goes through `prepare` as it is.
                batch = np.stack([prepare(self._squares[i], self.spec)[0] for i in chosen])
                logits, regressions = run(batch)
                for row, i in enumerate(chosen):
                    height, width, letterbox = self._places[i]
                    detections = postprocess(
                        logits[row], regressions[row], letterbox, self.spec, centers, SCORE_CUT
                    )
                    found.append(make_record(self._samples[i], height, width, detections))
                bar.update(len(chosen))
        return {key: _rounded(value) for key, value in figures(found).items()}


def _rounded(value: float) -> float | None:
    return round(float(value), 5) if np.isfinite(value) else None
