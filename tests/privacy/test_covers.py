"""Covers in time: a face is covered from its first trace, through its gaps and while it leaves."""

from itertools import pairwise

import numpy as np
import pytest
from cover_material import found, lies_under
from hypothesis import given
from hypothesis import strategies as st

from blazeface.detections import Detections
from blazeface.privacy.coverer import Coverer
from blazeface.privacy.covers import Cover, covers_at
from blazeface.privacy.rules import RULES, CoverRules
from blazeface.privacy.tracks import CoverTracks, share_inside

NOTHING = Detections.empty()
WIDTH, HEIGHT, RATE = 640, 360, 25


def followed(frames: list[Detections], rate: float = RATE, rules: CoverRules = RULES) -> Coverer:
    """All frames known, as of a file."""
    coverer = Coverer(rules)
    for n, faces in enumerate(frames):
        coverer.add(n, n / rate, WIDTH, HEIGHT, faces)
    coverer.end()
    return coverer


def covers(coverer: Coverer, n: int, rate: float = RATE) -> list[Cover]:
    given = coverer.covers(n, n / rate, WIDTH, HEIGHT)
    assert given is not None
    return given


def live(frames: list[Detections], delay: int = 0, rules: CoverRules = RULES) -> list[list[Cover]]:
    """The covers of each frame, known when `delay` further ones have come."""
    coverer, given = Coverer(rules, keep=False, look_ahead=delay / RATE), []
    for n, faces in enumerate(frames):
        coverer.add(n, n / RATE, WIDTH, HEIGHT, faces)
        if n >= delay:
            given.append(covers(coverer, n - delay))
    coverer.end()
    return given + [covers(coverer, n) for n in range(len(frames) - delay, len(frames))]


@pytest.mark.parametrize(
    ("score", "box"), [(0.95, (98.0, 92.0, 142.0, 148.0)), (0.85, (96.0, 90.0, 144.0, 150.0))]
)
def test_a_face_that_is_seen_is_covered_with_its_margin(score: float, box: tuple[float, ...]) -> None:
    """A certain one is narrower at the sides, a doubtful one higher."""
    (cover,) = covers(followed([found((100, 100, 40, score))]), 0)
    assert cover == Cover(1, box, "seen", cover.score)  # type: ignore[arg-type]
    assert cover.score == pytest.approx(score)


def test_what_is_never_sure_enough_is_not_covered() -> None:
    assert covers(followed([found((100, 100, 40, RULES.score - 0.01))] * 50), 20) == []


def test_what_is_large_must_be_surer() -> None:
    slab = (100.0, 20.0, 300.0)
    assert covers(followed([found((*slab, RULES.large_score - 0.01))]), 0) == []
    assert len(covers(followed([found((*slab, RULES.large_score + 0.01))]), 0)) == 1


def test_what_is_large_and_doubtful_continues_a_face_that_was_seen_surely_and_no_other() -> None:
    large, doubt = (100.0, 20.0, 150.0), RULES.large_score - 0.1
    sure = [found((*large, 0.95))] * 10
    coverer = followed(sure + [found((*large, doubt))] * 80)
    assert [covers(coverer, n)[0].kind for n in range(90)] == ["seen"] * 90
    brief = followed(sure[:4] + [found((*large, doubt))] * 80)
    kinds = [[cover.kind for cover in covers(brief, n)] for n in range(84)]
    assert kinds == [["seen"]] * 4 + [["held"]] * 5 + [[]] * 75


def test_a_doubtful_slab_takes_no_cover_from_a_small_face_in_it() -> None:
    frames = [found((100.0, 20.0, 150.0, 0.45), (150.0, 80.0, 30.0, 0.4))] * 3
    (cover,) = covers(followed(frames), 1)
    assert lies_under((150.0, 80.0, 180.0, 110.0), [cover])
    assert cover.box[2] - cover.box[0] < 60


def test_what_was_seen_for_a_moment_is_not_held_and_grows_no_slack() -> None:
    """A fist that was taken for a face in four frames: covered for a fifth of a second before and after."""
    frames = [NOTHING] * 25 + [found((100, 100, 40, 0.95))] * 4 + [NOTHING] * 25
    coverer = followed(frames)
    assert [bool(covers(coverer, n)) for n in range(54)] == [20 <= n < 34 for n in range(54)]
    (cover,) = covers(coverer, 29)
    grown = 40 * RULES.growth / RATE
    assert cover.box == pytest.approx((96 - grown, 92 - grown, 144 + grown, 148 + grown))


def test_a_long_row_of_doubtful_sightings_is_a_face_too() -> None:
    """Six tenths of a second at a score of 0.45 say as much as three at 0.9."""
    frames = [found((100, 100, 40, 0.45))] * 16 + [NOTHING] * 40
    assert [bool(frame) for frame in live(frames)] == [n <= 15 + 25 for n in range(56)]
    assert [bool(frame) for frame in live(frames[2:])] == [n <= 13 + 5 for n in range(54)]


def test_a_gap_between_two_moments_is_bridged_up_to_half_a_second() -> None:
    moment = [found((100, 100, 40, 0.95))] * 2
    short, long = (followed(moment + [NOTHING] * gap + moment) for gap in (11, 13))
    assert all(covers(short, n) for n in range(15))
    assert [bool(covers(long, n)) for n in range(17)] == [n < 2 + 5 or n >= 15 - 5 for n in range(17)]


def test_two_moments_are_not_linked_and_a_moment_is_to_an_established_face() -> None:
    moment, face = [found((100, 100, 40, 0.95))] * 3, [found((150, 100, 40, 0.95))] * 20
    apart = followed(moment + [NOTHING] * 25 + face[:3])
    assert not any(covers(apart, n) for n in range(3 + 5, 28 - 5))
    joined = followed(moment + [NOTHING] * 25 + face)
    assert all(covers(joined, n) for n in range(48))


def test_a_moment_in_front_of_an_established_face_is_covered_half_a_second_before() -> None:
    """It is one person, whom nobody saw for a while."""
    frames = (
        [NOTHING] * 20 + [found((100, 100, 40, 0.6))] * 2 + [NOTHING] * 10 + [found((150, 100, 40, 0.95))] * 20
    )
    assert [bool(covers(followed(frames), n)) for n in range(20)] == [n >= 20 - 12 for n in range(20)]


def test_a_velocity_known_for_a_moment_counts_for_little() -> None:
    """Four pixels a frame, seen for a twentieth of a second and for a quarter."""
    reaches = []
    for count in (2, 20):
        frames = [found((100 + 4 * n, 100, 40, 0.95)) for n in range(count)] + [NOTHING] * 5
        (cover,) = live(frames)[count + 2]
        reaches.append((cover.box[2] - (100 + 4 * (count - 1) + 40)) / 40)
    slack, grown = RULES.slack, RULES.margin_across + RULES.growth * 3 / RATE
    ahead = 0.1 * RATE * 3 / RATE  # sides, in three frames
    assert reaches == [
        pytest.approx(grown + ahead / RATE / RULES.memory, abs=1e-4), pytest.approx(grown + slack + ahead, abs=1e-4)
    ]  # fmt: skip


def test_a_face_is_covered_from_its_first_faint_trace_on() -> None:
    """With a score of one's own; by the rules as they are, what is below the score counts for nothing."""
    frames = [NOTHING] * 20 + [found((100, 100, 40, 0.32))] * 10 + [found((100, 100, 40, 0.8))] * 10
    rules = RULES.with_score(0.5)
    coverer = followed(frames, rules=rules)
    assert all(lies_under((100, 100, 140, 140), covers(coverer, n)) for n in range(20 - 12, 40))
    assert covers(coverer, 20 - 13) == []  # half a second before it
    assert not any(live(frames, rules=rules)[n] for n in range(30))  # a camera cannot know
    assert [bool(given) for given in live(frames, delay=10, rules=rules)[:40]] == [n >= 20 - 0 for n in range(40)]
    faint = [NOTHING] * 20 + [found((100, 100, 40, 0.29))] * 10
    assert not any(covers(followed(faint), n) for n in range(30))


def test_a_face_that_is_seen_much_smaller_than_just_before_is_covered_as_it_was() -> None:
    """The box of a face half behind another shrinks to what is seen of it."""
    for side, whole in ((31, True), (33, False)):  # of 40, and .8 is the limit
        frames = [found((100, 100, 40, 0.95))] * 10 + [found((100, 100, side, 0.95))] * 20
        for shown in ([covers(followed(frames), n) for n in range(30)], live(frames)):
            for n in range(10, 30):
                recent = n - 9 <= RULES.memory * RATE
                assert lies_under((100, 100, 140, 140), shown[n]) == (recent and whole), (side, n)


def test_a_shaken_face_is_one_track_without_covers_where_it_was_before() -> None:
    """It jumps by three quarters of its side every frame, which no overlap of boxes tells from another face."""
    frames = [found((100 + 30 * (n % 2), 100, 40, 0.9)) for n in range(20)]
    coverer = followed(frames)
    for n in range(20):
        assert [(cover.track, cover.kind) for cover in covers(coverer, n)] == [(1, "seen")]


def test_a_face_that_appears_later_near_a_lost_one_is_another_track() -> None:
    gap = round(RULES.regain * RATE) + 1
    frames = [found((100, 100, 40, 0.9))] * 5 + [NOTHING] * gap + [found((130, 100, 40, 0.9))] * 5
    assert {cover.track for n in range(len(frames)) for cover in covers(followed(frames), n)} == {1, 2}


@pytest.mark.parametrize("gap", [1, 12, 25, 49])
@pytest.mark.parametrize("speed", [0.0, 2.0])
def test_a_gap_of_up_to_two_seconds_is_bridged(gap: int, speed: float) -> None:
    """speed: pixels a frame; the face is 40 wide."""
    frames = [found((100 + speed * n, 100, 40, 0.9)) for n in range(gap + 20)]
    for n in range(10, 10 + gap):
        frames[n] = NOTHING
    coverer = followed(frames)
    for n in range(len(frames)):
        assert lies_under((100 + speed * n, 100, 140 + speed * n, 140), covers(coverer, n)), n
    assert {c.kind for n in range(10, 10 + gap) for c in covers(coverer, n)} == {"bridged"} | (
        {"held"} if speed and gap > 12 else set()
    )


def test_a_bridged_gap_keeps_the_margin_and_grows_from_both_its_ends() -> None:
    frames = [found((100, 100, 40, 0.9))] * 10 + [NOTHING] * 9 + [found((100, 100, 40, 0.9))] * 10
    coverer = followed(frames)
    for n in range(10, 19):  # seen in the frames 9 and 19
        (cover,) = covers(coverer, n)
        grown = 40 * RULES.growth * min(n - 9, 19 - n) / RATE
        assert cover.box == pytest.approx((96 - grown, 92 - grown, 144 + grown, 148 + grown))


def test_before_its_first_sight_a_moving_face_is_covered_where_it_came_from() -> None:
    """Four pixels to the right a frame, first seen in frame 20 at x = 180."""
    frames = [NOTHING] * 20 + [found((100 + 4 * n, 100, 40, 0.9)) for n in range(20, 40)]
    coverer = followed(frames)
    for n in range(15, 20):
        (cover,) = covers(coverer, n)
        assert lies_under((100 + 4 * n, 100, 140 + 4 * n, 140), [cover])
        to_the_left, to_the_right = 180 - cover.box[0], cover.box[2] - 220
        assert to_the_left - to_the_right == pytest.approx(4 * (20 - n))


def test_a_gap_of_more_is_not() -> None:
    frames = [found((100, 100, 40, 0.9))] * 10 + [NOTHING] * 60 + [found((100, 100, 40, 0.9))] * 10
    given = [bool(covers(followed(frames), n)) for n in range(80)]
    # The last before it is frame 9, the first after it frame 70; half a second is 12.5 frames.
    assert given == [n <= 9 + 12 or n >= 70 - 12 for n in range(80)]


def test_a_face_that_reappears_elsewhere_is_covered_on_its_way() -> None:
    """It turned away, moved three of its sides, and came back: nothing says where it was, but between the two."""
    frames = [found((100, 100, 40, 0.9))] * 10 + [NOTHING] * 30 + [found((220, 100, 40, 0.9))] * 10
    coverer = followed(frames)
    for n in range(10, 40):
        x = 100 + 120 * (n - 9) / 31
        assert lies_under((x, 100, x + 40, 140), covers(coverer, n)), n


def test_the_lost_one_may_still_come_back_where_it_was() -> None:
    """What appeared beside it was somebody else."""
    one, other = (100, 100, 40, 0.9), (150, 100, 40, 0.9)
    frames = [found(one)] * 10 + [found(other)] * 20 + [found(one, other)] * 10
    coverer = followed(frames)
    assert all(lies_under((100, 100, 140, 140), covers(coverer, n)) for n in range(40))
    assert all(lies_under((150, 100, 190, 140), covers(coverer, n)) for n in range(10, 40))


def test_a_face_is_covered_while_it_leaves() -> None:
    """At three of its sides a second, found until it is half outside."""
    left = [560 + 5 * n for n in range(40)]
    frames = [found((x, 100, 40, 0.9)) if x + 20 < WIDTH else NOTHING for x in left]
    coverer = followed(frames)
    for n, x in enumerate(left):
        if x < WIDTH:
            assert lies_under((x, 100, min(x + 40, WIDTH), 140), covers(coverer, n)), n
    assert covers(coverer, 39) == []


def test_two_that_cross_are_both_covered() -> None:
    """One hides the other for a moment."""
    places = [(100 + 4 * n, 340 - 4 * n) for n in range(60)]
    frames = [found((a, 100, 40, 0.9), *([(b, 104, 40, 0.8)] if abs(a - b) > 20 else [])) for a, b in places]
    coverer = followed(frames)
    for n, (a, b) in enumerate(places):
        assert lies_under((a, 100, a + 40, 140), covers(coverer, n)), n
        assert lies_under((b, 104, b + 40, 144), covers(coverer, n)), n


def test_live_a_lost_face_is_held_for_a_second_and_no_longer() -> None:
    frames = [found((100, 100, 40, 0.9))] * 10 + [NOTHING] * 40
    given = live(frames)
    assert [bool(frame) for frame in given] == [n <= 9 + 25 for n in range(50)]
    assert all(lies_under((100, 100, 140, 140), given[n]) for n in range(35))
    assert {cover.kind for n in range(10, 35) for cover in given[n]} == {"held"}


def test_covers_grow_with_the_time_since_the_face_was_seen_but_not_without_end() -> None:
    given = live([found((100, 100, 40, 0.9))] * 10 + [NOTHING] * 40)
    widths = [frame[0].box[2] - frame[0].box[0] for frame in given[9:35]]
    assert widths[0] == 48
    assert widths[10] == pytest.approx(48 + 2 * 40 * (RULES.slack + RULES.growth * 10 / RATE))
    assert all(a <= b for a, b in pairwise(widths))
    (huge,) = live([found((100, 20, 300, 0.9))] * 10 + [NOTHING] * 20)[29]
    assert huge.box[2] - huge.box[0] == pytest.approx(1.2 * 300 + 2 * RULES.picture_growth * HEIGHT)


def test_a_moving_face_is_covered_where_it_was_and_where_it_is_expected() -> None:
    frames = [found((100 + 4 * n, 100, 40, 0.9)) for n in range(20)] + [NOTHING] * 10
    given = live(frames)
    for n in range(20, 26):
        assert lies_under((100 + 4 * n, 100, 140 + 4 * n, 140), given[n])
        assert lies_under((100 + 4 * 19, 100, 140 + 4 * 19, 140), given[n])


def test_a_single_weak_answer_is_not_held_for_long() -> None:
    given = [bool(frame) for frame in live([found((100, 100, 40, 0.35))] + [NOTHING] * 20)]
    assert given == [n <= 5 for n in range(21)]


def test_a_frame_that_could_not_be_looked_at_is_covered_whole_and_the_track_goes_on() -> None:
    coverer = Coverer()
    for n in range(10):
        coverer.add(n, n / RATE, WIDTH, HEIGHT, None if n == 5 else found((100, 100, 40, 0.9)))
    coverer.end()
    assert coverer.covers(5, 5 / RATE, WIDTH, HEIGHT) is None
    assert {cover.track for n in (0, 9) for cover in covers(coverer, n)} == {1}


def test_frames_that_nobody_told_of_are_covered_whole() -> None:
    coverer = followed([found((100, 100, 40, 0.9))] * 3)
    assert coverer.covers(3, 3 / RATE, WIDTH, HEIGHT) is None
    assert coverer.covers(1, 1 / RATE, WIDTH, HEIGHT + 2) is None  # not the picture that was looked at
    assert Coverer().covers(0, 0.0, WIDTH, HEIGHT) is None


def test_where_the_pictures_change_their_size_tracks_begin_anew() -> None:
    coverer = Coverer()
    for n in range(10):
        size = (640, 360) if n < 5 else (320, 180)
        coverer.add(n, n / RATE, *size, found((100, 100, 40, 0.9)))
    coverer.end()
    before, after = coverer.covers(4, 4 / RATE, 640, 360), coverer.covers(5, 5 / RATE, 320, 180)
    assert before is not None
    assert after is not None
    assert ([c.track for c in before], [c.track for c in after]) == ([1], [2])


def test_a_fainter_answer_on_the_same_face_is_no_second_one() -> None:
    both = found((100, 100, 40, 0.9), (96, 104, 38, 0.4), (160, 100, 40, 0.4))
    assert [cover.track for cover in covers(followed([both] * 5), 2)] == [1, 2]
    sure = found((100, 100, 40, 0.9), (96, 104, 38, 0.6))
    assert [cover.track for cover in covers(followed([sure] * 5), 2)] == [1, 2]


def test_a_long_live_run_takes_no_more_memory() -> None:
    tracks = CoverTracks(WIDTH, HEIGHT, keep=False)
    for n in range(2000):
        tracks.add(n, n / RATE, found((7.0 * (n % 90), 100, 10, 0.9)))
    assert len(tracks.tracks) < 120
    chain, track = 0, tracks.tracks[-1]
    while track.link is not None:
        chain, track = chain + 1, track.link[0]
    assert chain < 120


@given(st.integers(0, 2**32 - 1))
def test_every_sighting_of_a_confirmed_track_is_covered_in_its_frame(seed: int) -> None:
    """Whatever comes: what is sure enough is covered, and a cover for each frame never depends on `among`."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(30):
        count = int(rng.integers(0, 4))
        frames.append(
            found(*zip(*rng.uniform((0, 0, 10, 0), (600, 300, 90, 1), (count, 4)).T.tolist(), strict=True))
        )
    coverer = followed(frames)
    (tracks,) = coverer.parts
    for n, faces in enumerate(frames):
        given = covers(coverer, n)
        assert given == [c for c in covers_at(tracks, n / RATE) if c in given] == covers_at(tracks, n / RATE)
        for box, score in zip(faces.boxes.tolist(), faces.scores.tolist(), strict=True):
            if score >= RULES.score:
                assert max(share_inside(box, cover.box) for cover in given) >= RULES.inside
