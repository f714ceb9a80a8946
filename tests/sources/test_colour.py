"""HDR and wide colours against a slow implementation, number by number, and against figures of the standards."""

import math

import numpy as np
import pytest

from blazeface.sources import colour
from blazeface.sources.colour import BT709, BT2020, DISPLAY_P3, HLG, PQ, rolled_off, tone_mapped


def light_of(code: float, transfer: int) -> float:
    """Light in cd/m2, by the formulas of SMPTE ST 2084 and BT.2100, written out."""
    if transfer == PQ:
        root = code ** (32 / 2523)
        return float(10_000 * (max(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)) ** (16384 / 2610))
    scene = code * code / 3 if code <= 0.5 else (math.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return float(1000 * scene**1.2)


def slow(bgr: tuple[int, int, int], transfer: int, wide: bool) -> list[int]:
    rgb = [min(light_of(value / 65535, transfer), 1000) / 203 for value in bgr[::-1]]
    if wide:  # ITU-R BT.2087, M2
        rows = [(1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)]
        rgb = [sum(a * b for a, b in zip(row, rgb, strict=True)) for row in rows]
    shown = [float(rolled_off(np.array(min(max(value, 0), 1000 / 203)), 1000 / 203)) for value in rgb]
    return [round(255 * min(value, 1) ** (1 / 2.4)) for value in shown[::-1]]


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("wide", [False, True])
def test_tone_mapping_is_that_of_the_formulas(transfer: int, wide: bool) -> None:
    colours = np.random.default_rng(1).integers(0, 65536, (500, 3))
    image = colours.reshape(20, 25, 3).astype(np.uint16)
    found = tone_mapped(image, transfer, BT2020 if wide else BT709).reshape(-1, 3)
    expected = [slow(tuple(row), transfer, wide) for row in colours.tolist()]
    np.testing.assert_allclose(found, expected, atol=3)
    assert abs(found - np.array(expected)).mean() < 0.5


def test_reference_white_and_grey() -> None:
    """BT.2408: white at 203 cd/m2 is 75 % of HLG and 58 % of PQ; 18 % grey, 26 cd/m2, is 38 % of both."""
    for transfer, white, grey in ((HLG, 0.75, 0.38), (PQ, 0.58, 0.38)):
        shown = [
            tone_mapped(np.full((1, 1, 3), c * 65535, np.uint16), transfer, BT2020)[0, 0] for c in (white, grey, 0)
        ]
        assert 215 <= shown[0].min() <= shown[0].max() <= 236  # room is left for what shines
        assert all(abs(int(value) - 108) <= 4 for value in shown[1])
        assert (shown[2] == 0).all()


def test_the_curve_grows_has_no_kink_and_ends_at_one() -> None:
    light = np.linspace(0, 1000 / 203, 10_001)
    bent = rolled_off(light, 1000 / 203)
    assert (np.diff(bent) > 0).all()
    assert abs(np.diff(bent, 2)).max() < 1e-5
    assert bent[-1] == pytest.approx(1)
    np.testing.assert_array_equal(bent[light < colour.KNEE], light[light < colour.KNEE])


def test_a_wide_colour_of_ordinary_range_becomes_the_same_light_in_bt709() -> None:
    """Grey stays; BT.709's red, written in BT.2020 (.6274, .0691, .0164 of light), becomes pure red."""
    grey = np.full((1, 1, 3), 30_000, np.uint16)
    for primaries in (BT2020, DISPLAY_P3):
        assert abs(tone_mapped(grey, BT709, primaries).astype(int) - round(30_000 / 257)).max() <= 1
    red = np.array([[[round(65535 * v ** (1 / 2.4)) for v in (0.0164, 0.0691, 0.6274)]]], np.uint16)
    np.testing.assert_allclose(tone_mapped(red, BT709, BT2020)[0, 0], [0, 0, 255], atol=8)
