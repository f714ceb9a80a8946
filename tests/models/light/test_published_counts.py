"""Every count that the page of the light networks states, from its tables and by formulas of their own: no layer is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from blazeface.models.cost import count
from blazeface.models.light.classifiers import SIDES, build_classifier, multiplied

ROOT = Path(__file__).parents[3]
COST = ROOT / "benchmarks" / "results" / "lightweight" / "cost.json"
PAGE = ROOT / "docs" / "lightweight.md"

COUNTS = {
    "xception-aligned-16": (36_805_424, 11_235_043_328),
    "xception-aligned-8": (36_805_424, 38_595_362_816),
    "shufflenet-32-g2": (887_582, 39_614_080),
    "shufflenet-32-g3": (862_768, 38_605_056),
    "squeezenet-1.0": (1_248_424, 887_513_088),
    "squeezenet-1.1": (1_235_496, 387_358_720),
    "mobilenet-v1": (4_231_976, 568_740_352),
    "mobilenet-v2": (3_504_872, 300_774_272),
    "xception": (22_855_952, 9_375_289_600),
}
U_NETS = (31_155_586, 28_719_900, 26_285_660, 11_635_292, 9_035_594, 5_919_434)

Layer = tuple[int, int, int, int, bool, bool]
"""in, out, weights of a filter of one channel, side of the output, bias, batch norm."""


def total(layers: Iterator[Layer]) -> tuple[int, int]:
    """Parameters and multiply-accumulates."""
    parameters = macs = 0
    for before, after, window, side, bias, norm in layers:
        weights = before * after * window
        parameters += weights + bias * after + 2 * norm * after
        macs += weights * side**2
    return parameters, macs


def separable(before: int, after: int, side: int, between: bool) -> Iterator[Layer]:
    """Depthwise 3 x 3 (one input channel a filter) and pointwise, batch norm behind, and behind the first where `between`."""
    yield 1, before, 9, side, False, between
    yield before, after, 1, side, False, True


def squeezenet(stem: int, kernel: int, pools: tuple[int, ...]) -> Iterator[Layer]:
    side, width = 112, stem
    yield 3, stem, kernel**2, side, True, False
    side //= 2
    for fire, squeezed in enumerate((16, 16, 32, 32, 48, 48, 64, 64)):
        side //= 2 if fire in pools else 1
        yield width, squeezed, 1, side, True, False
        yield squeezed, 4 * squeezed, 1, side, True, False
        yield squeezed, 4 * squeezed, 9, side, True, False
        width = 8 * squeezed
    yield width, 1000, 1, side, True, False


def mobilenet_v1(alpha: float) -> Iterator[Layer]:
    side, width = 112, int(32 * alpha)
    yield 3, width, 9, side, False, True
    for full, stride in [
        *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
        *5 * [(512, 1)],
        *((1024, 2), (1024, 1)),
    ]:
        side //= stride
        yield from separable(width, int(full * alpha), side, between=True)
        width = int(full * alpha)
    yield width, 1000, 1, 1, True, False


def mobilenet_v2() -> Iterator[Layer]:
    side, width = 112, 32
    yield 3, 32, 9, side, False, True
    for t, c, n, s in (
        *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
        *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
    ):
        for index in range(n):
            if t > 1:
                yield width, t * width, 1, side, False, True
            side //= s if index == 0 else 1
            yield from separable(t * width, c, side, between=True)
            width = c
    yield 320, 1280, 1, side, False, True
    yield 1280, 1000, 1, 1, True, False


def xception(side: int) -> Iterator[Layer]:
    side //= 2
    yield 3, 32, 9, side, False, True
    yield 32, 64, 9, side, False, True
    for widths, pooled in (
        *(([64, 128, 128], True), ([128, 256, 256], True), ([256, 728, 728], True)),
        *8 * [([728, 728, 728, 728], False)],
        ([728, 728, 1024], True),
    ):
        for before, after in pairwise(widths):
            yield from separable(before, after, side, between=False)
        if pooled:
            side //= 2
            yield widths[0], widths[-1], 1, side, False, True
    yield from separable(1024, 1536, side, between=False)
    yield from separable(1536, 2048, side, between=False)
    yield 2048, 1000, 1, 1, True, False


FORMULAS: dict[str, Callable[[], Iterator[Layer]]] = {
    "squeezenet-1.0": lambda: squeezenet(96, 7, (3, 7)),
    "squeezenet-1.1": lambda: squeezenet(64, 3, (2, 4)),
    "mobilenet-v1": lambda: mobilenet_v1(1),
    "mobilenet-v2": mobilenet_v2,
    "xception": lambda: xception(320),
}


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_a_formula_written_a_second_time(name: str) -> None:
    assert total(FORMULAS[name]()) == COUNTS[name]


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_the_tables_hold_the_published_counts(name: str) -> None:
    found = json.loads(COST.read_text(encoding="utf-8"))[name]
    assert (found["parameters"], found["macs"]) == COUNTS[name]
    parameters, macs = COUNTS[name]
    assert f"| {name} | {parameters:,} | {macs:,} |" in PAGE.read_text(encoding="utf-8")


def test_the_ladder_and_the_separable_layer_in_the_tables() -> None:
    found, page = json.loads(COST.read_text(encoding="utf-8")), PAGE.read_text(encoding="utf-8")
    assert tuple(found[f"unet-{step}"]["parameters"] for step in range(6)) == U_NETS
    assert "| parameters | 73,856 | 8,960 |\n| MACs | 75,497,472 | 8,978,432 |" in page
    dense, light = 64 * 128 * 9, 64 * 9 + 64 * 128
    assert (dense + 128, dense * 1024) == (73_856, 75_497_472)
    assert (light + 64 + 128, light * 1024) == (8_960, 8_978_432)
    assert "158,880 parameters" in page and "44,156,928 MACs" in page  # counted in test_dense_middle
    assert (found["dense-middle-128"]["parameters"], found["dense-middle-128"]["macs"]) == (168_040, 45_619_200)


@pytest.mark.parametrize(
    ("alpha", "parameters", "macs"),
    # arXiv 1704.04861, table 6: 2.6, 1.3 and .5 million parameters, 325, 149 and 41 million multiply-accumulates.
    [(0.75, 2.6e6, 325e6), (0.5, 1.3e6, 149e6), (0.25, 0.5e6, 41e6)],
)
def test_width_multipliers_of_mobilenet_v1(alpha: float, parameters: float, macs: float) -> None:
    with torch.device("meta"):
        cost = count(build_classifier("mobilenet-v1", multiplier=alpha), torch.zeros(1, 3, 224, 224))
    assert (cost.parameters, cost.macs) == total(mobilenet_v1(alpha))
    assert round(cost.parameters / 1e6, 1) * 1e6 == pytest.approx(parameters)
    assert cost.macs == pytest.approx(macs, rel=0.02)


@pytest.mark.parametrize(
    ("multiplier", "parameters", "macs"),
    # As its authors' models are published: 1.95 and 2.61 million parameters, 97 and 209 million multiply-accumulates.
    [(0.5, 1_968_680, 97e6), (0.75, 2_636_000, 209e6)],
)
def test_width_multipliers_of_mobilenet_v2(multiplier: float, parameters: int, macs: float) -> None:
    with torch.device("meta"):
        cost = count(build_classifier("mobilenet-v2", multiplier=multiplier), torch.zeros(1, 3, 224, 224))
    assert cost.parameters == pytest.approx(parameters, rel=0.01)
    assert cost.macs == pytest.approx(macs, rel=0.02)


def test_widths_are_multiples_of_eight_and_never_a_tenth_too_narrow() -> None:
    assert [multiplied(c, 0.35) for c in (16, 24, 32, 96)] == [8, 8, 16, 32]
    assert [multiplied(c, 0.75) for c in (16, 24, 32)] == [16, 24, 24]
    assert SIDES["xception"] == 320 and multiplied(1280, 1.0) == 1280
    for full in range(8, 400, 8):
        for multiplier in (0.1, 0.35, 0.6, 1.3):
            width = multiplied(full, multiplier)
            assert width % 8 == 0 and width >= 8 and width >= 0.9 * full * multiplier
