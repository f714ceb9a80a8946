"""The One-Euro filter: steady points of a face at rest, hardly any lag on one that moves.

Casiez, Roussel, Vogel: "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive Systems",
CHI 2012, algorithm 1. A low-pass filter of first order whose cutoff frequency grows with the speed:

    tau(f) = 1 / (2 pi f)           alpha(f) = 1 / (1 + tau(f) / dt)
    v = v' + alpha(derivative_cutoff) ((x - y') / dt - v')
    f = min_cutoff + beta |v|
    y = y' + alpha(f) (x - y')

where x is measured, y filtered, ' means one sample before. Speeds are taken in sizes of the face per second, so that
a face near by and one far away are treated alike, and |v| is the length of a point's velocity, so that the direction
does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True)
class OneEuro:
    """Parameters of the filter, and one step of it.

    min_cutoff: Hz, for a point at rest; lower is steadier. beta: Hz gained for one face size a second; higher
    means less lag. derivative_cutoff: Hz, for the speed.
    """

    min_cutoff: float = 1.0
    beta: float = 4.0
    derivative_cutoff: float = 0.7

    def __post_init__(self) -> None:
        if not (self.min_cutoff > 0 and self.beta >= 0 and self.derivative_cutoff > 0):
            raise ValueError("min_cutoff and derivative_cutoff must be above 0 and beta not below it")

    def step(
        self, points: Points, before: Points, velocity: Points, sizes: Points, seconds: Points
    ) -> tuple[Points, Points]:
        """One sample of N faces with P points each -> filtered points and velocities, (N, P, 2) each.

        points (N, P, 2): measured, in pixels. before, velocity (N, P, 2): what the last step gave; velocities are in
        face sizes a second (zero at the start). sizes (N,): of the faces, in pixels. seconds (N,): since the last
        sample, each above 0.
        """
        unit = np.maximum(sizes, 1e-6)[:, None, None]
        dt = seconds[:, None, None]
        velocity = velocity + alpha(self.derivative_cutoff, dt) * ((points - before) / (unit * dt) - velocity)
        speed = np.linalg.norm(velocity, axis=2, keepdims=True)
        return before + alpha(self.min_cutoff + self.beta * speed, dt) * (points - before), velocity


def alpha(cutoff: Points | float, seconds: Points) -> Points:
    """The weight of a new sample, in (0, 1): cutoff in Hz, seconds since the last sample."""
    return 1 / (1 + 1 / (2 * pi * cutoff * seconds))
