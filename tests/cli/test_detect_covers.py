"""`detect --blur`: a promise. No output in which a face was left open without a word, whatever happens."""
# ruff: noqa: F811

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_detect import Detect, RedDetector, detect, frames_of, made, red_picture, red_video  # noqa: F401

import blazeface.cli.detect as command
from blazeface.files.pictures import read_picture
from blazeface.privacy.rules import RULES
from blazeface.sources.cv2_reader import silence_opencv

SLOW_CHILD = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import time
import test_detect, blazeface.cli.detect as command, blazeface.pipeline as pipeline
from blazeface.cli.main import run_command
command.FaceDetector = lambda *_, **__: test_detect.RedDetector()
put = pipeline._Sinks.put
def slow(*args):
    put(*args)
    print("frame", flush=True)
    time.sleep(0.02)
pipeline._Sinks.put = slow
sys.exit(run_command("detect", sys.argv[1:], prog="detect.py"))
"""


def reddest(path: Path) -> list[int]:
    """How red each frame of a video is at its reddest place."""
    silence_opencv()
    capture = cv2.VideoCapture(str(path))
    found: list[int] = []
    while True:
        read, image = capture.read()
        if not read:
            return found
        found.append(int((image[:, :, 2].astype(int) - image[:, :, 1]).max()))


class Blinking(RedDetector):
    """Finds nothing in most frames."""

    def __init__(self) -> None:
        super().__init__()
        self.count = -1

    def detect(self, image: np.ndarray) -> object:  # type: ignore[override]
        self.count += 1
        faces = super().detect(image)
        return faces if self.count % 7 in (3, 4) else faces[:0]


def test_what_is_covered_is_looked_for_from_a_lower_score(
    tmp_path: Path,
    detect: Detect,
    made: list[tuple[object, ...]],
) -> None:
    path = red_picture(tmp_path / "a.png")
    detect(path, "--blur", "solid", "--output", tmp_path / "b.png")
    detect(path, "--blur", "solid", "--output", tmp_path / "c.png", "--score-threshold", "0.05")
    detect(path, "--blur", "solid", "--output", tmp_path / "d.png", "--score-threshold", "0.9")
    assert [call[1] for call in made] == [RULES.faint, 0.05, RULES.faint]
    assert {call[4] for call in made} == {"auto"}
    assert [bool(reddest(tmp_path / f"{name}.png")[0] > 40) for name in "bcd"] == [False, False, True]


def test_a_video_is_covered_in_every_frame_though_few_show_the_face_to_the_detector(
    tmp_path: Path,
    detect: Detect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "FaceDetector", lambda *_, **__: Blinking())
    clip = red_video(tmp_path / "a.mp4", 50)
    assert detect("--video", clip, "--blur", "solid", "--output", tmp_path / "b.mp4") == 0
    assert len(reddest(tmp_path / "b.mp4")) == 50
    assert max(reddest(tmp_path / "b.mp4")) < 40


def test_json_is_what_it_is_without_covers_but_for_numbers(tmp_path: Path, detect: Detect) -> None:
    clip = red_video(tmp_path / "a.mp4", 5)
    assert detect("--video", clip, "--json", tmp_path / "a.json", "--track", "--no-window") == 0
    assert (
        detect("--video", clip, "--json", tmp_path / "b.json", "--blur", "solid", "--output", tmp_path / "b.mp4")
        == 0
    )
    assert json.loads((tmp_path / "a.json").read_text()) == json.loads((tmp_path / "b.json").read_text())


def test_the_report_is_written_edited_and_applied(
    tmp_path: Path,
    detect: Detect,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip, report = red_video(tmp_path / "a.mp4", 20), tmp_path / "r.json"
    cover = ["--video", clip, "--blur", "solid", "--no-window", "--quiet"]
    assert detect(*cover, "--output", tmp_path / "b.mp4", "--cover-report", report) == 0
    assert detect(*cover[:-1], "--output", tmp_path / "c.mp4") == 0
    assert "1 person covered, no stretches to look at\n" in capsys.readouterr().err
    assert read_picture(str(tmp_path / "r.png")).shape[0] > 100
    content = json.loads(report.read_text())
    assert [len(source["people"]) for source in content["sources"]] == [1]

    def broken(*_: object, **__: object) -> None:
        raise AssertionError("looked again")

    monkeypatch.setattr(command, "FaceDetector", broken)
    assert detect(*cover, "--output", tmp_path / "again.mp4", "--covers", report) == 0
    assert reddest(tmp_path / "again.mp4") == reddest(tmp_path / "b.mp4")
    content["sources"][0]["people"][0]["covered"] = False
    report.write_text(json.dumps(content))
    assert detect(*cover, "--output", tmp_path / "open.mp4", "--covers", report) == 0
    assert min(reddest(tmp_path / "open.mp4")) > 100


@pytest.mark.parametrize("style", ["solid", "pixelate", "gaussian"])
def test_a_copy_in_which_nothing_is_covered_is_said(
    tmp_path: Path, detect: Detect, capsys: pytest.CaptureFixture[str], style: str
) -> None:
    """Also with --quiet: who sees no cover might take that for safe."""
    cv2.imwrite(str(tmp_path / "empty.png"), np.zeros((60, 80, 3), np.uint8))
    red_picture(tmp_path / "a.png")
    one = tmp_path / "empty.png"
    assert detect(one, "--blur", style, "--output", tmp_path / "copy.png", "--quiet") == 0
    sentence = "nothing is covered, since no face is known there: "
    assert capsys.readouterr().err == f"{sentence}{one}\n"
    both = (one, tmp_path / "a.png", "--blur", style, "--output", tmp_path / "out", "--quiet")
    report = tmp_path / "r.json"
    assert detect(*both, "--cover-report", report) == 0
    of_two = f"nothing is covered in 1 of 2 inputs, since no face is known there: {one}\n"
    assert capsys.readouterr().err == of_two
    assert detect(*both, "--covers", report, "--overwrite") == 0
    assert capsys.readouterr().err == of_two
    assert detect(tmp_path / "a.png", "--blur", style, "--output", tmp_path / "b.png", "--quiet") == 0
    assert capsys.readouterr().err == ""


def test_many_copies_in_which_nothing_is_covered_are_counted(
    tmp_path: Path, detect: Detect, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    for n in range(14):
        cv2.imwrite(str(tmp_path / "in" / f"{n:02d}.png"), np.zeros((20, 20, 3), np.uint8))
    assert detect(tmp_path / "in", "--blur", "solid", "--output", tmp_path / "out", "--quiet") == 0
    said = capsys.readouterr().err
    assert "nothing is covered in 14 of 14 inputs" in said and said.endswith("09.png and 4 more\n")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["a.png", "--blur", "solid"], "nothing would hold the covered faces"),
        (["a.png", "--blur", "solid", "--json", "-"], "nothing would hold the covered faces"),
        (["a.mp4", "--blur", "solid", "--json", "f.json", "--no-window"], "nothing would hold the covered faces"),
        (["a.mp4", "--cover-report", "r.json", "--output", "b.mp4"], "say how faces are covered with --blur"),
        (["a.mp4", "--covers", "r.json", "--output", "b.mp4"], "say how faces are covered with --blur"),
        (["a.mp4", "--delay", "1", "--output", "b.mp4"], "say how faces are covered with --blur"),
        (["a.mp4", "--blur", "solid", "--delay", "11", "--output", "b.mp4"], "from 0 to 10"),
        (["a.mp4", "--blur", "solid", "--output", "b.mp4", "--cover-report", "r.txt"], "name a .json"),
        (["a.mp4", "--blur", "solid", "--output", "b.mp4", "--cover-report", "a.json"], "would overwrite an input"),
        (["a.mp4", "--blur", "solid", "--output", "b.mp4", "--covers", "r.json", "--json", "f.json"], "no faces to write"),
    ],
)  # fmt: skip
def test_wrong_usage_is_refused_and_writes_nothing(
    tmp_path: Path,
    detect: Detect,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    red_picture(tmp_path / "a.png")
    red_video(tmp_path / "a.mp4", 2)
    if "a.json" in flags:
        flags = ["a.png", *flags]  # the sheet would be a.png
        flags[flags.index("b.mp4")] = "out"
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    try:
        status = detect(*flags)
    except SystemExit as end:
        status = end.code  # type: ignore[assignment]
    assert status == 2
    assert message in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "not a report of covers"),
        ('{"blazeface_covers": 1, "sources": []}', "r.json: says nothing of a.mp4"),
    ],
)
def test_covers_that_do_not_fit_are_refused(
    tmp_path: Path,
    detect: Detect,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    red_video(tmp_path / "a.mp4", 2)
    (tmp_path / "r.json").write_text(content)
    assert detect("a.mp4", "--blur", "solid", "--output", "b.mp4", "--covers", "r.json", "--no-window") == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "b.mp4").exists()


def test_a_video_in_a_folder_of_pictures_is_covered_as_well(
    tmp_path: Path,
    detect: Detect,
    capsys: pytest.CaptureFixture[str],
) -> None:
    red_picture(tmp_path / "in" / "a.png")
    red_video(tmp_path / "in" / "b.mp4", 2)
    assert detect(tmp_path / "in", "--blur", "solid", "--output", tmp_path / "out", "--no-window", "--quiet") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.mp4"]
    _, image = cv2.VideoCapture(str(tmp_path / "out" / "b.mp4")).read()
    assert (image[..., 2].astype(int) - image[..., 1]).max() < 40


def test_what_is_neither_picture_nor_video_in_a_folder_is_named(
    tmp_path: Path, detect: Detect, capsys: pytest.CaptureFixture[str]
) -> None:
    """A document may show faces; who gives the folder of copies away should know that it is not in it."""
    folder = tmp_path / "in"
    red_picture(folder / "a.png")
    for name in ("scan.pdf", "more/all.zip", "code.ts", ".hidden"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"text")
    covered = (folder, "--blur", "solid", "--output", folder / "out", "--no-window", "--quiet")
    assert detect(*covered) == 0
    named = ", ".join(str(folder / name) for name in ("more/all.zip", "scan.pdf", "code.ts"))
    sentence = f"not covered and not copied: 3 files that are no picture or video: {named}"
    assert capsys.readouterr().err == f"{sentence}\n"
    for n in range(11):
        (folder / f"{n:02d}.doc").touch()
    assert detect(*covered, "--overwrite") == 0
    assert capsys.readouterr().err.endswith("09.doc and 4 more\n")
    assert detect(folder / "a.png", *covered[1:4], tmp_path / "b.png", *covered[5:]) == 0
    assert capsys.readouterr().err == ""
    assert detect(folder, "--no-window", "--output", tmp_path / "drawn", "--quiet") == 0
    assert capsys.readouterr().err == ""  # nothing was promised


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tiff"])
def test_an_animation_is_refused(
    tmp_path: Path,
    detect: Detect,
    capsys: pytest.CaptureFixture[str],
    suffix: str,
) -> None:
    pictures = [read_picture(str(red_picture(tmp_path / "x.png", left))) for left in (0, 20, 40)]
    path = str(tmp_path / f"a.{suffix}")
    if suffix == "tiff":
        cv2.imwritemulti(path, pictures)
    else:
        animation = cv2.Animation()
        animation.frames, animation.durations = pictures, [100] * 3
        cv2.imwriteanimation(path, animation)
    assert detect(path, "--blur", "solid", "--output", tmp_path / "b.png") == 1
    assert "holds 3 pictures, of which one alone would be covered" in capsys.readouterr().err
    assert not (tmp_path / "b.png").exists()


def test_a_damaged_video_is_covered_as_far_as_it_can_be_read(tmp_path: Path, detect: Detect) -> None:
    clip = red_video(tmp_path / "a.avi", 60)
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) // 2])
    assert detect("--video", clip, "--blur", "solid", "--output", tmp_path / "b.avi", "--no-window") in (0, 1)
    assert max(reddest(tmp_path / "b.avi"), default=0) < 40


def start(tmp_path: Path, count: int = 200) -> subprocess.Popen[str]:
    clip = red_video(tmp_path / "a.avi", count)
    flags = ["--video", clip, "--blur", "solid", "--output", tmp_path / "b.avi", "--no-window", "--quiet"]
    return subprocess.Popen(
        [sys.executable, "-c", SLOW_CHILD, str(Path(__file__).parent), *map(str, flags)],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_ended_while_it_writes_leaves_no_open_face(tmp_path: Path, number: int) -> None:
    """Killed outright there is no output, and what it had begun is covered; asked to stop, it completes the file."""
    process = start(tmp_path)
    assert process.stdout is not None
    for _ in range(30):
        assert process.stdout.readline() == "frame\n"
    process.send_signal(number)
    process.stdout.read()
    assert process.wait(60) != 0
    assert (tmp_path / "b.avi").exists() == (number != signal.SIGKILL)
    written = [path for path in tmp_path.iterdir() if path.name != "a.avi"]
    assert len(written) == 1
    assert max(reddest(written[0]), default=0) < 40
    if number != signal.SIGKILL:
        assert len(reddest(written[0])) >= 30


def test_a_run_that_is_stopped_while_it_looks_writes_nothing(
    tmp_path: Path,
    detect: Detect,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Impatient(RedDetector):
        def detect(self, image: np.ndarray) -> object:  # type: ignore[override]
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            return super().detect(image)

    monkeypatch.setattr(command, "FaceDetector", lambda *_, **__: Impatient())
    clip = red_video(tmp_path / "a.mp4", 20)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        sys.exit(detect("--video", clip, "--blur", "solid", "--output", tmp_path / "b.mp4", "--no-window"))
    assert "stopped before all of it was looked through; nothing of it is written" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_a_file_that_is_exchanged_between_the_two_readings_is_covered_whole(
    tmp_path: Path,
    detect: Detect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = red_video(tmp_path / "a.mp4", 5)

    class Exchanging(RedDetector):
        count = 0

        def detect(self, image: np.ndarray) -> object:  # type: ignore[override]
            self.count += 1
            if self.count == 5:
                clip.unlink()
                red_video(clip, 12)
            return super().detect(image)

    monkeypatch.setattr(command, "FaceDetector", lambda *_, **__: Exchanging())
    assert detect("--video", clip, "--blur", "solid", "--output", tmp_path / "b.mp4", "--no-window") == 0
    assert frames_of(tmp_path / "b.mp4") == 12
    assert max(reddest(tmp_path / "b.mp4")) < 40
