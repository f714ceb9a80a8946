"""WIDER FACE's text format, line by line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blazeface.data.formats.wider import read_wider
from blazeface.errors import BlazeFaceError

GOOD = """a/1.jpg
2
10 20 30 40 0 0 0 0 0 0
1.5 2 3 4 0 0 0 1 0 0
a/none.jpg
0
0 0 0 0 0 0 0 0 0 0
a/2.jpg
1
5 6 0 7 0 0 0 0 0 0
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "wider_face_train_bbx_gt.txt"
    path.write_text(text)
    return path


def test_literal(tmp_path: Path) -> None:
    pictures = [(listed.name, listed.faces) for listed in read_wider(write(tmp_path, GOOD))]
    assert [name for name, _ in pictures] == ["a/1.jpg", "a/none.jpg", "a/2.jpg"]
    first, second = pictures[0][1]
    assert (first.box, first.ignore) == ((10, 20, 40, 60), False)
    assert (second.box, second.ignore) == ((1.5, 2, 4.5, 6), True)  # the invalid flag
    assert pictures[1][1] == []
    assert pictures[2][1][0].ignore  # a box without width
    assert first.visibility == (0,) * 6


def test_variations_that_occur(tmp_path: Path) -> None:
    # No placeholder behind a zero, blank lines, Windows line ends, only four columns, a trailing space.
    text = "a.jpg\r\n0\r\nb.jpg\r\n1\r\n1 2 3 4 \r\n\r\nb.jpg\r\n0\r\n"
    pictures = [(listed.name, listed.faces) for listed in read_wider(write(tmp_path, text))]
    assert [(name, len(faces)) for name, faces in pictures] == [("a.jpg", 0), ("b.jpg", 1), ("b.jpg", 0)]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a.jpg\n", 2, "expected the number of faces of 'a.jpg', found 'the end of the file'"),
        ("a.jpg\nmany\n", 2, "expected the number of faces of 'a.jpg', found 'many'"),
        ("a.jpg\n-1\n", 2, "expected the number of faces"),
        ("a.jpg\n2\n1 2 3 4\n", 4, "found 'the end of the file'"),
        ("a.jpg\n1\n1 2 three 4\n", 3, "expected `x y w h"),
        ("a.jpg\n1\n1 2 nan 4\n", 3, "expected `x y w h"),
        ("a.jpg\n1\n1 2 3\n", 3, "expected `x y w h"),
        ("a.jpg\n1\nb.jpg\n", 3, "expected `x y w h"),
        ("../../etc/passwd\n0\n", 1, "leaves its folder"),
        ("/etc/passwd\n0\n", 1, "leaves its folder"),
    ],
)
def test_a_malformed_line_is_named_by_file_and_number(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BlazeFaceError) as error:
        read_wider(path)
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert words in str(error.value)


@settings(max_examples=200)
@given(st.text(alphabet="a.0123456789 -\n", max_size=60))
def test_any_text_gives_pictures_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_text(text)
    try:
        read_wider(path)
    except BlazeFaceError as error:
        assert "\n" not in str(error)


def test_binary_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    with pytest.raises(BlazeFaceError, match="no such file"):
        read_wider(path)
    path.write_bytes(b"a.jpg\n1\n\xff\xfe\x00")
    with pytest.raises(BlazeFaceError, match=r"x\.txt:3: not UTF-8 text"):
        read_wider(path)
