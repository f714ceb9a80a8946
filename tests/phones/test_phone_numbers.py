"""The numbers of docs/phones.md: from files that commands wrote, and what this package gives now."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks import RESULTS
from tools.phone_numbers import EXPECTED, FAULTS, GUIDE, filled, numbers, tables

STORED = json.loads(EXPECTED.read_text(encoding="utf-8"))
TEXT = GUIDE.read_text(encoding="utf-8")


def test_the_guide_shows_the_stored_numbers() -> None:
    assert filled(TEXT, STORED) == TEXT
    assert tables(STORED) in TEXT


def test_the_stored_numbers_are_what_the_package_gives() -> None:
    agree(numbers(), STORED, "expected")


def agree(found: Any, stored: Any, where: str) -> None:
    """Numbers up to the last stored digit, which another runtime's rounding may move; the rest exactly."""
    if isinstance(stored, dict):
        assert list(found) == list(stored), where
        for key in stored:
            agree(found[key], stored[key], f"{where}.{key}")
    elif isinstance(stored, list):
        assert len(found) == len(stored), where
        for i, (a, b) in enumerate(zip(found, stored, strict=True)):
            agree(a, b, f"{where}[{i}]")
    elif isinstance(stored, float):
        assert found == pytest.approx(stored, abs=0.02), where
    else:
        assert found == stored, where


def test_each_fault_shows_in_a_number_of_its_own() -> None:
    rows = {row.pop("fault"): row for row in json.loads(json.dumps(STORED["done_wrong"]))}
    assert list(rows) == list(FAULTS)
    right = rows.pop("nothing")
    for fault, row in rows.items():
        assert abs(row["logit"] - right["logit"]) > 0.1 or row["box"] != right["box"], fault
    assert rows["mirrored"]["right_eye"][0] > 1 - right["left_eye"][0] - 0.05


def test_the_guide_shows_the_parity_that_was_measured() -> None:
    assert (RESULTS / "phones.md").read_text(encoding="utf-8") in TEXT
    for row in json.loads((RESULTS / "phones.json").read_text(encoding="utf-8")):
        assert (row["pictures"], row["bytes_differing"], row["beyond"]) == (200, 0, 0), row["language"]
        assert row["furthest"] < 1e-4


def test_the_guide_shows_that_vulkan_gave_the_same_faces() -> None:
    assert (RESULTS / "phones_vulkan.md").read_text(encoding="utf-8") in TEXT
    rows = json.loads((RESULTS / "phones_vulkan.json").read_text(encoding="utf-8"))
    assert [row["model"] for row in rows] == ["front-128", "back-256"]
    for row in rows:
        assert row["beyond"] == 0 and row["faces"] > 40 and row["furthest"] < 1e-3 and 0 < row["logit"] < 1e-2
