"""The reports of the long trials, and the README's figures, which come from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reliability.report import FOLDER, KINDS, newest, table, write_report
from reliability.summary import README, section, summary


def test_the_readme_gives_the_figures_of_the_latest_reports() -> None:
    assert section(README.read_text(encoding="utf-8")) == summary()


@pytest.mark.parametrize("kind", KINDS)
def test_the_latest_report_passed_or_its_findings_are_owned_up_to(kind: str) -> None:
    report = newest(kind)
    known = (FOLDER / "README.md").read_text(encoding="utf-8").split("## Open")[1]
    assert report["passed"] is True or all(finding.split("(")[-1][:-1] in known for finding in report["findings"])
    assert (FOLDER / f"{kind}-{report['date']}.md").is_file()


def test_the_latest_reports_are_as_large_as_promised() -> None:
    assert newest("fuzz")["inputs"] >= 1_000_000
    assert sum(row["mutants"] for row in newest("model-mutants")["formats"].values()) >= 100_000
    assert newest("soak")["minutes"] >= 120
    assert newest("soak")["memory_mb"]["growth"] < 5
    assert all(trial["killed"] >= 50 for trial in newest("chaos")["trials"].values())
    assert len(newest("chaos")["trials"]) >= 4
    assert sum(trial["killed"] for trial in newest("kills")["trials"].values()) >= 500


def test_a_report_is_written_twice_over(tmp_path: Path) -> None:
    path = write_report("soak", {"minutes": 2.0}, "| a |\n", tmp_path)
    assert path.suffix == ".md"
    assert path.read_text().startswith("# soak, 20")
    assert newest("soak", tmp_path)["minutes"] == 2.0
    with pytest.raises(FileNotFoundError, match="holds no report of fuzz: make fuzz"):
        newest("fuzz", tmp_path)


def test_a_table_aligns_numbers_to_the_right() -> None:
    assert table(["a", "b"], [["x", 1234]]) == "| a | b |\n| --- | ---: |\n| x | 1,234 |"
