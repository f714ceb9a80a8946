from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from blazeface.sources.frames import steady_time

NTSC = Fraction(30000, 1001)
MS = Fraction(1, 1000)


def test_milliseconds_become_the_frames_they_were_rounded_from() -> None:
    last = None
    for n, stamp in enumerate((0, 33, 67, 100, 133, 167)):
        last = steady_time(stamp * MS, last, NTSC, MS)
        assert last == Fraction(1001 * n, 30000)


def test_a_varying_rate_stays_as_it_is() -> None:
    assert steady_time(50 * MS, 33 * MS, NTSC, MS) == 50 * MS


def test_fine_stamps_are_kept_to_the_tick() -> None:
    tick = Fraction(1, 90000)
    assert steady_time(3004 * tick, Fraction(0), NTSC, tick) == 3004 * tick


def test_without_a_stamp_frames_follow_the_rate() -> None:
    assert steady_time(None, None, NTSC, MS) == 0
    assert steady_time(None, Fraction(7), NTSC, MS) == Fraction(7) + Fraction(1001, 30000)


def test_a_stamp_that_stands_still_or_runs_back_is_moved_on() -> None:
    assert steady_time(Fraction(1), Fraction(1), Fraction(25), MS) == Fraction(26, 25)
    assert steady_time(Fraction(0), Fraction(1), Fraction(25), MS) == Fraction(26, 25)


@given(st.lists(st.none() | st.integers(-5000, 50000), max_size=30), st.sampled_from([NTSC, Fraction(25)]))
def test_times_always_grow(stamps: list[int | None], rate: Fraction) -> None:
    last: Fraction | None = None
    for stamp in stamps:
        time = steady_time(None if stamp is None else stamp * MS, last, rate, MS)
        assert last is None or time > last
        last = time


@given(st.integers(0, 10**6), st.sampled_from([NTSC, Fraction(24000, 1001), Fraction(60000, 1001), Fraction(25)]))
def test_rounding_to_milliseconds_is_undone(n: int, rate: Fraction) -> None:
    assert steady_time(round(n / rate / MS) * MS, None, rate, MS) == n / rate
