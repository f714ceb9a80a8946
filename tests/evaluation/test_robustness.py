"""Recall under harder conditions: which pictures, which threshold, and how it reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from evaluation_material import face, seen, to_record
from slow_rules import Picture

from blazeface.data.samples import Sample
from blazeface.detections import Detections
from blazeface.evaluation.record import Record
from blazeface.evaluation.robustness.conditions import CONDITIONS
from blazeface.evaluation.robustness.measure import harder_records, measure_robustness
from blazeface.evaluation.robustness.table import Hardness, hardness_markdown, hardness_text
from blazeface.geometry import Image

HOUSE = Picture(100, 100, (), (seen(0, 0, 30, 0.5),))
FACE = Picture(100, 100, (face(0, 0, 20),), (seen(0, 0, 20, 0.7),))


def test_large_general_faces_count_at_the_clean_threshold() -> None:
    small = Picture(100, 100, (face(0, 0, 9),), (seen(0, 0, 9, 0.9),))
    made = [
        to_record(HOUSE, "neg_houses"),
        to_record(FACE, "web", "a.png"),
        to_record(FACE, "web", "b.png"),
        to_record(FACE, "crowd_street"),
        to_record(small, "web"),
    ]
    asked: list[str] = []

    def harder(name: str, samples: Sequence[Sample]) -> list[Record]:
        """The first face is still found, above the threshold of .5; the second one below it."""
        asked.append(name)
        assert [sample.path.name for sample in samples] == ["a.png", "b.png"]
        return [
            to_record(Picture(100, 100, (face(0, 0, 20),), (seen(0, 0, 20, score),)), "web")
            for score in (0.51, 0.5)
        ]

    found = measure_robustness(made, harder, resamples=50)
    assert found is not None
    assert asked == list(CONDITIONS)
    assert (found["at"], found["threshold"], found["pictures"]) == ("houses", 0.5, 2)
    assert found["conditions"]["clean"] == {"faces": 2, "recall": 1.0, "interval": (1.0, 1.0)}
    assert found["conditions"]["roll 90"] == {"faces": 2, "recall": 0.5, "interval": (0.0, 1.0)}


def test_without_a_face_less_picture_or_a_large_face_there_is_nothing_to_measure() -> None:
    never = lambda name, samples: pytest.fail("asked")  # noqa: E731
    assert measure_robustness([to_record(FACE, "web")], never) is None
    assert measure_robustness([to_record(HOUSE, "neg_houses")], never) is None


def test_what_is_detected_are_the_harder_pictures() -> None:
    image = np.zeros((60, 60, 3), np.uint8)
    image[10:30, 30:50] = 255

    def detect(images: list[Image]) -> list[Detections]:
        """A detector of white squares."""
        rows = []
        for picture in images:
            y, x = np.nonzero(picture[:, :, 0] > 127)
            box = np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]], np.float32)
            rows.append(Detections(box, np.ones(1, np.float32), np.zeros((1, 6, 2), np.float32)))
        return rows

    sample = to_record(Picture(60, 60, (face(30, 10, 20),), ())).sample
    for name in ("roll 90", "roll 180", "blur"):
        record = harder_records(name, [sample], lambda path: image, detect)[0]
        assert record.face.tolist() == [0], name
    assert harder_records("blur", [sample], lambda path: None, detect) == []


def test_tables() -> None:
    found = Hardness(
        robustness={
            "at": "houses",
            "threshold": 0.5,
            "pictures": 600,
            "conditions": {"clean": {"faces": 700, "recall": 0.9, "interval": (0.85, 0.95)}},
        },
        centred={"astronaut": {"faces": 1, "places": 200, "lowest": 0.4, "median": 0.8}},
        clips={"webcam.mp4": {"frames": 1337, "over": 1.0, "lowest": 0.51, "median": 0.9}},
    )
    text, markdown = hardness_text(found), hardness_markdown(found)
    assert "at the threshold of houses (.500)" in text
    assert "| clean | 700 | .900 | .850-.950 |" in markdown
    assert "| astronaut | 1 | .400 | .800 |" in markdown
    assert "| webcam.mp4 | 1,337 | 1.000 | .510 | .900 |" in markdown
    assert hardness_text(Hardness(robustness=None, centred={}, clips={})) == ""
