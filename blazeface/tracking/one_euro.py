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

One thing is added: a single step counts for no more than `fastest` in the estimate of v. A face that is suddenly found half
a face beside its place (another one took it over, two were taken for one) would else open the filter for the frames
that follow; a face that really moves so fast opens it all the same, in a few frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, pi

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True)
class OneEuro:
    """Parameters of the filter, and one step of it.

    min_cutoff: Hz, for a point at rest; lower is steadier. beta: Hz gained for one face size a second; higher
    means less lag. derivative_cutoff: Hz, for the speed. fastest: face sizes a second, the most that one step counts
    for in the speed; infinite for the filter as it was printed.
    """

    min_cutoff: float = 1.0
    beta: float = 4.0
    derivative_cutoff: float = 2.5
    fastest: float = 1.25

    def __post_init__(self) -> None:
        if not (self.min_cutoff > 0 and self.beta >= 0 and self.derivative_cutoff > 0 and self.fastest > 0):
            raise ValueError("min_cutoff, derivative_cutoff and fastest must be above 0 and beta not below it")

    def step(
        self, points: Points, before: Points, velocity: Points, sizes: Points, seconds: Points
    ) -> tuple[Points, Points]:
        """One sample of N faces with P points each -> filtered points and velocities, (N, P, 2) each.

        points (N, P, 2): measured, in pixels. before, velocity (N, P, 2): what the last step gave; velocities are in
        face sizes a second (zero at the start). sizes (N,): of the faces, in pixels. seconds (N,): since the last
        sample, each above 0.
        """
        velocity = next_velocity(
            points, before, velocity, sizes, seconds, cutoff=self.derivative_cutoff, fastest=self.fastest
        )
        speed = np.linalg.norm(velocity, axis=2, keepdims=True)
        weight = alpha(self.min_cutoff + self.beta * speed, seconds[:, None, None])
        return before + weight * (points - before), velocity


def next_velocity(
    points: Points,
    before: Points,
    velocity: Points,
    sizes: Points,
    seconds: Points,
    *,
    cutoff: float,
    fastest: float = inf,
) -> Points:
    """Velocities (N, P, 2) in face sizes a second, a low-pass filter of first order over the steps; see OneEuro.step."""
    dt = seconds[:, None, None]
    step = (points - before) / (np.maximum(sizes, 1e-6)[:, None, None] * dt)
    length = np.linalg.norm(step, axis=2, keepdims=True)
    limited: Points = step * np.minimum(1, fastest / np.maximum(length, 1e-9))
    return velocity + alpha(cutoff, dt) * (limited - velocity)


def alpha(cutoff: Points | float, seconds: Points) -> Points:
    """The weight of a new sample, in (0, 1): cutoff in Hz, seconds since the last sample."""
    return 1 / (1 + 1 / (2 * pi * cutoff * seconds))
