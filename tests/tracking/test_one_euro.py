"""The One-Euro filter against the algorithm as printed, and what it is for: steady at rest, quick on the move."""

from math import inf, pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blazeface.tracking.one_euro import OneEuro, alpha


class Printed:
    """Algorithm 1 of the paper for one number, at a fixed rate, with its names."""

    def __init__(self, mincutoff: float, beta: float, dcutoff: float):
        self.mincutoff, self.beta, self.dcutoff = mincutoff, beta, dcutoff
        self.hatxprev: float | None = None
        self.hatdxprev = 0.0

    def filter(self, x: float, rate: float) -> float:
        if self.hatxprev is None:
            self.hatxprev = x
            return x
        dx = (x - self.hatxprev) * rate
        a = self.alpha(rate, self.dcutoff)
        self.hatdxprev = a * dx + (1 - a) * self.hatdxprev
        a = self.alpha(rate, self.mincutoff + self.beta * abs(self.hatdxprev))
        self.hatxprev = a * x + (1 - a) * self.hatxprev
        return self.hatxprev

    def alpha(self, rate: float, cutoff: float) -> float:
        tau = 1.0 / (2 * pi * cutoff)
        te = 1.0 / rate
        return 1.0 / (1.0 + tau / te)


def follow(euro: OneEuro, points: np.ndarray, size: float, rate: float) -> np.ndarray:
    """Points (T, P, 2) of one face through the filter."""
    before, velocity = points[:1], np.zeros_like(points[:1])
    out = [points[0]]
    for measured in points[1:]:
        before, velocity = euro.step(measured[None], before, velocity, np.array([size]), np.array([1 / rate]))
        out.append(before[0])
    return np.array(out)


def test_alpha_at_known_places() -> None:
    assert alpha(1.0, np.array(1 / (2 * pi))) == pytest.approx(0.5)  # tau equals the time between samples
    assert alpha(3.0, np.array(1.0)) == pytest.approx(0.949621, abs=1e-6)  # 6 pi / (6 pi + 1)


@given(
    st.lists(st.floats(-50, 50), min_size=2, max_size=30),
    st.sampled_from([10.0, 25.0, 60.0]),
    st.sampled_from([OneEuro(fastest=inf), OneEuro(0.5, 0.0, 2.0, inf), OneEuro(3.0, 10.0, 1.0, inf)]),
)
def test_along_one_axis_it_is_the_printed_algorithm(values: list[float], rate: float, euro: OneEuro) -> None:
    printed = Printed(euro.min_cutoff, euro.beta, euro.derivative_cutoff)
    expected = [printed.filter(x, rate) for x in values]
    points = np.zeros((len(values), 1, 2))
    points[:, 0, 1] = values
    np.testing.assert_allclose(follow(euro, points, 1.0, rate)[:, 0, 1], expected, rtol=1e-9, atol=1e-9)


def test_faces_of_a_batch_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(1)
    points, before, velocity = rng.normal(size=(3, 5, 8, 2))
    sizes, seconds = rng.uniform(1, 2, (2, 5))
    together = OneEuro().step(points, before, velocity, sizes, seconds)
    for n in range(5):
        one = slice(n, n + 1)
        alone = OneEuro().step(points[one], before[one], velocity[one], sizes[one], seconds[one])
        for whole, part in zip(together, alone, strict=True):
            np.testing.assert_array_equal(whole[one], part)


@pytest.mark.parametrize("factor", [0.1, 20.0])
def test_a_face_nearer_to_the_camera_is_steadied_alike(factor: float) -> None:
    points = np.cumsum(np.random.default_rng(2).normal(size=(40, 8, 2)), axis=0)
    small, large = follow(OneEuro(), points, 30.0, 25.0), follow(OneEuro(), points * factor, 30.0 * factor, 25.0)
    np.testing.assert_allclose(large, small * factor, rtol=1e-9)


def test_a_turned_picture_is_steadied_alike() -> None:
    points = np.cumsum(np.random.default_rng(3).normal(size=(40, 8, 2)), axis=0)
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    np.testing.assert_allclose(
        follow(OneEuro(), points @ turn, 30.0, 25.0), follow(OneEuro(), points, 30.0, 25.0) @ turn, atol=1e-9
    )


def lag_in_frames(speed: float, rate: float, noise: float = 0.01, size: float = 100.0) -> float:
    """Frames by which a face is behind that has moved at a speed, in its sizes a second, for one second or more."""
    time = np.arange(int(5 * rate)) / rate
    truth = np.zeros((len(time), 8, 2))
    truth[:, :, 0] = np.maximum(time - 1, 0)[:, None] * speed * size
    measured = truth + np.random.default_rng(4).normal(0, noise * size, truth.shape)
    behind = (truth - follow(OneEuro(), measured, size, rate))[int(2 * rate) :, :, 0].mean()
    return float(behind / (speed * size / rate))


@pytest.mark.parametrize("rate", [25.0, 30.0])
@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0, 4.0])
def test_a_moving_face_lags_by_at_most_one_frame(speed: float, rate: float) -> None:
    assert 0 < lag_in_frames(speed, rate) <= 1


def test_a_nodding_face_lags_by_at_most_one_frame() -> None:
    """A swing of a quarter of the face's size, once a second; the delay at which truth fits best."""
    frames = np.arange(300)
    truth = np.zeros((300, 8, 2))
    truth[:, :, 1] = 25 * np.sin(2 * pi * frames / 30)[:, None]
    measured = truth + np.random.default_rng(5).normal(0, 1, truth.shape)
    seen = follow(OneEuro(), measured, 100.0, 30.0)[:, :, 1].mean(axis=1)
    delays = np.arange(0, 5, 0.05)
    misfit = [np.abs(np.interp(frames - d, frames, truth[:, 0, 1]) - seen)[60:].mean() for d in delays]
    assert delays[int(np.argmin(misfit))] <= 1


def test_a_face_at_rest_jitters_less_than_half_as_much() -> None:
    measured = np.random.default_rng(6).normal(0, 1, (600, 8, 2))
    seen = follow(OneEuro(), measured, 100.0, 30.0)
    assert seen[60:].std() < 0.5 * measured[60:].std()
    change = [np.diff(points[60:], n=2, axis=0).std() for points in (seen, measured)]
    assert change[0] < 0.25 * change[1]


def test_a_single_step_opens_the_filter_by_no_more_than_its_limit() -> None:
    """A face at rest that is found half its size beside its place: however far, the next weight is the same."""
    rest, size, dt = np.zeros((1, 1, 2)), np.array([100.0]), np.array([0.04])
    for far in (50.0, 500.0):
        out, velocity = OneEuro().step(rest + np.array([far, 0]), rest, rest, size, dt)
        opened = 1.25 / (1 + 1 / (2 * pi * 2.5 * 0.04))  # of 1.25 sizes a second what its own filter lets through
        np.testing.assert_allclose(velocity, [[[opened, 0]]])
        np.testing.assert_allclose(out[0, 0, 0] / far, 1 / (1 + 1 / (2 * pi * (1 + 4 * opened) * 0.04)))


@pytest.mark.parametrize("rate", [25.0, 30.0])
def test_a_head_that_turns_round_in_the_middle_of_a_way_lags_by_at_most_one_frame(rate: float) -> None:
    """There and back at two sizes a second; the delay at which truth fits best, sudden turns and all."""
    frames = np.arange(int(8 * rate))
    truth = np.zeros((len(frames), 8, 2))
    truth[:, :, 0] = 200 * np.abs((frames / rate) % 2 - 1)[:, None]
    measured = truth + np.random.default_rng(8).normal(0, 1, truth.shape)
    seen = follow(OneEuro(), measured, 100.0, rate)[:, :, 0].mean(axis=1)
    delays = np.arange(0, 5, 0.05)
    misfit = [np.abs(np.interp(frames - d, frames, truth[:, 0, 0]) - seen)[60:].mean() for d in delays]
    assert delays[int(np.argmin(misfit))] <= 1


def test_a_longer_pause_forgets_more() -> None:
    def after(seconds: float) -> float:
        one = np.zeros((1, 1, 2))
        out, _ = OneEuro().step(one + 1, one, one, np.array([100.0]), np.array([seconds]))
        return float(out[0, 0, 0])

    assert after(0.03) < after(0.3) < after(3) < 1


@pytest.mark.parametrize(
    "wrong", [{"min_cutoff": 0.0}, {"beta": -1.0}, {"derivative_cutoff": -1.0}, {"fastest": 0.0}]
)
def test_parameters_that_make_no_filter(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        OneEuro(**wrong)
