"""The planted faults fit the code, name tests that exist, and were all noticed when they were planted last."""

from __future__ import annotations

from pathlib import Path

import pytest

from reliability.plant import CAUGHT, ROOT, STALE, SURVIVED, fits, try_fault
from reliability.planted import FAULTS
from reliability.planted.fault import Fault
from reliability.report import FOLDER, newest

ONCE_MISSED = (
    "the raw weights are shipped",
    "the quality label has a slope",
    "gradients are not clipped",
    "a mean over processes is their sum",
    "a staged file is written in place",
    "keypoints beyond a mosaic's tile stay visible",
    "the page holds for no time",
    "the page covers without a margin",
)
"""Faults that the tests did not notice when they were planted for the first time."""


def test_faults_fit_their_files() -> None:
    """One in ten may have been overtaken by a change: `make mutants` names them, and its report is not passed."""
    stale = [f"{fault.file}: {fault.what}" for fault in FAULTS if not fits(fault)]
    assert len(stale) <= len(FAULTS) // 10, stale


def test_faults_name_tests_that_exist() -> None:
    for test in sorted({test for fault in FAULTS for test in fault.tests}):
        file, _, name = test.partition("::")
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert not name or f"def {name.partition('[')[0]}(" in text, test


def test_no_fault_is_planted_twice() -> None:
    assert len({(fault.file, fault.old, fault.new) for fault in FAULTS}) == len(FAULTS)


def test_the_latest_report_holds_the_faults_once_missed_and_its_survivors_are_owned_up_to() -> None:
    results = newest("mutants")["results"]
    caught = {name.split(": ")[-1] for name, result in results.items() if result == CAUGHT}
    assert len(caught) >= 130
    assert set(ONCE_MISSED) <= caught
    known = (FOLDER / "README.md").read_text(encoding="utf-8").split("## Open")[1]
    missed = [name for name, result in results.items() if result in (SURVIVED, STALE)]
    assert all(name.split(": ")[-1] in known for name in missed), missed


@pytest.mark.parametrize(("new", "status"), [("return 1 + 1", 0), ("return 3", 1)])
def test_a_fault_is_caught_by_a_test_that_fails(tmp_path: Path, new: str, status: int) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "two.py").write_text("def two():\n    return 2\n")
    (tmp_path / "tests" / "test_two.py").write_text(
        "from two import two\ndef test_two():\n    assert two() == 2\n"
    )
    fault = Fault("two is not two", "two.py", "return 2", new, ("test_two.py",))
    assert fits(fault, tmp_path)
    assert try_fault(tmp_path, fault) == status
    assert (tmp_path / "two.py").read_text() == "def two():\n    return 2\n"
