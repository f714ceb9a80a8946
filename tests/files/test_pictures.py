"""Pictures of every kind come out as upright BGR; what cannot be read is said in one sentence."""

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import can_write_picture, decode_picture, read_picture, write_picture

# Four patches, large enough to survive JPEG: red, green / blue, grey, as RGB.
PATCHES = np.zeros((32, 48, 3), np.uint8)
PATCHES[:16, :24] = (220, 30, 20)
PATCHES[:16, 24:] = (20, 200, 40)
PATCHES[16:, :24] = (30, 40, 210)
PATCHES[16:, 24:] = (128, 128, 128)


def save(path: Path, mode: str = "RGB", **options: Any) -> Path:
    picture = Image.fromarray(PATCHES)
    (picture.quantize(16) if mode == "P" else picture.convert(mode)).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.png", "RGB"),
        ("a.jpg", "RGB"),
        ("a.webp", "RGB"),
        ("a.bmp", "RGB"),
        ("a.tiff", "RGB"),
        ("a.tiff", "CMYK"),
        ("a.jpg", "CMYK"),
        ("a.png", "P"),
        ("a.gif", "P"),
        ("a.ppm", "RGB"),
    ],
)
def test_colours(tmp_path: Path, name: str, mode: str) -> None:
    path = save(tmp_path / name, mode)
    if name.endswith(".gif") and not can_write_picture(".gif"):
        with pytest.raises(BlazeFaceError, match=r"a\.gif: this OpenCV .* reads no GIF: 4\.11 does"):
            read_picture(str(path))
        return
    image = read_picture(str(path))
    assert image.dtype == np.uint8
    assert image.shape == (32, 48, 3)
    for (y, x), rgb in {(8, 12): (220, 30, 20), (8, 36): (20, 200, 40), (24, 12): (30, 40, 210)}.items():
        np.testing.assert_allclose(image[y, x, ::-1], rgb, atol=6)


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_becomes_three_equal_channels(tmp_path: Path, mode: str) -> None:
    image = read_picture(str(save(tmp_path / "a.png", mode)))
    assert image.shape == (32, 48, 3)
    assert (image == image[:, :, :1]).all()
    expected = np.asarray(Image.fromarray(PATCHES).convert(mode).convert("L"))
    np.testing.assert_array_equal(image[:, :, 0], expected)


def test_alpha_is_left_out_and_the_colour_under_it_stays(tmp_path: Path) -> None:
    picture = Image.fromarray(PATCHES)
    picture.putalpha(40)
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_picture(str(tmp_path / "a.png")), PATCHES[:, :, ::-1])


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_become_eight(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), PATCHES[:, :, ::-1].astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_picture(str(path)), PATCHES[:, :, ::-1])


# Where the first row and column of the stored picture are shown (EXIF 2.3, tag 274), as NumPy would turn it.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read_picture(str(save(tmp_path / f"a{suffix}", exif=exif, quality=95)))
    expected = UPRIGHT[orientation](PATCHES)[:, :, ::-1]
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 4


@pytest.mark.parametrize("name", ["ä ö #?%03d.png", "-x.png", "a\nb.png", "[1].png", os.fsdecode(b"\xff\xfe.png")])
def test_any_name_can_be_read_and_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_picture(path, PATCHES[:, :, ::-1])
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    np.testing.assert_array_equal(read_picture(str(path)), PATCHES[:, :, ::-1])


def fault_of(path: Path) -> str:
    with pytest.raises(BlazeFaceError) as caught:
        read_picture(str(path))
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff", ".bmp", ".gif"])
def test_half_a_file_is_a_fault_and_nothing_else_is_printed(
    tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path / f"a{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert fault_of(path).startswith("not a picture, or a damaged one")
    assert capfd.readouterr() == ("", "")


def test_a_broken_png_tells_what_its_decoder_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path / "a.png")
    data = bytearray(path.read_bytes())
    data[data.index(b"IEND") - 5] ^= 0xFF  # the last byte of the check sum before
    path.write_bytes(data)
    assert fault_of(path) == "not a picture, or a damaged one (libpng error: IDAT: CRC error)"
    assert capfd.readouterr() == ("", "")


def test_a_jpeg_with_damage_inside_is_read_quietly(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    cv2.imwrite(str(path), noise)
    data = bytearray(path.read_bytes())
    data[20000:20004] = b"\xff\xd0\xff\xd1"
    path.write_bytes(data)
    assert read_picture(str(path)).shape == (200, 300, 3)
    assert capfd.readouterr() == ("", "")


def test_what_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    assert fault_of(tmp_path / "text.jpg").startswith("not a picture")
    assert fault_of(tmp_path / "empty.jpg") == "is empty"
    assert fault_of(tmp_path / "folder.jpg") == "is a folder, not a file"
    assert fault_of(tmp_path / "pipe.jpg") == "is a pipe or a device, not a file"
    assert fault_of(tmp_path / "missing.jpg") == "no such file or folder"


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_gigantic_picture_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_that_claims(30000, 30000))
    assert (
        fault_of(path)
        == "30000 x 30000 pixels, more than the 268,435,456 that are read (BLAZEFACE_MAX_PIXELS sets the limit)"
    )


def test_opencvs_own_limit_becomes_a_sentence(tmp_path: Path) -> None:
    data = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 100000 +X 100000\n" + bytes(100)
    assert decode_picture(data) == (None, "too large to decode")  # as where BLAZEFACE_MAX_PIXELS is set beyond it


def test_a_picture_that_its_format_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "long.jpg"
    with pytest.raises(BlazeFaceError, match="this format cannot hold a picture of 70000 x 1"):
        write_picture(path, np.zeros((1, 70000, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_what_can_be_written() -> None:
    assert [can_write_picture(s) for s in (".jpg", ".JPG", ".png", ".webp")] == [True] * 4
    assert [can_write_picture(s) for s in ("", ".xyz", ".mp4", ".heic", ".exr")] == [False] * 5
