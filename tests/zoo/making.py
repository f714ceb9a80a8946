"""One file of a kind, made by ffmpeg, and what ffprobe says of files."""

from __future__ import annotations

import json
import shlex
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kinds import GREY, RED, Kind

MATRICES = {
    2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1), 5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0),
}  # fmt: skip
"""a, b, c, d of a track's matrix (ISO/IEC 14496-12, 8.3.2) for each of EXIF's orientations."""


def have_ffmpeg() -> bool:
    return shutil.which("ffmpeg") is not None and shutil.which("ffprobe") is not None


def make(kind: Kind, folder: Path) -> Path:
    """The file. Raises CalledProcessError where this ffmpeg lacks an encoder."""
    path = folder / kind.file
    width, height = kind.size
    frames = 10
    grey, red = ("0x" + bytes(color).hex() for color in (GREY, RED))
    source = (
        f"color=c={grey}:s={width}x{height}:r={kind.rate},format=gbrp,"
        f"drawbox=0:0:{width // 3}:{height * 3 // 8}:{red}:fill,trim=end_frame={frames}"
    )
    graph = ",".join(part for part in (source, kind.graph, f"format={kind.pixels}") if part)
    seconds = 1.5 if kind.made == "long sound" else 0.4
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", graph]
    for n in range(len(kind.sound)):
        command += ["-f", "lavfi", "-i", f"sine=f={440 * (n + 1)}:r=48000:d={seconds}"]
    command += ["-map", "0:v", *(word for n in range(len(kind.sound)) for word in ("-map", f"{n + 1}:a"))]
    command += shlex.split(kind.video)
    for n, sound in enumerate(kind.sound):
        command += [
            {"-c:a": f"-c:a:{n}", "-ar": f"-ar:a:{n}", "-ac": f"-ac:a:{n}"}.get(word, word)
            for word in shlex.split(sound)
        ]
    command += [*shlex.split(kind.more), str(path)]
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        timeout=120,
    )
    _finish(kind, path)
    return path


def _finish(kind: Kind, path: Path) -> None:
    if kind.made.startswith("matrix "):
        _set_matrix(path, MATRICES[int(kind.made.split()[1])])
    elif kind.made == "twice":
        path.write_bytes(path.read_bytes() * 2)
    elif kind.made.startswith("roll "):
        _set_roll(path, float(kind.made.split()[1]))
    elif kind.made == "edit list":
        _remux(path, "-ss 0.2", "-c copy")
    elif kind.made == "titles":
        for name, text in TITLES.items():
            path.with_name(name).write_text(text)
        inputs = f"-i {path.with_name('titles.srt')} -i {path.with_name('chapters.txt')}"
        kept = "mov_text" if path.suffix == ".mp4" else "srt"
        font = (
            f"-attach {path.with_name('titles.srt')} -metadata:s:t mimetype=font/ttf"
            if path.suffix == ".mkv"
            else ""
        )
        _remux(path, "", f"-map 0 -map 1 -map_metadata 2 -c copy -c:s {kept} {font}", inputs)
    elif kind.made == "cover":
        picture = "-f lavfi -i color=blue:s=32x32,trim=end_frame=1"
        _remux(path, "", "-map 1 -map 0 -c copy -c:v:0 mjpeg -disposition:v:0 attached_pic", picture)
    elif kind.made == "second":
        other = "-f lavfi -i color=blue:s=32x32:d=0.4"
        _remux(path, "", "-map 0 -map 1 -c copy -c:v:1 libx264", other)


TITLES = {
    "titles.srt": "1\n00:00:00,000 --> 00:00:00,300\nhello\n",
    "chapters.txt": ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=200\ntitle=one\n",
}


def _remux(path: Path, before: str, flags: str, more_inputs: str = "") -> None:
    """The file once more, with flags before and after itself and other inputs."""
    whole = path.rename(path.with_name(f"whole{path.suffix}"))
    command = f"ffmpeg -v error -y {before} -i {whole} {more_inputs} {flags} {path}"
    subprocess.run(shlex.split(command), check=True, capture_output=True, timeout=60)


def _set_roll(path: Path, degrees: float) -> None:
    """Write a roll (RFC 9559, 5.1.4.1.28.47) over the colours that the first track of a Matroska file names."""
    data = bytearray(path.read_bytes())
    place = data.find(b"\x55\xb0")
    length = 3 + (data[place + 2] & 0x7F) if data[place + 2] & 0x80 else 10 + data[place + 9]
    roll = b"\x76\x70\x87\x76\x75\x84" + struct.pack(">f", degrees)
    gap = length - len(roll) - 2
    data[place : place + length] = roll + b"\xec" + bytes([0x80 | gap]) + bytes(gap)
    path.write_bytes(data)


def _set_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Into the header of the first track (version 0)."""
    data = bytearray(path.read_bytes())
    a, b, c, d = (value * 65536 for value in matrix)
    place = data.find(b"tkhd") + 4 + 40
    struct.pack_into(">9i", data, place, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@dataclass(frozen=True)
class Facts:
    """What ffprobe says of a file. times: seconds of each frame from the first, by its decoders. start: of the first.

    sounds: for each sound track where it begins and ends, in seconds, its language and its default mark.
    """

    width: int
    height: int
    aspect: str
    start: float
    times: list[float]
    sounds: list[tuple[float, float, str, int]]


def probe(path: Path) -> Facts:
    """Everything in one call: starting a process is what takes the time."""
    entries = (
        "frame=stream_index,best_effort_timestamp_time:packet=stream_index,pts_time,duration_time:stream=index,codec_type,"
        "width,height,sample_aspect_ratio:stream_tags=language:stream_disposition=default,attached_pic"
    )
    command = [
        "ffprobe",
        "-v",
        "error",
        "-show_frames",
        "-show_packets",
        "-show_entries",
        entries,
        "-of",
        "json",
        str(path),
    ]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=120).stdout)
    streams = {stream["index"]: stream for stream in answer["streams"]}
    video = next(stream for stream in streams.values() if stream["codec_type"] == "video")
    times: list[float] = []
    sounds = {number: [1e9, -1e9] for number, stream in streams.items() if stream["codec_type"] == "audio"}
    for part in answer["packets_and_frames"]:
        if part["type"] == "frame" and part.get("stream_index", video["index"]) == video["index"]:
            # The last frame out of a decoder that reorders has none in some containers: one step on.
            step = 2 * times[-1] - times[-2] if len(times) > 1 else 0.0
            times.append(float(part.get("best_effort_timestamp_time", step)))
        elif part["type"] == "packet" and part["stream_index"] in sounds:
            begin = float(part.get("pts_time", 0))
            track = sounds[part["stream_index"]]
            track[:] = [min(track[0], begin), max(track[1], begin + float(part.get("duration_time", 0)))]
    return Facts(
        video["width"],
        video["height"],
        video.get("sample_aspect_ratio", "1:1").replace("N/A", "1:1").replace("0:1", "1:1"),
        times[0],
        [time - times[0] for time in times],
        [
            (*track, streams[n].get("tags", {}).get("language", "und"), streams[n]["disposition"]["default"])
            for n, track in sounds.items()
        ],
    )
