"""The charts of `blazeface cost`: their bars and points are the figures that it prints."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the train extra is not installed")

from blazeface.cli.cost.chart import draw_layers, draw_networks, draw_separable
from blazeface.cli.cost.networks import cost_of
from blazeface.cli.cost.separable import figures
from blazeface.cli.main import main


def test_a_bar_a_layer_with_its_shares() -> None:
    cost = cost_of("paper-128")
    left, right = draw_layers(cost, "paper-128").axes
    macs = [bar.get_width() for bar in left.patches]  # type: ignore[attr-defined]
    parameters = [bar.get_width() for bar in right.patches]  # type: ignore[attr-defined]
    assert len(macs) == len(parameters) == sum(layer.macs > 0 for layer in cost.layers)
    assert sum(macs) == pytest.approx(100) and sum(parameters) == pytest.approx(100)
    # 3 x 24 x 5 x 5 weights on 64 x 64, of 34,140,672.
    assert macs[0] == pytest.approx(100 * 1800 * 4096 / 34_140_672)


def test_a_row_a_network_sorted_by_multiplications() -> None:
    names = ("unet-5", "paper-128", "mobilenet-v2")
    (axes,) = draw_networks({name: cost_of(name) for name in names}).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["unet-5", "mobilenet-v2", "paper-128"]
    points = {line.get_label(): list(line.get_xdata()) for line in axes.lines}  # type: ignore[arg-type]
    assert points["MACs"] == [33_446_722_772, 300_774_272, 34_140_672]
    assert points["parameters"] == [5_919_434, 3_504_872, 71_176]


def test_the_curve_of_a_kernel_goes_through_the_layer() -> None:
    (axes,) = draw_separable(figures(64, 128, 3, (32, 32), True)).axes
    (point,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert list(point.get_xdata()) == [128] and list(point.get_ydata()) == [pytest.approx(1 / 128 + 1 / 9)]  # type: ignore[arg-type]
    (curve,) = [line for line in axes.lines if line.get_label() == "3 x 3"]
    widths, ratios = np.asarray(curve.get_xdata(), float), np.asarray(curve.get_ydata(), float)
    assert len(widths) > 10 and np.allclose(ratios, 1 / widths + 1 / 9)


def test_charts_are_written_and_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--in", "8", "--out", "16", "--kernel", "5"]
    for arguments, name in (
        (["paper-128"], "one.png"),
        (["--compare", "paper-128", "dense-middle-128"], "two.png"),
        (["separable", *sizes], "three.svg"),
    ):
        path = tmp_path / name
        assert main(["cost", *arguments, "--chart", str(path)]) == 0
        before = path.read_bytes()
        assert before.startswith(b"<?xml") if name.endswith("svg") else cv2.imread(str(path)).std() > 10  # type: ignore[union-attr]
        assert main(["cost", *arguments, "--chart", str(path)]) == 1
        assert "exists already (--overwrite replaces it)" in capsys.readouterr().err
        assert path.read_bytes() == before
    assert main(["cost", "paper-128", "--chart", str(tmp_path / "x.txt")]) == 1
    assert "its name must end in .png, .svg, .pdf" in capsys.readouterr().err
    assert not (tmp_path / "x.txt").exists()
