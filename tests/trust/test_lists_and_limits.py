"""Pictures and videos that name other files, or cost more than they look: refused, with both video readers."""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import bad_pictures
import bad_videos
import cv2
import numpy as np
import pytest
from PIL import Image

from blazeface.cli.main import run_command
from blazeface.errors import BlazeFaceError
from blazeface.files.picture_size import jpeg_scans, picture_size
from blazeface.files.pictures import read_picture
from blazeface.sources import allowed
from blazeface.sources.av_reader import AvReader
from blazeface.sources.cv2_reader import Cv2Reader

READERS: list[Any] = [AvReader, Cv2Reader]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bad_videos.film(tmp_path_factory.mktemp("films") / "good.mp4")


LISTS: dict[str, tuple[str, str]] = {
    "concat": ("x.mp4", "ffconcat version 1.0\nfile '{film}'\n"),
    "concat in Matroska's name": ("x.mkv", "ffconcat version 1.0\nfile 'good.mp4'\n"),
    "HLS": ("x.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1.2,\n{film}\n#EXT-X-ENDLIST\n"),
    "HLS of an address": ("x.ts", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1.2,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n"),
    "DASH": ("x.mp4", '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011"><BaseURL>{film}</BaseURL></MPD>'),
    "SDP": ("x.avi", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"),
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", LISTS)
def test_lists_of_other_files_are_not_followed(kind: str, reader: Any, film: Path, tmp_path: Path) -> None:
    name, text = LISTS[kind]
    (tmp_path / "good.mp4").write_bytes(film.read_bytes())
    (tmp_path / name).write_text(text.format(film=film))
    with pytest.raises(
        BlazeFaceError, match=rf"{name}: a list of other files or addresses, which is not followed$"
    ):
        reader(str(tmp_path / name))


def test_a_list_by_the_command_is_one_sentence(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.mp4"
    path.write_text(LISTS["concat"][1].format(film=film))
    assert run_command("detect", [str(path), "--json", str(tmp_path / "x.json"), "--quiet", "--no-window"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "mov", "ts", "flv", "3gp"])
def test_containers_of_video_are_read(suffix: str, reader: Any, tmp_path: Path) -> None:
    path = bad_videos.film(tmp_path / f"x.{suffix}", "mpeg4" if suffix in ("avi", "3gp") else "libx264")
    with reader(str(path)) as opened:
        assert len(list(opened.frames())) == bad_videos.FRAMES


@pytest.mark.parametrize("reader", READERS)
def test_the_limit_of_pixels_counts_for_videos(reader: Any, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLAZEFACE_MAX_PIXELS", str(bad_videos.SIDE**2 - 1))
    with pytest.raises(BlazeFaceError, match="frames of 192 x 192 pixels, more than the 36,863 that are read"):
        reader(str(film))
    monkeypatch.setenv("BLAZEFACE_MAX_PIXELS", str(bad_videos.SIDE**2))
    with reader(str(film)) as opened:
        assert len(list(opened.frames())) == bad_videos.FRAMES


@pytest.mark.parametrize("reader", READERS)
def test_a_frame_that_grows_on_the_way_is_not_decoded(
    reader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Motion JPEG, each frame with a size of its own."""
    small, large = (
        cv2.imencode(".jpg", np.full((side, side, 3), 90, np.uint8))[1].tobytes() for side in (64, 640)
    )
    path = tmp_path / "x.mjpeg"
    path.write_bytes(small * 3 + large * 3)
    monkeypatch.setenv("BLAZEFACE_MAX_PIXELS", str(100 * 100))
    sizes = set()
    try:
        with reader(str(path)) as opened:
            for frame in opened.frames():
                sizes.add(frame.image.shape[:2])
    except BlazeFaceError:
        pass
    assert sizes <= {(64, 64)}


def test_streams_may_name_addresses_but_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(allowed.VARIABLE, "rtsp_transport;udp|protocol_whitelist;file")
    before = os.environ[allowed.VARIABLE]
    with allowed.stream_options(), allowed.stream_options():
        pairs = dict(pair.split(";", 1) for pair in os.environ[allowed.VARIABLE].split("|"))
        with allowed.file_options():
            assert "|protocol_whitelist;file,subfile|" in f"|{os.environ[allowed.VARIABLE]}|"
    assert pairs["rtsp_transport"] == "udp"
    assert {"file", "pipe", "unix", "concat", "subfile"} & set(pairs["protocol_whitelist"].split(",")) == set()
    assert {"rtsp", "https", "udp", "srt"} <= set(pairs["protocol_whitelist"].split(","))
    assert os.environ[allowed.VARIABLE] == before
    monkeypatch.delenv(allowed.VARIABLE)
    with allowed.stream_options():
        pass
    assert allowed.VARIABLE not in os.environ  # other users of OpenCV in this process are not concerned


def progressive(scans: int, side: int = 64) -> bytes:
    """A JPEG whose last scan is there many times over, as libjpeg allows."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), 99, np.uint8)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * (scans - jpeg_scans(data) + 1) + data[-2:]


def test_scans_are_counted() -> None:
    plain = io.BytesIO()
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(plain, "JPEG")
    assert jpeg_scans(plain.getvalue()) == 1
    assert [jpeg_scans(progressive(count)) for count in (10, 11, 300)] == [10, 11, 300]
    hidden = plain.getvalue()[:2] + b"\xff\xe1\x00\x08\xff\xda\xff\xda\x00\x00" + plain.getvalue()[2:]
    assert jpeg_scans(hidden) == 1  # markers within a segment, as of a thumbnail, are no scans
    assert jpeg_scans(b"\x89PNG\xff\xda") == 0


def test_a_jpeg_of_hundreds_of_scans_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(progressive(64))
    assert read_picture(str(path)).shape == (64, 64, 3)
    path.write_bytes(progressive(65))
    with pytest.raises(
        BlazeFaceError, match=r"x\.jpg: a JPEG of 65 scans over 64 x 64 pixels, more than are read$"
    ):
        read_picture(str(path))


def test_a_large_jpeg_may_have_the_usual_number_of_scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.jpg"
    monkeypatch.setenv("BLAZEFACE_MAX_PIXELS", str(64 * 64))
    path.write_bytes(progressive(16))
    assert read_picture(str(path)).shape == (64, 64, 3)
    path.write_bytes(progressive(17))
    with pytest.raises(BlazeFaceError, match="a JPEG of 17 scans"):
        read_picture(str(path))


SIZES = {
    "PAM": (b"P7\nWIDTH 70000\nHEIGHT 60000\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n", (70000, 60000)),
    "PFM": (b"PF\n70000 60000\n-1.0\n", (70000, 60000)),
    "grey PFM": (b"Pf\n70000 60000\n-1.0\n", (70000, 60000)),
    "Radiance": (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 60000 +X 70000\n", (70000, 60000)),
    "Sun raster": (struct.pack(">IIIIIIII", 0x59A66A95, 70000, 60000, 24, 0, 1, 0, 0), (70000, 60000)),
}


@pytest.mark.parametrize("kind", SIZES)
def test_rare_formats_are_refused_by_size_as_well(kind: str, tmp_path: Path) -> None:
    data, size = SIZES[kind]
    assert picture_size(data) == size
    path = tmp_path / "x.ppm"
    path.write_bytes(data + bytes(400))
    with pytest.raises(BlazeFaceError, match="70000 x 60000 pixels, more than the"):
        read_picture(str(path))


def test_what_tells_no_size_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"something else" * 9)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("was decoded"))
    with pytest.raises(BlazeFaceError, match="not a picture, or a damaged one"):
        read_picture(str(path))


@pytest.mark.parametrize(("head", "count"), [(b"Pf", 12), (b"PF", 36)])
@pytest.mark.parametrize("scale", [b"-1.0", b"1", b"0", b"nan", b"-1e30"])
def test_a_pfm_is_a_picture_like_any_other(head: bytes, count: int, scale: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.ppm"
    path.write_bytes(head + b"\n4 3\n" + scale + b"\n" + np.full(count, 0.5, np.float32).tobytes())
    out = tmp_path / "x.json"
    assert run_command("detect", [str(path), "--json", str(out), "--quiet", "--no-window"]) in (0, 1)
    if out.exists() and json.loads(out.read_text()):
        assert read_picture(str(path)).shape == (3, 4, 3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_of_an_animation_the_first_picture_alone_takes_memory(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{kind.lower()}"
    frames = [Image.fromarray(np.full((300, 300, 3), shade, np.uint8)) for shade in range(0, 240, 4)]
    frames[0].save(path, kind, save_all=True, append_images=frames[1:])
    assert abs(int(read_picture(str(path)).mean())) <= 2


def test_titles_in_any_encoding(film: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.mkv"
    with av.open(str(film)) as source, av.open(str(path), "w") as target:
        target.metadata["title"] = "QQQQ"
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    path.write_bytes(path.read_bytes().replace(b"QQQQ", b"\xff\xfe\xd6\xe4"))
    for reader in READERS:
        with reader(str(path)) as opened:
            assert len(list(opened.frames())) == bad_videos.FRAMES


@pytest.mark.parametrize("reader", READERS)
def test_a_codec_that_nobody_knows_is_one_sentence(reader: Any, tmp_path: Path) -> None:
    path = bad_videos.film(tmp_path / "x.avi", "mpeg4")
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"QZQZ").replace(b"fmp4", b"QZQZ"))
    with pytest.raises(BlazeFaceError, match=r"x\.avi: "), reader(str(path)) as opened:
        list(opened.frames())


@pytest.mark.parametrize("make", [bad_pictures.jpeg_bomb, bad_pictures.webp_bomb, bad_pictures.jp2_bomb])
def test_bombs_stay_refused(make: Callable[[], bytes], tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(make())
    with pytest.raises(BlazeFaceError, match="more than the 268,435,456 that are read"):
        read_picture(str(path))
