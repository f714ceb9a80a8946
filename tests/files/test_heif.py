"""AVIF turned by its properties as by EXIF 1 to 8, and HEIC with and without its library."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, features

from blazeface.errors import BlazeFaceError
from blazeface.files import heif
from blazeface.files.heif import NO_HEIC
from blazeface.files.pictures import decode_picture, read_picture
from blazeface.sources.orientation import upright

HEIC = Path(__file__).parents[1] / "zoo" / "four.heic"
"""96 x 64: red, green above blue, white; written by libheif 1.2x."""

FOUR = np.kron(
    np.array([[[0, 0, 250], [0, 250, 0]], [[250, 0, 0], [250, 250, 250]]]), np.ones((32, 48, 1))
).astype(np.uint8)
"""The same in BGR."""


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow writes no AVIF")
@pytest.mark.parametrize("number", range(1, 9))
def test_an_avif_is_turned_and_mirrored_as_its_properties_say(number: int) -> None:
    """Pillow writes EXIF's orientation as irot and imir."""
    exif = Image.Exif()
    exif[0x0112] = number
    file = io.BytesIO()
    Image.fromarray(FOUR[..., ::-1]).save(file, "AVIF", exif=exif, quality=95)
    data = file.getvalue()
    assert (b"irot" in data or b"imir" in data) == (number > 1)
    image, fault = decode_picture(data)
    assert image is not None, fault
    expected = upright(FOUR, number)
    assert image.shape == expected.shape
    assert abs(image.astype(int) - expected).mean() < 6


def with_property(data: bytes, kind: bytes, value: int) -> bytes:
    """A HEIC of one item with a property more, put behind the others in ipco and into its ipma entry."""
    added = (9).to_bytes(4, "big") + kind + bytes([value])

    def grown(data: bytes, box: bytes, by: int) -> bytes:
        at = data.index(box) - 4
        return data[:at] + (int.from_bytes(data[at : at + 4], "big") + by).to_bytes(4, "big") + data[at + 4 :]

    number = _boxes_in(data, b"ipco") + 1
    at = data.index(b"ipma") + 4 + 4 + 4 + 2
    data = (
        data[:at]
        + bytes([data[at] + 1])
        + data[at + 1 : at + 1 + data[at]]
        + bytes([0x80 | number])
        + data[at + 1 + data[at] :]
    )
    end = data.index(b"ipco") - 4 + int.from_bytes(data[data.index(b"ipco") - 4 : data.index(b"ipco")], "big")
    data = data[:end] + added + data[end:]
    for box, by in ((b"ipco", 9), (b"ipma", 1), (b"iprp", 10), (b"meta", 10)):
        data = grown(data, box, by)
    place = data.index(b"iloc") + 22  # the only extent's offset
    offset = int.from_bytes(data[place : place + 4], "big")
    return data[:place] + (offset + 10).to_bytes(4, "big") + data[place + 4 :]


def _boxes_in(data: bytes, box: bytes) -> int:
    at = data.index(box)
    position, end, count = at + 4, at - 4 + int.from_bytes(data[at - 4 : at], "big"), 0
    while position < end:
        position, count = position + int.from_bytes(data[position : position + 4], "big"), count + 1
    return count


@pytest.mark.parametrize(
    ("kind", "value", "orientation"),
    [(b"", 0, 1), (b"irot", 1, 8), (b"irot", 2, 3), (b"irot", 3, 6), (b"imir", 0, 4), (b"imir", 1, 2)],
)
def test_a_heic_is_read_upright(kind: bytes, value: int, orientation: int, tmp_path: Path) -> None:
    pytest.importorskip("pi_heif")
    data = HEIC.read_bytes()
    (tmp_path / "a.heic").write_bytes(with_property(data, kind, value) if kind else data)
    image = read_picture(str(tmp_path / "a.heic"))
    expected = upright(FOUR, orientation)
    assert image.shape == expected.shape
    assert abs(image.astype(int) - expected).mean() < 6


def test_without_its_library_a_heic_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pi_heif", "pillow_heif"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BlazeFaceError) as caught:
        read_picture(str(HEIC))
    assert str(caught.value) == f"{HEIC}: {NO_HEIC}"


def test_a_damaged_heic_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("pi_heif")
    (tmp_path / "a.heic").write_bytes(HEIC.read_bytes()[:400])
    with pytest.raises(BlazeFaceError, match=r"a\.heic: not a picture, or a damaged one"):
        read_picture(str(tmp_path / "a.heic"))


class FreedWithItself:
    """As the library's object of a picture: the pixels that it shows an array are given back when it is."""

    def __init__(self) -> None:
        self._pixels = bytearray(FOUR.tobytes())
        self.__array_interface__ = {"shape": FOUR.shape, "typestr": "|u1", "version": 3, "data": self._pixels}

    def __del__(self) -> None:
        self._pixels[:] = bytes(len(self._pixels))


def test_a_heics_pixels_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was decoded may not change when the library's memory is used again."""
    library = SimpleNamespace(open_heif=lambda *_, **__: FreedWithItself())
    monkeypatch.setattr(heif, "heic_library", lambda: library)
    assert np.array_equal(heif.decode_heic(b""), FOUR)
