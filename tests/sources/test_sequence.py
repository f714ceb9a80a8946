"""Numbered pictures as a video."""

from fractions import Fraction
from pathlib import Path, PurePath

import pytest
from video_material import walking_square

from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import write_picture
from blazeface.sources.inputs import find_input
from blazeface.sources.opening import open_source
from blazeface.sources.sequence import numbered


def test_the_pictures_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for n in (2, 9, 10, 100):
        write_picture(tmp_path / f"img_{n}.png", walking_square(n % 20))
    (tmp_path / "img_x.png").touch()
    (tmp_path / "img_3.jpg").touch()
    item = find_input(str(tmp_path / "img_%d.png"))
    assert (item.kind, item.relative) == ("sequence", PurePath("img"))
    with open_source(item, 1.0, lambda: False) as source:
        assert source.rate == 25 and source.length == 4
        frames = list(source.frames())
    assert [frame.time for frame in frames] == [Fraction(n, 25) for n in range(4)]
    assert [int((frame.image[5] == (0, 0, 255)).all(axis=1).argmax()) for frame in frames] == [8, 22, 24, 4]


def test_digits_that_are_asked_for(tmp_path: Path) -> None:
    for name in ("a7.jpg", "a0007.jpg", "a0003.jpg", "a12345.jpg"):
        (tmp_path / name).touch()
    assert [Path(path).name for path in numbered(str(tmp_path / "a%04d.jpg"))] == [
        "a0003.jpg",
        "a0007.jpg",
        "a12345.jpg",
    ]


def test_a_broken_one_is_told_of_at_the_end(tmp_path: Path) -> None:
    for n in range(4):
        write_picture(tmp_path / f"{n:04d}.png", walking_square(n))
    (tmp_path / "0001.png").write_bytes(b"no")
    seen = []
    with (
        pytest.raises(BlazeFaceError, match=r"0001\.png: not a picture"),
        open_source(find_input(str(tmp_path / "%04d.png")), 1.0, lambda: False) as source,
    ):
        for frame in source.frames():
            seen.append((frame.index, frame.time))
    assert seen == [(0, 0), (2, Fraction(2, 25)), (3, Fraction(3, 25))]
    assert find_input(str(tmp_path / "%04d.png")).relative == PurePath("sequence")


def test_a_pattern_that_nothing_fits(tmp_path: Path) -> None:
    for pattern in (tmp_path / "b%d.jpg", tmp_path / "gone" / "b%d.jpg"):
        with pytest.raises(
            BlazeFaceError, match=r"b%d\.jpg: (there is no such numbered picture|cannot be listed)"
        ):
            open_source(find_input(str(pattern)), 1.0, lambda: False)
