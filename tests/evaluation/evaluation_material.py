"""Labelled and detected pictures for the tests, at random and by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from slow_rules import Box, Found, Label, Picture

from blazeface.data.samples import Sample
from blazeface.detections import Detections
from blazeface.evaluation.record import Record, make_record

# Few values of each kind, so that equal scores, equal boxes and sizes on the edge of a bin are common.
# Among whole pixels an IoU of exactly one half is common too.
SCORES = st.sampled_from([0.0625, 0.125, 0.25, 0.5, 0.625, 0.75])
CORNERS = st.sampled_from([0, 4, 5, 20, 30, 40])
SIDES = st.sampled_from([1, 4, 5, 8, 10, 20, 30, 45, 60])


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x, y, width, height = draw(CORNERS), draw(CORNERS), draw(SIDES), draw(SIDES)
    return (x, y, x + width, y + height)


@st.composite
def points(draw: st.DrawFn) -> tuple[tuple[float, float], ...]:
    """Six keypoints; the eyes may be three pixels apart or fewer."""
    rows = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=6, max_size=6))
    return tuple((float(x), float(y)) for x, y in rows)


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    labels = tuple(
        Label(
            draw(boxes()),
            draw(st.booleans()),
            draw(points()),
            draw(st.sampled_from([(2,) * 6, (2, 2, 2, 2, 1, 0), (2, 2, 2, 1, 2, 2)])),
        )
        for _ in range(draw(st.integers(0, 4)))
    )
    places = st.one_of(boxes(), st.sampled_from([label.box for label in labels])) if labels else boxes()
    found = [Found(draw(places), draw(SCORES), draw(points())) for _ in range(draw(st.integers(0, 6)))]
    found.sort(key=lambda face: -face.score)
    return Picture(100, draw(st.sampled_from([50, 100])), labels, tuple(found))


def to_record(picture: Picture, source: str = "made", name: str = "picture.png") -> Record:
    sample = make_sample(picture.labels, source, name)
    detections = Detections(
        np.array([face.box for face in picture.found], np.float32).reshape(-1, 4),
        np.array([face.score for face in picture.found], np.float32),
        np.array([face.keypoints for face in picture.found], np.float32).reshape(-1, 6, 2),
    )
    return make_record(sample, picture.height, picture.width, detections)


def make_sample(labels: Sequence[Label], source: str = "made", name: str = "picture.png") -> Sample:
    return Sample(
        Path(name),
        source,
        np.array([label.box for label in labels], np.float32).reshape(-1, 4),
        np.array([label.keypoints for label in labels], np.float32).reshape(-1, 6, 2),
        np.array([label.visibility for label in labels], np.uint8).reshape(-1, 6),
        np.array([label.ignore for label in labels], bool),
    )


NOWHERE = ((0.0, 0.0),) * 6


def face(x: float, y: float, side: float, ignore: bool = False) -> Label:
    """A square label without keypoints."""
    return Label((x, y, x + side, y + side), ignore, NOWHERE, (0,) * 6)


def seen(x: float, y: float, side: float, score: float) -> Found:
    """A square detection."""
    return Found((x, y, x + side, y + side), score, NOWHERE)
