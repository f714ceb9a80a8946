"""Copies of pictures keep colour profiles; what they lose is said."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from blazeface.files.copies import colour_profile, copy_losses
from blazeface.files.pictures import read_picture, write_picture

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LONG = PROFILE + bytes(200_000)
"""More than a JPEG holds in one segment."""

PICTURE = np.random.default_rng(3).integers(0, 255, (41, 60, 3), np.uint8)


def saved(kind: str, mode: str = "RGB", **flags: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PICTURE).convert(mode).save(file, kind, **flags)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_profiles_are_found(kind: str) -> None:
    assert colour_profile(saved(kind, icc_profile=PROFILE)) == PROFILE
    assert colour_profile(saved(kind)) is None
    assert colour_profile(saved(kind, icc_profile=PROFILE)[:60]) is None


def test_a_profile_of_ink_is_not_for_a_copy_in_rgb() -> None:
    ink = PROFILE[:16] + b"CMYK" + PROFILE[20:]
    assert colour_profile(saved("JPEG", "CMYK", icc_profile=ink)) is None


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("profile", [PROFILE, LONG])
def test_profiles_are_written_where_other_programs_find_them(suffix: str, profile: bytes, tmp_path: Path) -> None:
    write_picture(tmp_path / f"a{suffix}", PICTURE, profile=profile)
    write_picture(tmp_path / f"b{suffix}", PICTURE)
    with Image.open(tmp_path / f"a{suffix}") as image:
        image.load()
        assert image.info["icc_profile"] == profile
    same = read_picture(str(tmp_path / f"a{suffix}")) == read_picture(str(tmp_path / f"b{suffix}"))
    assert same.all()


def test_what_a_copy_loses() -> None:
    deep = io.BytesIO()
    Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(deep, "PNG")
    deep_tiff = io.BytesIO()
    Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(deep_tiff, "TIFF")
    alpha = "transparency is left out of the copy"
    bits = "16 bits become 8 in the copy"
    assert copy_losses(saved("JPEG"), ".bmp") == []
    assert copy_losses(saved("PNG"), ".bmp") == []
    for kind in ("PNG", "WEBP", "TIFF", "AVIF"):
        clear = Image.new("RGBA", (9, 9), (1, 2, 3, 0))
        file = io.BytesIO()
        clear.save(file, kind)
        assert copy_losses(file.getvalue(), ".jpg") == [alpha], kind
    assert copy_losses(saved("WEBP", lossless=True), ".jpg") == []
    assert copy_losses(deep.getvalue(), ".png") == [bits]
    assert copy_losses(deep_tiff.getvalue(), ".png") == [bits]
    assert copy_losses(b"P5 3 3 65535\n" + bytes(18), ".png") == [bits]
    assert copy_losses(saved("PNG", icc_profile=PROFILE), ".png") == []
    assert copy_losses(saved("PNG", icc_profile=PROFILE), ".bmp") == ["colour profile is left out of the copy"]
    assert copy_losses(b"", ".png") == copy_losses(b"\x89PNG", ".png") == []
