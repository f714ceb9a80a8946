import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from blazeface.files.picture_size import is_cut_jpeg, picture_size


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


@pytest.mark.parametrize("progressive", [0, 1])
def test_a_jpeg_that_breaks_off_is_told_from_a_whole_one(progressive: int) -> None:
    """OpenCV from 4.11 on refuses it, older ones fill the rest with grey."""
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_RST_INTERVAL, 3]
    data = cv2.imencode(".jpg", image, flags)[1].tobytes()
    assert not is_cut_jpeg(data)
    assert not is_cut_jpeg(data + b"\xff\xda more \xff\xd8")  # a film behind the photograph, say
    assert not is_cut_jpeg(b"GIF89a\xff\xda")
    for length in (len(data) - 2, len(data) - 3, len(data) // 2, data.index(b"\xff\xda") + 20):
        assert is_cut_jpeg(data[:length]), length
