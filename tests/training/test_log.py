"""Logs survive a kill without doubled or broken rows."""

from __future__ import annotations

from pathlib import Path

from blazeface.training.log import append_row, draw_curves, drop_rows_after, read_rows


def test_rows_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    for step in (20, 40, 60):
        append_row(path, {"step": step, "loss": step / 100})
    drop_rows_after(path, 40)
    append_row(path, {"step": 60, "loss": 0.5})
    assert path.read_text() == "step,loss\n20,0.2\n40,0.4\n60,0.5\n"


def test_a_row_cut_short_by_a_kill_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("step,loss\n20,0.2\n40,")
    drop_rows_after(path, 40)
    assert read_rows(path) == [{"step": 20.0, "loss": 0.2}]


def test_curves_of_nothing_are_still_a_picture(tmp_path: Path) -> None:
    draw_curves(tmp_path / "none.csv", tmp_path / "none too.csv", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_columns_that_are_new_do_not_displace_the_rows_before(tmp_path: Path) -> None:
    path = tmp_path / "evaluations.csv"
    append_row(path, {"step": 20, "AP": 0.5})
    append_row(path, {"step": 40, "recall": 0.7, "AP": 0.6})
    append_row(path, {"step": 60, "recall": 0.8, "AP": 0.7})
    assert path.read_text() == "step,recall,AP\n20,nan,0.5\n40,0.7,0.6\n60,0.8,0.7\n"
    drop_rows_after(path, 40)
    assert [row["step"] for row in read_rows(path)] == [20, 40]
