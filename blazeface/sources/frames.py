"""Frame: one picture with its source, index and time; and how times of frames are made steady."""

from __future__ import annotations

import time as clock
from dataclasses import dataclass, field
from fractions import Fraction

from blazeface.geometry import Image

COARSE_TICK = Fraction(1, 2000)
COARSEST_TICK = Fraction(1, 500)
"""A container whose unit of time, in seconds, lies between these rounds its stamps visibly (Matroska, Flash, ASF:
1/1000). One of a coarser unit counts frames (AVI) or states times that are whole (GIF: 1/100)."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture, or one picture of a video.

    image: BGR uint8 (H, W, 3), upright (orientation and rotation are already applied).
    index: its number within its source, from 0.
    time: seconds since the first frame of its source, exact; 0 for a picture.
    source: where it came from, fit for printing: a path as the user wrote it, "cam0", or a URL
        without user, password and query.
    taken: when it was read, on the clock of time.monotonic().
    alone: a picture of its own, not one of a video.
    """

    image: Image
    index: int
    time: Fraction
    source: str
    taken: float = field(default_factory=clock.monotonic)
    alone: bool = False


def steady_time(stamp: Fraction | None, last: Fraction | None, rate: Fraction, tick: Fraction) -> Fraction:
    """The time of a frame, in seconds from the first, free of the rounding that its container did.

    stamp: what the container says, in whole ticks; None where it says nothing. last: the time given
    to the frame before. rate: frames per second. tick: the container's unit of time in seconds.

    A container that counts milliseconds cannot write 1001/30000: where ticks are as coarse as that, and no
    coarser, a stamp within one tick of a frame of the steady rate means that frame. Any other stamp is kept, so a
    varying rate stays as it is. Times always grow: a stamp that stands still or runs back is moved on by one frame.
    """
    after = Fraction(0) if last is None else last + 1 / rate
    if stamp is None:
        return after
    steady = round(stamp * rate) / rate
    time = steady if COARSE_TICK <= tick <= COARSEST_TICK and abs(steady - stamp) <= tick else stamp
    return time if last is None or time > last else after
