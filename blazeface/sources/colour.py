"""Decoded frames as BGR of 8 bits in BT.709's colours: matrices, ranges, and tone mapping of HDR.

Numbers of matrices, transfer functions and primaries are those of ITU-T H.273.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.geometry import Image

BT709, UNSPECIFIED, BT601, BT2020, DISPLAY_P3 = 1, 2, 6, 9, 12
PQ, HLG = 16, 18
TRANSFERS = {PQ: "PQ", HLG: "HLG"}

WHITE = 203.0
"""Light, in cd/m2, of white that is lit by the scene rather than shining (ITU-R BT.2408); it becomes BT.709's white."""

PEAK = 1000.0
"""Luminance that tone mapping maps to the largest value, in cd/m2; HLG is shown for a display that goes up to it."""

KNEE = 0.6
"""Up to this light, in whites, tone mapping changes nothing."""

STEPS = 4096
"""Entries of the tables: 12 bits."""

_TO_BT709 = {
    BT2020: np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]),
    DISPLAY_P3: np.array([[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]]),
}
"""Linear RGB of other primaries as that of BT.709 (BT.2087 for BT.2020; made from the primaries for P3)."""


def matrix_of(frame: Any) -> int:
    """The matrix of a decoded frame; one that is not said is that of its size: BT.709 from HD on, else BT.601."""
    stated = int(frame.colorspace)
    if stated != UNSPECIFIED:
        return stated
    return BT709 if max(frame.width, frame.height) >= 1280 or min(frame.width, frame.height) > 576 else BT601


def to_bgr(frame: Any) -> Image:
    """A decoded frame as BGR uint8 (H, W, 3) of BT.709's primaries, as it lies in the file.

    HDR (PQ, HLG) is tone-mapped; wide primaries are brought into BT.709's. Alpha is left out.
    """
    matrix = matrix_of(frame)
    how: dict[str, Any] = {}
    if matrix != 0 and not frame.format.is_rgb:
        how = {"src_colorspace": matrix}
    transfer, primaries = int(frame.color_trc), int(frame.color_primaries)
    if transfer not in TRANSFERS and primaries not in _TO_BT709:
        image: Image = frame.to_ndarray(format="bgr24", **how)
        return image
    deep = frame.to_ndarray(format="bgr48le", **how)
    return tone_mapped(deep, transfer, primaries)


def tone_mapped(image: NDArray[np.uint16], transfer: int, primaries: int) -> Image:
    """BGR uint16 (H, W, 3) of a transfer function and primaries as BGR uint8 of BT.709."""
    light = _lights(transfer)[image >> 4]
    if primaries in _TO_BT709:
        light = cv2.transform(light, _TO_BT709[primaries][::-1, ::-1].astype(np.float32))
    # The root of light, as its codes are: equal steps of light would be far apart in the dark.
    root = cv2.sqrt(np.clip(light * np.float32(1 / _largest(transfer)), 0, 1))
    codes: Image = _codes(transfer)[(root * np.float32(STEPS - 1) + np.float32(0.5)).astype(np.uint16)]
    return codes


@lru_cache
def _lights(transfer: int) -> NDArray[np.float32]:
    """Light of each code, in whites."""
    code = np.arange(STEPS, dtype=np.float64) / (STEPS - 1)
    if transfer == PQ:  # SMPTE ST 2084: cd/m2 of a code
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = code ** (1 / m2)
        light = 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) / WHITE
        return np.minimum(light, PEAK / WHITE).astype(np.float32)
    if transfer == HLG:  # BT.2100: the scene's light of a code, then as a display of PEAK shows it
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
        return (scene**1.2 * PEAK / WHITE).astype(np.float32)
    return (code**2.4).astype(np.float32)  # BT.1886


def _largest(transfer: int) -> float:
    return PEAK / WHITE if transfer in TRANSFERS else 1.0


@lru_cache
def _codes(transfer: int) -> NDArray[np.uint8]:
    """BT.709's code (8 bits, BT.1886) of each of STEPS equal steps of the root of light."""
    light = (np.arange(STEPS) / (STEPS - 1)) ** 2 * _largest(transfer)
    if transfer in TRANSFERS:
        light = rolled_off(light, PEAK / WHITE)
    return np.round(255 * np.clip(light, 0, 1) ** (1 / 2.4)).astype(np.uint8)


def rolled_off(light: NDArray[np.float64], peak: float) -> NDArray[np.float64]:
    """Light, in whites, brought from [0, peak] into [0, 1]: unchanged up to KNEE, then bent without a kink.

    Above it Reinhard's extended curve, t (1 + t / T^2) / (1 + t), whose slope is 1 at t = 0 and value 1 at T.
    """
    over = np.maximum(light - KNEE, 0) / (1 - KNEE)
    top = (peak - KNEE) / (1 - KNEE)
    bent: NDArray[np.float64] = KNEE + (1 - KNEE) * over * (1 + over / top**2) / (1 + over)
    return np.where(light > KNEE, bent, light)


def copy_loss(frame: Any) -> str | None:
    """What an 8-bit copy of a decoded frame in BT.709's colours lacks, as a clause; None for nothing."""
    parts = frame.format.components
    deepest = max((part.bits for part in parts if not part.is_alpha), default=8)
    lost = []
    if int(frame.color_trc) in TRANSFERS:
        lost.append(f"HDR ({TRANSFERS[int(frame.color_trc)]}) is tone-mapped to BT.709 of 8 bits in the copy")
    elif int(frame.color_primaries) in _TO_BT709:
        lost.append("its wide colours become BT.709's of 8 bits in the copy")
    elif deepest > 8:
        lost.append(f"its {deepest} bits become 8 in the copy")
    if any(part.is_alpha for part in parts) and frame.to_ndarray(format="rgba")[..., 3].min() < 255:
        lost.append("its transparency is left out of the copy")
    return "; ".join(lost) or None
