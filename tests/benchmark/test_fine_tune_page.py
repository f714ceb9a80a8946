"""The page on fine-tuning says what its file says, and the documentation what the page says."""

from __future__ import annotations

import json
import re

from benchmarks import RESULTS, ROOT
from benchmarks.training.fine_tune import RECIPES, SHOWN, markdown

RESULT = json.loads((RESULTS / "fine_tuning.json").read_text(encoding="utf-8"))


def test_the_page_is_that_of_the_file() -> None:
    assert (RESULTS / "fine_tuning.md").read_text(encoding="utf-8") == markdown(RESULT)
    assert RESULT["train"]["pictures"] == 200


def test_the_documentation_has_its_figures() -> None:
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    for name, row in {"before": RESULT["before"], **RESULT["recipes"]}.items():
        (line,) = re.findall(rf"^\| {name}\b.*$", text, flags=re.M)
        shown = [cell.strip() for cell in line.split("|")[2:-1]]
        assert shown == [f"{row[part][key]:.3f}".lstrip("0") for part in ("kind", "others") for key in SHOWN]


def test_what_is_advised_wins_on_the_kind_and_loses_nothing_elsewhere() -> None:
    """The goal: recall of the kind goes up, and no figure of the other pictures falls by more than .005."""
    before, after = RESULT["before"], RESULT["recipes"]["advised"]
    assert all(after["kind"][key] > before["kind"][key] for key in SHOWN)
    assert all(after["others"][key] >= before["others"][key] - 0.005 for key in SHOWN)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "--init front-128 " + " ".join(RECIPES["advised"]) in readme
