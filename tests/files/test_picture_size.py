import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from blazeface.files.picture_size import picture_size


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("size", [(1, 1), (37, 5), (300, 700)])
def test_the_header_tells_the_size(form: str, size: tuple[int, int]) -> None:
    file = io.BytesIO()
    Image.new("RGB", size).save(file, form)
    assert picture_size(file.getvalue()) == size


def test_a_jpeg_with_a_thumbnail_in_its_exif_tells_its_own_size() -> None:
    thumbnail = io.BytesIO()
    Image.new("RGB", (16, 12)).save(thumbnail, "JPEG")
    file = io.BytesIO()
    Image.new("RGB", (200, 100)).save(file, "JPEG", exif=b"Exif\0\0" + thumbnail.getvalue())
    assert picture_size(file.getvalue()) == (200, 100)


@given(
    st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"GIF89a", b"BM"]), st.binary()
)
def test_any_bytes_give_a_size_or_none(start: bytes, rest: bytes) -> None:
    size = picture_size(start + rest)
    assert size is None or len(size) == 2
