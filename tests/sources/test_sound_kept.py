"""Sound that does not fit is named or encoded anew, goes on after the pictures, and is missed with a word."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from video_material import RedDetector, walking_square

from blazeface.options import WriteOptions
from blazeface.pipeline import Pipeline
from blazeface.sinks import video_writer
from blazeface.sources import opening
from blazeface.sources.cv2_reader import INSTALL_AV
from blazeface.sources.inputs import find_input

av = pytest.importorskip("av")


def clip(path: Path, codecs: tuple[str, ...], sound_seconds: float = 2.0) -> Path:
    """A second of pictures with tones of 440, 880 ... Hz, one a track."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        tracks = [container.add_stream(codec, rate=44100, layout="mono") for codec in codecs]
        for track, language in zip(tracks, ("eng", "ita"), strict=False):
            track.metadata["language"] = language
            track.bit_rate = 128_000
        for n in range(25):
            frame = av.VideoFrame.from_ndarray(walking_square(n), "bgr24")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        for number, track in enumerate(tracks, 1):
            wave = np.sin(2 * np.pi * 440 * number * np.arange(round(44100 * sound_seconds)) / 44100)
            fifo = av.AudioFifo()
            whole = av.AudioFrame.from_ndarray((0.5 * wave[None]).astype(np.float32), "fltp", "mono")
            whole.sample_rate, whole.pts, whole.time_base = 44100, 0, Fraction(1, 44100)
            fifo.write(whole)
            resampler = av.AudioResampler(track.codec_context.format, "mono", 44100)
            while (part := fifo.read(1024, partial=True)) is not None:
                for ready in resampler.resample(part):
                    container.mux(track.encode(ready))
            container.mux(track.encode(None))
    return path


def tracks_of(path: Path) -> list[tuple[str, float, float, str]]:
    """Codec, seconds, loudest frequency and language of each sound track."""
    found = []
    with av.open(str(path)) as container:
        count = len(container.streams.audio)
    for number in range(count):
        with av.open(str(path)) as container:
            stream = container.streams.audio[number]
            parts = [frame.to_ndarray().astype(np.float64) for frame in container.decode(stream)]
            wave = np.concatenate([part[0] for part in parts])
            rate = stream.codec_context.sample_rate
            peak = np.abs(np.fft.rfft(wave)).argmax() * rate / len(wave)
            found.append((stream.codec_context.name, len(wave) / rate, peak, stream.language or "und"))
    return found


def copy(source: Path, target: Path, write: WriteOptions) -> None:
    counts = Pipeline(RedDetector(), write=write).run([find_input(str(source))], [target])
    assert (counts.frames, counts.faults) == (25, 0)


def test_what_does_not_fit_is_named_or_encoded_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = clip(tmp_path / "a.wmv", ("wmav2", "libmp3lame"))
    copy(source, tmp_path / "b.mp4", WriteOptions(quiet=True))
    said = capsys.readouterr().err
    assert (
        said
        == f"{source}: its sound track 1 (wmav2) cannot be copied into .mp4; {tmp_path / 'b.mp4'} is written without it\n"
    )
    ((codec, seconds, peak, language),) = tracks_of(tmp_path / "b.mp4")
    assert (codec, language) == ("mp3float", "ita")
    assert seconds == pytest.approx(2.0, abs=0.1) and peak == pytest.approx(880, abs=3)

    copy(source, tmp_path / "c.mp4", WriteOptions(sound_as="aac", quiet=True))
    assert capsys.readouterr().err == ""
    first, second = tracks_of(tmp_path / "c.mp4")
    assert (first[0], first[3], second[0], second[3]) == ("aac", "eng", "mp3float", "ita")
    assert first[1] == pytest.approx(2.0, abs=0.15) and first[2] == pytest.approx(
        440, abs=3
    )  # after the pictures, too
    assert second[2] == pytest.approx(880, abs=3)


def test_without_pyav_the_missing_sound_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = clip(tmp_path / "a.mp4", ("aac",))
    for module in (video_writer, opening):
        monkeypatch.setattr(module, "have_av", lambda: False)
    copy(source, tmp_path / "b.mp4", WriteOptions(quiet=True))
    said = capsys.readouterr().err
    assert said == (
        f"OpenCV reads no sound; PyAV does: {INSTALL_AV}; {tmp_path / 'b.mp4'} is written without sound\n"
    )
    copy(source, tmp_path / "c.mp4", WriteOptions(sound=False, quiet=True))
    assert capsys.readouterr().err == ""
