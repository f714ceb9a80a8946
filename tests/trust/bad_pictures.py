"""Makers of odd and broken pictures: each writes one file into a folder and gives its path."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

PORTRAIT = Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"
SIDE = 300


def portrait() -> Image.Image:
    """The face of the shipped picture, 300 x 300."""
    return Image.open(PORTRAIT).convert("RGB").crop((90, 0, 390, 300))


def save(folder: Path, name: str, mode: str = "RGB", **options: Any) -> Path:
    picture = portrait()
    (picture.quantize(256) if mode == "P" else picture.convert(mode)).save(folder / name, **options)
    return folder / name


def sixteen_bit(folder: Path) -> Path:
    cv2.imwrite(str(folder / "deep.png"), np.asarray(portrait())[:, :, ::-1].astype(np.uint16) * 257)
    return folder / "deep.png"


def animated(folder: Path) -> Path:
    """The portrait, then a black picture."""
    path = folder / "moving.gif"
    portrait().save(path, save_all=True, append_images=[Image.new("RGB", (SIDE, SIDE))], duration=100)
    return path


def turned(folder: Path) -> Path:
    """Stored lying on its side; EXIF says how it stands."""
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees with the clock
    portrait().transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", exif=exif, quality=95)
    return folder / "turned.jpg"


def plain(folder: Path, name: str, width: int, height: int) -> Path:
    Image.new("RGB", (width, height), (90, 120, 80)).save(folder / name)
    return folder / name


def renamed(folder: Path, name: str) -> Path:
    return save(folder, "x.png").rename(folder / name)


def written(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def cut(folder: Path, name: str, mode: str = "RGB") -> Path:
    path = save(folder, name, mode)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def subfolder(folder: Path) -> Path:
    (folder / "folder.jpg").mkdir()
    return folder / "folder.jpg"


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.jpg")
    return folder / "pipe.jpg"


def png_bomb(width: int, height: int) -> bytes:
    """A small file that unpacks into width x height pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(9999)))
        + chunk(b"IEND", b"")
    )


def png_of_promises() -> bytes:
    """A chunk that claims two gigabytes; found by fuzzing, OpenCV took them."""
    good = png_bomb(32, 24)
    return good[:33] + b"\x80\x00\x09\xbb" + good[37:]


def jpeg_bomb(between: bytes = b"") -> bytes:
    """Some hundred bytes that unpack into 1,000,000,000 grey pixels. between: bytes before the first segment."""
    small = io.BytesIO()
    Image.new("L", (16, 16)).save(small, "JPEG")
    data = small.getvalue()
    frame = data.index(b"\xff\xc0") + 5
    return data[:2] + between + data[2:frame] + struct.pack(">HH", 31250, 32000) + data[frame + 4 :]


def webp_bomb() -> bytes:
    canvas = struct.pack("<HBHB", 0xFFFF, 0xFF, 0xFFFF, 0)
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + canvas


def jp2_bomb() -> bytes:
    return b"\xff\x4f\xff\x51\0\x2f\0\0" + struct.pack(">II", 60000, 60000) + bytes(40)
