"""The report of a covered run: what it says, and that it can be edited and applied."""

import json
import tracemalloc
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cover_material import found

from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.privacy.coverer import Coverer
from blazeface.privacy.log import THUMBNAIL, CoverLog
from blazeface.privacy.report import closing_sentence, read_report, report_of, report_text
from blazeface.privacy.sheet import COLUMNS, HEADER, TILE_HEIGHT, TILE_WIDTH, clock, contact_sheet
from blazeface.sources.frames import Frame

WIDTH, HEIGHT, RATE = 320, 240, 25
NOTHING = Detections.empty()


def logged(frames: Sequence[Detections | None], name: str = "a.mp4", log: CoverLog | None = None) -> CoverLog:
    log = CoverLog(thumbnails=True) if log is None else log
    coverer = Coverer()
    for n, faces in enumerate(frames):
        coverer.add(n, n / RATE, WIDTH, HEIGHT, faces)
    coverer.end()
    log.begin(name)
    for n in range(len(frames)):
        image = np.full((HEIGHT, WIDTH, 3), n, np.uint8)
        log.add(Frame(image, n, Fraction(n, RATE), name), coverer.covers(n, n / RATE, WIDTH, HEIGHT))
    log.end(coverer.parts)
    return log


WALK: list[Detections | None] = [
    found((100, 100, 40, 0.9), (200, 50, 20, 0.35)) if n < 20 or n > 40 else NOTHING for n in range(60)
]
"""One face that is not found for twenty frames, and another that no detector is sure of."""


def test_what_it_says_of_each_person() -> None:
    report = report_of(logged(WALK))
    (source,) = report["sources"]
    assert (source["source"], source["frames"], source["seconds"]) == ("a.mp4", 60, 2.36)
    assert source["sizes"] == [[0, WIDTH, HEIGHT]]
    one, other = source["people"]
    facts = {key: value for key, value in one.items() if key != "paths"}
    assert facts == {
        "number": 1, "covered": True, "from": 0.0, "to": 2.36, "seen": 39, "bridged": 21, "held": 0, "best_score": 0.9,
    }  # fmt: skip
    assert one["paths"][0][0] == [0, 96, 90, 144, 150, 0.9]
    assert one["paths"][0][20][5] == 0
    assert len(one["paths"][0]) == 60
    assert other["best_score"] == 0.35


def test_the_least_sure_moments_come_first() -> None:
    report = report_of(logged(WALK))
    assert [(m["number"], m["from"], m["to"], m["why"]) for m in report["look_at"]] == [
        (2, 0.0, 2.36, "perhaps no face: its best score is 0.35"),
        (1, 0.76, 1.64, "not seen for 0.9 s"),
    ]
    assert closing_sentence(report) == "2 people covered, 2 stretches to look at"


def test_a_face_that_comes_or_goes_in_the_middle_is_looked_at_and_one_at_the_edge_is_not() -> None:
    def whys(left: float) -> list[str]:
        frames = [found((left, 100, 40, 0.9)) if 30 <= n < 60 else NOTHING for n in range(150)]
        return [moment["why"] for moment in report_of(logged(frames))["look_at"]]

    assert whys(10) == []
    assert whys(100) == ["lost in the middle of the picture", "appears in the middle of the picture"]


def test_a_face_that_is_covered_from_the_first_frame_to_the_last_is_not_looked_at() -> None:
    """First seen in frame 5 and last in frame 90, it is covered for half a second, 12 frames, on either side."""

    def whys(count: int) -> list[str]:
        frames = [found((100, 100, 40, 0.9)) if 5 <= n <= 90 else NOTHING for n in range(count)]
        return [moment["why"] for moment in report_of(logged(frames))["look_at"]]

    assert whys(103) == []
    assert whys(104) == ["lost in the middle of the picture"]


def test_linked_tracks_are_one_person_and_numbers_are_those_of_the_whole_run() -> None:
    moving = [found((100, 100, 40, 0.9))] * 10 + [NOTHING] * 10 + [found((160, 100, 40, 0.9))] * 10
    log = logged(moving)
    report = report_of(logged(moving, "b.mp4", log))
    assert [[person["number"] for person in source["people"]] for source in report["sources"]] == [[1], [2]]
    assert len(report["sources"][0]["people"][0]["paths"]) >= 2


@pytest.mark.parametrize(
    ("people", "moments", "sentence"),
    [
        (0, 0, "0 people covered, no stretches to look at"),
        (1, 1, "1 person covered, 1 stretch to look at"),
        (12, 3, "12 people covered, 3 stretches to look at"),
    ],
)
def test_the_closing_sentence(people: int, moments: int, sentence: str) -> None:
    report: dict[str, Any] = {
        "look_at": [{}] * moments,
        "sources": [{"people": [{}] * people, "covered_whole": []}],
    }
    assert closing_sentence(report) == sentence
    report["sources"][0]["covered_whole"] = [3]
    assert closing_sentence(report) == f"{sentence}, 1 frame covered whole"


def test_a_source_that_was_not_finished_is_left_out() -> None:
    log = logged(WALK)
    log.begin("broken.mp4")
    assert [source["source"] for source in report_of(log)["sources"]] == ["a.mp4"]


def applied(tmp_path: Path, content: Any) -> Any:
    path = tmp_path / "r.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_report(path)


def test_applied_as_it_is_it_covers_the_same_pixels(tmp_path: Path) -> None:
    frames = [*WALK, None, *WALK]
    report = report_of(logged(frames))
    given = applied(tmp_path, report_text(report))["a.mp4"]
    coverer = Coverer()
    for n, faces in enumerate(frames):
        coverer.add(n, n / RATE, WIDTH, HEIGHT, faces)
    coverer.end()

    def regions(covers: Any) -> Any:
        rounded = ((np.floor(c.box[:2]), np.ceil(c.box[2:])) for c in covers or [])
        return covers is None or sorted((*a.tolist(), *b.tolist()) for a, b in rounded)

    for n in range(len(frames)):
        known = coverer.covers(n, n / RATE, WIDTH, HEIGHT)
        assert regions(given.covers(n, n / RATE, WIDTH, HEIGHT)) == regions(known)
    assert given.covers(60, 60 / RATE, WIDTH, HEIGHT) is None  # the frame that could not be looked at
    assert given.covers(len(frames), 9.0, WIDTH, HEIGHT) is None  # a frame that the report does not know


def test_edited_it_leaves_one_visible_drops_another_and_adds_a_third(tmp_path: Path) -> None:
    report = json.loads(report_text(report_of(logged(WALK))))
    people = report["sources"][0]["people"]
    people[0]["covered"] = False
    people[1] = {"paths": [[[10, 0, 0, 20, 20], [20, 100, 50, 120, 70], [30, 100, 50, 120, 70]]]}
    given = applied(tmp_path, report)["a.mp4"]
    boxes = [[cover.box for cover in given.covers(n, 0.0, WIDTH, HEIGHT)] for n in range(60)]
    assert boxes[:10] == [[]] * 10
    assert boxes[10] == [(0, 0, 20, 20)]
    assert boxes[15] == [(50, 25, 70, 45)]
    assert boxes[20] == boxes[30] == [(100, 50, 120, 70)]
    assert boxes[31:] == [[]] * 29


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    given = applied(tmp_path, report_of(logged(WALK)))["a.mp4"]
    with pytest.raises(
        BlazeFaceError, match=r"^a\.mp4: its pictures are 64 x 48, those that the covers belong to 320 x 240$"
    ):
        given.covers(0, 0.0, 64, 48)


def source(**changes: Any) -> dict[str, Any]:
    whole = {"source": "a.mp4", "frames": 9, "sizes": [[0, 64, 48]], "covered_whole": [], "people": []}
    return {"blazeface_covers": 1, "sources": [whole | changes]}


def person(*paths: Any, **others: Any) -> dict[str, Any]:
    return source(people=[{"number": 7, "paths": list(paths), **others}])


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "not JSON"),
        ("[" * 10**6, "not JSON"),
        ("[]", "not a report of covers"),
        ({"blazeface_covers": 2, "sources": []}, "not a report of covers"),
        ({"blazeface_covers": 1}, "sources: a list is missing"),
        ({"blazeface_covers": 1, "sources": [3]}, 'source 1: has no "source"'),
        (source(frames=True), '"frames" must be their number'),
        (source(frames=10**9), '"frames" must be their number'),
        (source(sizes=[[0, 1]]), "3 numbers are needed"),
        (source(people=None), "people: a list is missing"),
        (source(people=[3]), "person 1 is no object"),
        (source(covered_whole=["x"]), "numbers are needed"),
        (person([[0, 1, 2, 3]]), "5 numbers are needed"),
        (person([[0, 1, 2, 3, "x"]]), "5 numbers are needed"),
        (person([[0, 1, 2, 3, float("nan")]]), "5 numbers are needed"),
        (person([[9, 1, 2, 3, 4]]), "person 7: there is no frame 9 among 9"),
        (person([[0.5, 1, 2, 3, 4]]), "there is no frame 0.5 among 9"),
        (person([[5, 1, 2, 3, 4], [3, 1, 2, 3, 4]]), "frame 3 comes after frame 5"),
        (person([[5, 3, 2, 1, 4]]), "in frame 5 the box ends before it begins"),
        (person([], covered="no"), '"covered" must be true or false'),
    ],
)
def test_a_file_that_is_no_report_is_refused_with_a_sentence(tmp_path: Path, content: Any, fault: str) -> None:
    with pytest.raises(BlazeFaceError, match=r"r\.json: ") as caught:
        applied(tmp_path, content)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_report_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BlazeFaceError, match=r"r\.json: cannot be opened: No such file"):
        read_report(tmp_path / "r.json")


def test_the_sheet_has_a_picture_of_each_from_its_surest_moment(tmp_path: Path) -> None:
    frames = [found((100, 100, 40, 0.6 + 0.01 * (n == 7)), (200, 50, 20, 0.35)) for n in range(20)]
    log = logged(frames)
    sheet = contact_sheet(report_of(log), log.thumbnails, "title")
    assert sheet.shape == (HEADER + TILE_HEIGHT, COLUMNS * TILE_WIDTH, 3)
    first, second = (
        sheet[HEADER + 10 : HEADER + THUMBNAIL, n * TILE_WIDTH + 10 : n * TILE_WIDTH + THUMBNAIL] for n in (0, 1)
    )
    assert (first == 0).all()  # of person 2, the less sure: the best of its frames is the first
    assert (second == 7).all()


def test_times_are_written_as_players_do() -> None:
    assert [clock(seconds) for seconds in (0, 5.04, 65.25, 7265.2)] == ["0:00.0", "0:05.0", "1:05.2", "2:01:05.2"]


def test_a_report_of_a_few_bytes_takes_little_memory_whatever_it_claims(tmp_path: Path) -> None:
    """Two rows may stand for a hundred million frames: their boxes are made when they are asked for."""
    paths = [
        [[0, 0, 0, 10, 10], [99_999_999, 100, 0, 110, 10]],
        [[5, 1, 1, 2, 2], [5, 3, 3, 4, 4], [7, 5, 5, 6, 6]],
    ]
    source = {"source": "a.mp4", "frames": 10**8, "sizes": [[0, 64, 48]], "people": [{"paths": paths}]}
    path = tmp_path / "covers.json"
    path.write_text(json.dumps({"blazeface_covers": 1, "sources": [source]}))
    tracemalloc.start()
    given = read_report(path)["a.mp4"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20

    def boxes(index: int) -> list[tuple[float, ...]]:
        return [tuple(round(side, 3) for side in cover.box) for cover in given.covers(index, 0.0, 64, 48) or []]

    assert boxes(0) == [(0, 0, 10, 10)]
    assert boxes(5)[1:] == [(1, 1, 2, 2), (3, 3, 4, 4)]
    assert boxes(6)[1:] == [(4, 4, 5, 5)]
    assert boxes(8) == [boxes(8)[0]]
    assert boxes(99_999_999) == [(100, 0, 110, 10)]
