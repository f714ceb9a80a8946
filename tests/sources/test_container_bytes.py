"""Containers that are cut, damaged, or whole with odd things in them: by their own sizes."""

import struct
from pathlib import Path

import numpy as np
import pytest

from blazeface.sources.container_bytes import display_matrix, has_foreign_bytes, is_cut

MP4, MKV = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + kind + body


def element(name: str, *content: bytes, unknown: bool = False) -> bytes:
    body = b"".join(content)
    length = b"\x01" + b"\xff" * 7 if unknown else struct.pack(">Q", len(body) | 1 << 56)
    return bytes.fromhex(name) + length + body


def chunk(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return kind + struct.pack("<I", len(body)) + body


def simple_block(track: int = 1, size: int = 300) -> bytes:
    return element("A3", bytes([0x80 | track, 0, 0, 0x80]), bytes(size))


def matroska(*clusters: bytes, unknown: bool = False) -> bytes:
    tracks = element("1654AE6B", element("AE", element("D7", b"\x01"), element("86", b"V_VP8")))
    head = element("1A45DFA3", element("4282", b"webm"))
    return head + element("18538067", tracks, *clusters, unknown=unknown)


CLUSTER = element("1F43B675", element("E7", b"\0"), simple_block(), simple_block())
WITH_GROUP = element("1F43B675", element("E7", b"\1"), element("A0", element("A1", b"\x81\0\0\0", bytes(9)), element("9B", b"\1"), element("75A1", bytes(500))))  # fmt: skip
WHOLE: dict[str, tuple[str, bytes]] = {
    "MP4": (MP4, box(b"ftyp", b"isom") + box(b"mdat", bytes(100)) + box(b"moov", bytes(20))),
    "MP4 of a large box": (MP4, box(b"ftyp") + struct.pack(">I4sQ", 1, b"mdat", 116) + bytes(100)),
    "MP4 up to the end": (MP4, box(b"ftyp") + struct.pack(">I4s", 0, b"mdat") + bytes(100)),
    "Matroska": (MKV, matroska(CLUSTER, element("EC", bytes(900)), CLUSTER, element("1254C367"))),
    "Matroska of a live recording": (MKV, matroska(CLUSTER, CLUSTER, unknown=True)),
    "Matroska of alpha": (MKV, matroska(CLUSTER, WITH_GROUP, WITH_GROUP)),
    "AVI": ("avi", chunk(b"RIFF", b"AVI ", chunk(b"LIST", bytes(300))) + chunk(b"RIFF", b"AVIX", bytes(200))),
    "AVI with a tail": ("avi", chunk(b"RIFF", b"AVI ", bytes(300)) + b"tail of an editor"),
    "Flash": ("flv", b"FLV\1\5\0\0\0\x09" + bytes(4) + (b"\x09" + b"\0\0\x64" + bytes(7 + 100) + bytes(4)) * 3),
    "ASF": ("asf", bytes(24) + bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365") + bytes(24) + struct.pack("<Q", 200) + bytes(128)),
}  # fmt: skip


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("start", [0, 77])
def test_whole_files_are_whole_and_cut_ones_are_cut(kind: str, start: int, tmp_path: Path) -> None:
    container, data = WHOLE[kind]
    path = tmp_path / "a"
    path.write_bytes(bytes(start) + data)
    assert is_cut(str(path), container, start) is False
    if container == MKV:
        assert not has_foreign_bytes(str(path), start)
    path.write_bytes((bytes(start) + data)[:-30])
    can_tell = "up to the end" not in kind
    assert is_cut(str(path), container, start) is can_tell


def test_others_do_not_say(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(100))
    assert is_cut(str(tmp_path / "a"), "mpegts") is None


@pytest.mark.parametrize(
    "bad",
    [
        element("1F43B675", element("E7", b"\0"), simple_block(), b"U" * 400, simple_block()),
        element("1F43B675", element("E7", b"\0"), simple_block(track=7), simple_block()),
        bytes(50),
    ],
)
def test_bytes_that_belong_to_nothing_are_seen(bad: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(matroska(CLUSTER, bad, CLUSTER))
    assert has_foreign_bytes(str(tmp_path / "a"))


def track_header(version: int, track: int, *turn: float) -> bytes:
    times = bytes(8) if version == 0 else bytes(16)
    matrix = [turn[0], turn[1], 0, turn[2], turn[3], 0, 0, 0, 1]
    fixed = [round(value * (1 << (30 if n % 3 == 2 else 16))) for n, value in enumerate(matrix)]
    head = bytes([version, 0, 0, 3]) + times + struct.pack(">I", track) + bytes(4 + (4 if version == 0 else 8))
    return box(b"tkhd", head + bytes(16) + struct.pack(">9i", *fixed) + bytes(8))


@pytest.mark.parametrize("version", [0, 1])
def test_display_matrices(version: int, tmp_path: Path) -> None:
    tracks = [
        box(b"trak", track_header(version, 1, 1, 0, 0, 1)),
        box(b"trak", track_header(version, 2, -1, 0, 0, 1)),
    ]
    (tmp_path / "a.mp4").write_bytes(box(b"ftyp", b"isom") + box(b"moov", *tracks))
    found = [display_matrix(str(tmp_path / "a.mp4"), track) for track in (1, 2)]
    np.testing.assert_array_equal(found[0], np.eye(3))
    np.testing.assert_array_equal(found[1], np.diag([-1, 1, 1]))
    assert display_matrix(str(tmp_path / "a.mp4"), 3) is None
