"""The measure of a track's jitter: noise comes out as its standard deviation, even motion as nothing."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.video.tracks import MIN_FRAMES, Track, jitter, lag, shares, video_figures

EYES = 20.0


def track(frames: int, noise: float, speed: float = 0.0, seed: int = 0) -> Track:
    rng = np.random.default_rng(seed)
    rest = np.zeros((8, 2))
    rest[2], rest[3] = (0, 0), (EYES, 0)
    return {i: rest + i * speed + rng.normal(0, noise, (8, 2)) for i in range(frames)}


def test_even_motion_is_no_jitter() -> None:
    assert jitter([track(30, 0.0, speed=3.5)]) == pytest.approx(0, abs=1e-12)


def test_independent_noise_comes_out_as_its_displacement() -> None:
    # sqrt(2): x and y each have the standard deviation 0.5 pixels.
    found = jitter([track(4000, 0.5, speed=2.0)])
    assert found == pytest.approx(0.5 * np.sqrt(2) / EYES, rel=0.05)


def test_noise_of_half_the_frame_rate() -> None:
    shaking = track(20, 0.0)
    for frame in shaking:
        shaking[frame] = shaking[frame] + (1 if frame % 2 else -1)
    # Each second difference is 4 pixels along x and y.
    assert jitter([shaking]) == pytest.approx(np.sqrt(32 / 6) / EYES)


def test_gaps_are_not_differences() -> None:
    broken = track(20, 0.0)
    broken = {frame: points + 100 * (frame > 10) for frame, points in broken.items() if frame != 10}
    assert jitter([broken]) == 0


def test_short_tracks_are_left_out() -> None:
    ways = ("blend", "hard_nms", "blend_one_euro")
    row = video_figures({way: {1: track(40, 0.5), 2: track(5, 50.0)} for way in ways})
    assert (row["tracks"], row["frames"], row["less_with_blending"]) == (1, 40, 0)
    assert video_figures({way: {1: track(5, 0.5)} for way in ways})["tracks"] == 0


def test_lag_is_the_delay_in_frames() -> None:
    way = track(40, 0.0, speed=3.0)
    late = {frame: way[max(frame - 2, 0)] for frame in way}
    assert lag(way, way) == 0
    assert lag(way, late) == 2
    assert len(way) > MIN_FRAMES


def test_shares() -> None:
    assert shares({"blend": 0.07, "hard_nms": 0.1, "blend_one_euro": 0.035}) == {
        "less_with_blending": 0.3,
        "less_with_one_euro": 0.5,
    }
