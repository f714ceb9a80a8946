"""Videos keep length, rate, time stamps, size and rotation, through PyAV and through OpenCV alone."""

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import making
import numpy as np
import pytest
from video_material import RedDetector, VideoMaker, walking_square

from blazeface.errors import BlazeFaceError
from blazeface.sinks import video_writer
from blazeface.sinks.video_writer import open_video_writer
from blazeface.sources.cv2_reader import Cv2Reader, exact_rate
from blazeface.sources.frames import Frame

av = pytest.importorskip("av")

from blazeface.sinks.av_writer import common_tick  # noqa: E402
from blazeface.sources.av_reader import AvReader  # noqa: E402

NTSC = Fraction(30000, 1001)
Reader = Callable[[str], Any]
both_readers = pytest.mark.parametrize("reader", [AvReader, Cv2Reader])


def read(reader: Reader, path: Path) -> tuple[Any, list[Frame]]:
    with reader(str(path)) as source:
        return source, list(source.frames())


def red_left(image: np.ndarray) -> float:
    """Left edge of the red square, found by its centre."""
    red = (image[:, :, 2].astype(int) - image[:, :, 1]) > 60
    return float(np.nonzero(red)[1].mean()) - 3.5


def stored(path: Path) -> tuple[Fraction, list[Fraction], Any]:
    """What a container holds, read without our own reader: rate, times, stream."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = [frame.pts * stream.time_base for frame in container.decode(stream)]
        return stream.average_rate, times, stream


@both_readers
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi"])
@pytest.mark.parametrize("rate", [NTSC, Fraction(25), Fraction(24000, 1001)])
def test_reading_gives_every_frame_at_its_exact_time(
    make_video: VideoMaker, tmp_path: Path, reader: Reader, suffix: str, rate: Fraction
) -> None:
    path = make_video(tmp_path / f"a{suffix}", count=12, rate=rate)
    source, frames = read(reader, path)
    assert source.rate == rate
    assert source.length == 12
    assert [frame.index for frame in frames] == list(range(12))
    if reader is AvReader:
        assert [frame.time for frame in frames] == [n / rate for n in range(12)]
    else:
        np.testing.assert_allclose([float(frame.time) for frame in frames], np.arange(12) / float(rate), atol=1e-3)
    for frame in frames:
        assert frame.image.shape == (48, 64, 3)
        assert frame.source == str(path)
        assert abs(red_left(frame.image) - (4 + 2 * frame.index)) < 1


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_writing_keeps_length_and_rate_as_a_fraction(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    with open_video_writer(path, 64, 48, NTSC, 1 / NTSC) as writer:
        for n in range(12):
            writer.write(walking_square(n), n / NTSC)
    rate, times, stream = stored(path)
    assert rate == NTSC
    rounding = 0 if suffix == ".mp4" or suffix == ".mov" else Fraction(1, 1000)
    assert all(abs(time - times[0] - n / NTSC) <= rounding for n, time in enumerate(times))
    assert len(times) == 12
    assert stream.codec_context.name == "h264"
    if stream.duration:
        assert stream.duration * stream.time_base == 12 / NTSC
    assert os.listdir(tmp_path) == [path.name]


def test_a_video_in_milliseconds_becomes_an_exact_one(make_video: VideoMaker, tmp_path: Path) -> None:
    source, frames = read(AvReader, make_video(tmp_path / "a.mkv", count=40))
    assert stored(tmp_path / "a.mkv")[1][1] == Fraction(33, 1000)  # what Matroska made of 1001/30000
    with open_video_writer(tmp_path / "b.mp4", 64, 48, source.rate, source.tick) as writer:
        for frame in frames:
            writer.write(frame.image, frame.time)
    rate, times, _ = stored(tmp_path / "b.mp4")
    assert rate == NTSC
    assert times == [Fraction(1001 * n, 30000) for n in range(40)]


def test_a_varying_rate_keeps_its_time_stamps(make_video: VideoMaker, tmp_path: Path) -> None:
    ticks = [0, 3000, 6100, 12000, 12500, 90000, 93000]
    tick = Fraction(1, 90000)
    path = make_video(tmp_path / "a.mp4", count=7, rate=Fraction(30), ticks=ticks, tick=tick)
    source, frames = read(AvReader, path)
    assert [frame.time for frame in frames] == [n * tick for n in ticks]
    with open_video_writer(tmp_path / "b.mp4", 64, 48, source.rate, source.tick) as writer:
        for frame in frames:
            writer.write(frame.image, frame.time)
    assert stored(tmp_path / "b.mp4")[1] == [n * tick for n in ticks]
    assert stored(tmp_path / "b.mp4")[2].duration * tick == pytest.approx(float(96000 * tick), abs=0.005)


def test_times_start_with_the_first_frame(make_video: VideoMaker, tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "a.mkv", count=3, rate=Fraction(25), ticks=[200, 240, 280], tick=Fraction(1, 1000)
    )
    for reader in (AvReader, Cv2Reader):
        assert [frame.time for frame in read(reader, path)[1]] == [0, Fraction(1, 25), Fraction(2, 25)]


@both_readers
@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_rotation_is_applied(
    make_video: VideoMaker, tmp_path: Path, reader: Reader, rotation: int, turns: int
) -> None:
    _, frames = read(reader, make_video(tmp_path / "a.mp4", count=2, rotation=rotation))
    expected = np.rot90(walking_square(0), turns)  # 90 degrees against the clock are one turn
    image = frames[0].image
    assert image.shape == expected.shape
    assert image.flags.c_contiguous
    square = RedDetector().detect(image).boxes[0]
    np.testing.assert_allclose(square, RedDetector().detect(expected).boxes[0], atol=1)


@pytest.mark.parametrize("size", [(63, 47), (64, 47), (63, 48), (1, 1), (2, 2)])
def test_the_size_is_kept_to_the_pixel(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    with open_video_writer(tmp_path / "a.mp4", width, height, NTSC, 1 / NTSC) as writer:
        for n in range(3):
            writer.write(np.full((height, width, 3), 128, np.uint8), n / NTSC)
    _, frames = read(AvReader, tmp_path / "a.mp4")
    assert [frame.image.shape for frame in frames] == [(height, width, 3)] * 3


@both_readers
def test_colours_survive_writing_and_reading(tmp_path: Path, reader: Reader) -> None:
    bars = np.zeros((48, 256, 3), np.uint8)
    colors = [(30, 30, 200), (40, 200, 40), (200, 60, 30), (180, 180, 180)]
    for n, color in enumerate(colors):
        bars[:, 64 * n : 64 * n + 64] = color
    with open_video_writer(tmp_path / "a.mp4", 256, 48, Fraction(25), Fraction(1, 25)) as writer:
        for n in range(3):
            writer.write(bars, Fraction(n, 25))
    image = read(reader, tmp_path / "a.mp4")[1][1].image
    for n, color in enumerate(colors):
        np.testing.assert_allclose(image[24, 64 * n + 32], color, atol=6)


def test_a_stream_that_changes_its_size_is_brought_back_to_the_first(tmp_path: Path) -> None:
    with open_video_writer(tmp_path / "a.mp4", 64, 48, Fraction(25), Fraction(1, 25)) as writer:
        writer.write(walking_square(0), Fraction(0))
        writer.write(walking_square(0, 128, 96), Fraction(1, 25))
        writer.write(np.full((96, 32, 3), 200, np.uint8), Fraction(2, 25))
    pictures = [frame.image for frame in read(AvReader, tmp_path / "a.mp4")[1]]
    assert [picture.shape for picture in pictures] == [(48, 64, 3)] * 3
    assert abs(pictures[1].astype(int) - cv2.resize(walking_square(0, 128, 96), (64, 48))).mean() < 4
    assert pictures[2][:, 26:38].min() > 180 and pictures[2][:, :22].max() < 30  # its shape is kept


def test_a_file_that_changes_its_size_is_read_in_both(tmp_path: Path) -> None:
    """Two streams behind each other in one file, as a camera that switches its resolution writes it."""
    parts = []
    for n, (width, height) in enumerate([(64, 48), (96, 64)]):
        part = tmp_path / f"{n}.h264"
        with av.open(str(part), "w", format="h264") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for i in range(5):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(walking_square(i, width, height), "bgr24")))
            container.mux(stream.encode())
        parts.append(part.read_bytes())
    (tmp_path / "a.h264").write_bytes(b"".join(parts))
    _, frames = read(AvReader, tmp_path / "a.h264")
    assert [frame.image.shape[:2] for frame in frames] == [(48, 64)] * 5 + [(64, 96)] * 5


def with_sound(path: Path, seconds: float = 2.0, video_from: int = 0) -> Path:
    """A source of the walking square with a tone that starts at its half; the pictures begin at frame `video_from`."""
    rate = 25
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=16000)
        sound.layout = "mono"
        container.metadata["title"] = sound.metadata["title"] = "at home"
        for n in range(video_from, round(seconds * rate)):
            frame = av.VideoFrame.from_ndarray(walking_square(n % 25), "bgr24")
            frame.pts, frame.time_base = n, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        time = np.arange(int(16000 * seconds)) / 16000
        tone = (0.5 * np.sin(2 * np.pi * 440 * time) * (time >= seconds / 2)).astype(np.float32)
        for start in range(0, len(tone) - 1023, 1024):
            part = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], "fltp", "mono")
            part.sample_rate, part.pts, part.time_base = 16000, start, Fraction(1, 16000)
            container.mux(sound.encode(part))
        container.mux(sound.encode())
    return path


def tone_starts(path: Path) -> float:
    """The second at which a file's sound begins to be heard."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.abs(frame.to_ndarray()).max(axis=0) > 0.1
            if loud.any():
                return float(frame.time or 0) + float(loud.argmax()) / float(frame.sample_rate)
    raise AssertionError("silent")


def copy(source: Path, target: Path, frames: int = 10**6) -> None:
    with AvReader(str(source)) as reader:
        pictures = reader.frames()
        first = next(pictures)
        height, width = first.image.shape[:2]
        with open_video_writer(target, width, height, reader.rate, reader.tick, reader.audio) as writer:
            writer.write(first.image, first.time)
            for _, frame in zip(range(frames - 1), pictures, strict=False):
                writer.write(frame.image, frame.time)
        assert (target.suffix == ".webm") == (writer.soundless is not None)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi"])
def test_the_sound_is_copied_packet_by_packet(tmp_path: Path, suffix: str) -> None:
    source = with_sound(tmp_path / "a.mp4")
    copy(source, tmp_path / f"b{suffix}")

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    before, after = packets(source), packets(tmp_path / f"b{suffix}")
    assert len(after) >= len(before) - 2  # the encoder's lead before the first picture is left out
    assert (
        after == before[len(before) - len(after) :]
        or after == before[1 : 1 + len(after)]
        or after == before[: len(after)]
    )
    assert tone_starts(tmp_path / f"b{suffix}") == pytest.approx(1.0, abs=0.07)
    with av.open(str(tmp_path / f"b{suffix}")) as container:
        assert "at home" not in str(container.metadata) + str([stream.metadata for stream in container.streams])


def test_sound_and_pictures_stay_together_where_the_pictures_begin_later(tmp_path: Path) -> None:
    copy(with_sound(tmp_path / "a.mkv", video_from=10), tmp_path / "b.mkv")
    assert tone_starts(tmp_path / "b.mkv") == pytest.approx(1.0 - 10 / 25, abs=0.07)


def test_a_copy_that_is_cut_short_has_no_more_sound_than_pictures(tmp_path: Path) -> None:
    copy(with_sound(tmp_path / "a.mp4"), tmp_path / "b.mp4", frames=10)
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert container.duration / av.time_base == pytest.approx(0.4, abs=0.07)


def test_a_container_that_cannot_hold_the_sound_is_written_without(tmp_path: Path) -> None:
    copy(with_sound(tmp_path / "a.mp4"), tmp_path / "b.webm")
    with av.open(str(tmp_path / "b.webm")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


@pytest.mark.parametrize("with_av", [True, False])
def test_an_exception_leaves_no_file_and_an_old_one_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_av: bool
) -> None:
    monkeypatch.setattr(video_writer, "have_av", lambda: with_av)
    (tmp_path / "a.mp4").write_text("old")
    with (
        pytest.raises(RuntimeError),
        open_video_writer(tmp_path / "a.mp4", 64, 48, Fraction(25), Fraction(1, 25)) as writer,
    ):
        writer.write(walking_square(0), Fraction(0))
        raise RuntimeError
    assert os.listdir(tmp_path) == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_text() == "old"


@pytest.mark.parametrize("with_av", [True, False])
def test_a_place_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_av: bool) -> None:
    monkeypatch.setattr(video_writer, "have_av", lambda: with_av)
    with (
        pytest.raises(BlazeFaceError, match=r"gone/a\.mp4: cannot be written"),
        open_video_writer(tmp_path / "gone" / "a.mp4", 64, 48, Fraction(25), Fraction(1, 25)),
    ):
        pass


@pytest.mark.parametrize("number", [2, 4, 5, 7])
def test_mirrored_pictures_without_pyav(tmp_path: Path, make_video: VideoMaker, number: int) -> None:
    """As PyAV's reader gives them, whose mirrors the zoo holds against ffmpeg."""
    path = make_video(tmp_path / "a.mp4")
    making._set_matrix(path, making.MATRICES[number])
    _, found = read(Cv2Reader, path)
    _, expected = read(AvReader, path)
    assert len(found) == len(expected) > 1
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.image.shape == theirs.image.shape
        assert np.abs(ours.image.astype(int) - theirs.image).mean() < 3
    flat = np.abs(found[0].image[:, ::-1].astype(int) - expected[0].image).mean()
    assert flat > 3  # the picture is no mirror of itself


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(64, 45), (92, 48)), (Fraction(3, 4), (64, 64))])
def test_pixels_become_square_without_pyav(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aspect: Fraction, size: tuple[int, int]
) -> None:
    with open_video_writer(tmp_path / "a.mp4", 64, 48, NTSC, 1 / NTSC, pixel_aspect=aspect) as writer:
        for n in range(4):
            writer.write(walking_square(n), n / NTSC)
    source, frames = read(Cv2Reader, tmp_path / "a.mp4")
    assert source.pixel_aspect == aspect
    told = f"its pixels of {aspect.numerator}:{aspect.denominator} become square ones in the copy"
    assert told in str(source.copy_loss)
    monkeypatch.setattr(video_writer, "have_av", lambda: False)
    with open_video_writer(tmp_path / "b.mp4", 64, 48, NTSC, 1 / NTSC, pixel_aspect=aspect) as writer:
        for frame in frames:
            writer.write(frame.image, frame.time)
    source, frames = read(AvReader, tmp_path / "b.mp4")
    assert source.pixel_aspect == 1
    assert frames[0].image.shape[1::-1] == size
    assert abs(red_left(frames[0].image) / size[0] - 4 / 64) < 0.03


class TestOpenCVAlone:
    @pytest.fixture(autouse=True)
    def without_av(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(video_writer, "have_av", lambda: False)

    @pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".mov"])
    def test_length_is_kept_and_the_rate_nearly(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"a{suffix}"
        with open_video_writer(path, 64, 48, NTSC, 1 / NTSC) as writer:
            for n in range(12):
                writer.write(walking_square(n), n / NTSC)
        source, frames = read(Cv2Reader, path)
        assert len(frames) == 12
        assert abs(source.rate - NTSC) < Fraction(1, 1000)
        assert [round(red_left(frame.image)) for frame in frames] == [4 + 2 * n for n in range(12)]

    def test_a_varying_rate_becomes_a_steady_one_of_the_same_length(self, tmp_path: Path) -> None:
        times = [Fraction(0), Fraction(1, 10), Fraction(4, 10), Fraction(41, 100), Fraction(5, 10)]
        with open_video_writer(tmp_path / "a.mp4", 64, 48, Fraction(10), Fraction(1, 1000)) as writer:
            for n, time in enumerate(times):
                writer.write(walking_square(n), time)
        _, frames = read(Cv2Reader, tmp_path / "a.mp4")
        assert [round((red_left(frame.image) - 4) / 2) for frame in frames] == [0, 1, 2, 2, 2, 4]

    def test_odd_sizes_are_refused_rather_than_cropped(self, tmp_path: Path) -> None:
        with (
            pytest.raises(BlazeFaceError, match=r"63 x 48 uncropped; PyAV can: run pip install -e '\.\[video\]'"),
            open_video_writer(tmp_path / "a.mp4", 63, 48, NTSC, 1 / NTSC),
        ):
            pass
        assert os.listdir(tmp_path) == []

    def test_a_name_that_would_crash_opencv_is_refused(self, make_video: VideoMaker, tmp_path: Path) -> None:
        path = tmp_path / os.fsdecode(b"\xff.mp4")
        path.write_bytes(make_video(tmp_path / "a.mp4").read_bytes())
        with pytest.raises(BlazeFaceError, match="OpenCV cannot open such a name"):
            Cv2Reader(str(path))
        with (
            pytest.raises(BlazeFaceError, match="OpenCV cannot write such a name"),
            open_video_writer(path, 64, 48, NTSC, 1 / NTSC),
        ):
            pass
        assert len(read(AvReader, path)[1]) == 12


def fault_of(reader: Reader, path: Path) -> tuple[int, str]:
    """How many frames could be read, and what was said then."""
    count = 0
    with pytest.raises(BlazeFaceError) as caught, reader(str(path)) as source:
        for _ in source.frames():
            count += 1
    return count, str(caught.value).removeprefix(f"{path}: ")


@both_readers
def test_what_is_no_video(tmp_path: Path, reader: Reader, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.mp4").write_text("hello " * 100)
    (tmp_path / "empty.mp4").touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    assert fault_of(reader, tmp_path / "text.mp4") == (0, "not a video, or a damaged one")
    assert fault_of(reader, tmp_path / "empty.mp4") == (0, "is empty")
    assert fault_of(reader, tmp_path / "missing.mp4") == (0, "no such file or folder")
    assert fault_of(reader, tmp_path / "pipe.mp4") == (0, "is a pipe or a device, not a file")
    assert capfd.readouterr() == ("", "")


@both_readers
def test_half_a_file_without_its_index(make_video: VideoMaker, tmp_path: Path, reader: Reader) -> None:
    path = make_video(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:400])
    said = "its index (moov) is missing: the recording was cut off, or is still being written"
    assert fault_of(reader, path) == (0, said)


@both_readers
def test_a_video_that_ends_too_early_gives_what_it_has_and_says_so(
    make_video: VideoMaker, tmp_path: Path, reader: Reader
) -> None:
    path = make_video(tmp_path / "a.mkv", count=90, rate=Fraction(30))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    count, message = fault_of(reader, path)
    assert 20 < count < 70
    assert message.startswith("damaged: it ")
    assert message.endswith("of 3.00 seconds")


def test_frames_after_a_damaged_one_are_still_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with open_video_writer(path, 64, 48, Fraction(25), Fraction(1, 25)) as writer:
        for n in range(60):
            writer.write(walking_square(n % 25), Fraction(n, 25))
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    pos, size = packets[30]
    data[pos : pos + size] = b"U" * size
    path.write_bytes(data)
    assert fault_of(AvReader, path) == (59, "damaged: 1 of its frames could not be decoded")


@pytest.mark.parametrize("with_cover", [False, True])
def test_a_sound_file_holds_no_video_not_even_with_a_cover(tmp_path: Path, with_cover: bool) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=8000)
        if with_cover:
            cover = container.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
            cover.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(sound.encode(frame))
        if with_cover:
            picture = av.VideoFrame.from_ndarray(walking_square(0), "bgr24")
            picture.pts = 0
            container.mux(cover.encode(picture))
            container.mux(cover.encode())
        container.mux(sound.encode())
    assert fault_of(AvReader, path) == (0, "holds sound, and no video")


@pytest.mark.parametrize(
    ("stored_rate", "rate"),
    [(29.97002997002997, NTSC), (23.976023976, Fraction(24000, 1001)), (25.0, 25), (12.5, Fraction(25, 2))],
)
def test_exact_rates_of_floats(stored_rate: float, rate: Fraction) -> None:
    assert exact_rate(stored_rate) == rate


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf"), 90000.0])
def test_impossible_rates(rate: float) -> None:
    assert exact_rate(rate) is None


def test_units_of_time() -> None:
    assert common_tick(".mp4", NTSC, Fraction(1, 1000)) == Fraction(1, 30000)
    assert common_tick(".mp4", Fraction(25), Fraction(1, 12800)) == Fraction(1, 12800)
    assert common_tick(".mp4", NTSC, Fraction(1001, 30000)) == Fraction(1, 30000)
    assert common_tick(".avi", NTSC, Fraction(1, 1000)) == Fraction(1001, 30000)
    assert common_tick(".mp4", Fraction(25), Fraction(1, 10_000_000)) == Fraction(1, 1_000_000)
    assert common_tick(".mp4", NTSC, Fraction(1, 90_000), 65_535) == Fraction(1, 60_000)


def test_frames_are_not_shared(make_video: VideoMaker, tmp_path: Path) -> None:
    """A frame stays what it was when the next one is read."""
    for reader in (AvReader, Cv2Reader):
        _, frames = read(reader, make_video(tmp_path / "a.mp4", count=3))
        lefts = [round(red_left(frame.image)) for frame in frames]
        assert lefts == [4, 6, 8]
        assert cv2.countNonZero(cv2.absdiff(frames[0].image, frames[1].image).reshape(-1)) > 0


def test_a_last_frame_that_stands_for_seconds_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for n, (pts, duration) in enumerate([(0, 1), (1, 1), (2, 100)]):
            frame = av.VideoFrame.from_ndarray(walking_square(n), "bgr24")
            frame.pts, frame.time_base = pts, Fraction(1, 25)
            for packet in stream.encode(frame):
                packet.duration = duration
                container.mux(packet)
        container.mux(stream.encode())
    assert len(read(AvReader, path)[1]) == 3
