"""The page on fine-tuning says what its file says, and the documentation what the page says."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from benchmarks import RESULTS, ROOT
from benchmarks.training.fine_tune import RECIPES, SHOWN, cells, markdown, worst
from benchmarks.training.new_kinds import bend_fisheye, false_colour, fisheye

RESULT = json.loads((RESULTS / "fine_tuning.json").read_text(encoding="utf-8"))
KIND = RESULT["kinds"]["false-colour"]
DOCS = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_page_is_that_of_the_file() -> None:
    assert (RESULTS / "fine_tuning.md").read_text(encoding="utf-8") == markdown(RESULT)
    assert KIND["train"]["pictures"] == 200


def test_the_documentation_has_its_figures() -> None:
    rows = {"before": [KIND["before"]]} | {
        name: list(row["seeds"].values()) for name, row in KIND["recipes"].items()
    }
    for name, runs in rows.items():
        (line,) = re.findall(rf"^\| {name}\b.*$", DOCS, flags=re.M)
        shown = [cell.strip() for cell in line.split("|")[2:-1]]
        assert shown[:6] == cells(runs)
        if name != "before":
            assert shown[6:] == [str(len(runs)), f"{worst(KIND['before'], runs):+.3f}"]


def test_what_is_advised_wins_on_the_kind_with_every_seed_and_keeps_the_rest_in_the_mean() -> None:
    before, runs = KIND["before"], list(KIND["recipes"]["advised"]["seeds"].values())
    assert len(runs) >= 3
    assert all(run["kind"][key] > before["kind"][key] + 0.08 for run in runs for key in SHOWN)
    for key in SHOWN:
        assert np.mean([run["kind"][key] for run in runs]) > before["kind"][key] + 0.12
        assert np.mean([run["others"][key] for run in runs]) >= before["others"][key] - 0.005
    assert KIND["recipes"]["advised"]["flags"] == RECIPES["advised"].text
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "--init front-128 " + RECIPES["advised"].text.replace("ordinary", "holiday") in readme


def test_what_it_costs_elsewhere_is_said() -> None:
    """The goal was .005 at most; the documentation says by how much it was missed."""
    lost = worst(KIND["before"], list(KIND["recipes"]["advised"]["seeds"].values()))
    assert lost >= -0.02
    assert f"up to {-lost:.3f}".replace("0.", ".") in DOCS


def test_labels_are_bent_as_the_picture() -> None:
    """A white square on black: its corners are where the bent ones say."""
    image = np.zeros((300, 400, 3), np.uint8)
    image[200:240, 260:320] = 255
    seen = fisheye(image, np.random.default_rng(0))
    rows, columns = np.nonzero(seen[:, :, 0] > 127)
    corners = bend_fisheye(np.array([[260, 200], [320, 200], [260, 240], [320, 240]], np.float64), (300, 400))
    outline = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert [*corners.min(axis=0), *corners.max(axis=0)] == pytest.approx(outline, abs=2.5)
    # Nothing moves in the middle.
    assert bend_fisheye(np.array([[200.0, 150.0]]), (300, 400)).tolist() == [[200, 150]]


def test_false_colours_are_inverted_light() -> None:
    """Dark becomes the hot end of each map: red or white, not blue."""
    dark = false_colour(np.full((40, 40, 3), 20, np.uint8), np.random.default_rng(3))
    light = false_colour(np.full((40, 40, 3), 240, np.uint8), np.random.default_rng(3))
    assert dark.shape == (40, 40, 3) and dark.dtype == np.uint8
    assert dark[..., 2].mean() > light[..., 2].mean() + 60  # BGR
