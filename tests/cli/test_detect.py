"""The command line of `detect`, with a detector that takes what is red for a face."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

import blazeface.cli.detect as command
from blazeface.cli.main import run_command
from blazeface.detections import Detections
from blazeface.files.pictures import read_picture, write_picture
from blazeface.geometry import Image
from blazeface.pipeline import RunCounts
from blazeface.sinks.video_writer import open_video_writer
from blazeface.sources.cv2_reader import silence_opencv
from blazeface.spec import FRONT_128

STAND_IN = """
import sys, time
sys.path.insert(0, sys.argv.pop(1))
import test_detect, blazeface.cli.detect as command
from blazeface.cli.main import run_command
command.FaceDetector = lambda *_, **__: test_detect.RedDetector(pause=0.01)
sys.exit(run_command("detect", sys.argv[1:], prog="detect.py"))
"""
"""The command in a process of its own, for what only a process can show."""


class RedDetector:
    spec = FRONT_128

    def __init__(self, pause: float = 0.0):
        self.pause = pause

    def detect(self, image: Image) -> Detections:
        time.sleep(self.pause)
        red = (image[:, :, 2] > 170) & (image[:, :, 1] < 90)
        if not red.any():
            return Detections.empty()
        ys, xs = np.nonzero(red)
        box = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32)
        return Detections(box, np.array([0.75], np.float32), np.zeros((1, 6, 2), np.float32))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Puts the stand-in in place of FaceDetector; lists the arguments that it was made with."""
    calls: list[tuple[object, ...]] = []

    def make(*args: object, **others: object) -> RedDetector:
        calls.append((*args, *others.values()))
        return RedDetector()

    monkeypatch.setattr(command, "FaceDetector", make)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return calls


Detect = Callable[..., int]


@pytest.fixture
def detect(made: list[tuple[object, ...]]) -> Detect:
    return lambda *args: run_command("detect", [str(arg) for arg in args], prog="detect.py")


def red_picture(path: Path, left: int = 20) -> Path:
    image = np.full((60, 80, 3), 90, np.uint8)
    image[20:40, left : left + 20] = (0, 0, 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, image)
    return path


def red_video(path: Path, count: int = 10) -> Path:
    with open_video_writer(path, 80, 60, Fraction(25), Fraction(1, 25)) as writer:
        for n in range(count):
            image = np.full((60, 80, 3), 90, np.uint8)
            image[20:40, n % 60 : n % 60 + 20] = (0, 0, 255)
            writer.write(image, Fraction(n, 25))
    return path


def frames_of(path: Path) -> int:
    silence_opencv()  # FFmpeg settles how much it prints when a process opens its first video
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.read()[0]:
        count += 1
    return count


def test_a_picture_is_printed_as_json(tmp_path: Path, detect: Detect, capsys: pytest.CaptureFixture[str]) -> None:
    path = red_picture(tmp_path / "a.png")
    assert detect(path) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "source": str(path),
        "index": 0,
        "time": 0.0,
        "width": 80,
        "height": 60,
        "faces": [{"box": [20.0, 20.0, 40.0, 40.0], "score": 0.75, "keypoints": [[0.0, 0.0]] * 6}],
    }
    assert err.startswith("1 picture, 1 with a face, in ")


def test_quiet_is_quiet(tmp_path: Path, detect: Detect, capsys: pytest.CaptureFixture[str]) -> None:
    path = red_picture(tmp_path / "a.png")
    assert detect(path, "--quiet", "--json", tmp_path / "f.json") == 0
    assert capsys.readouterr() == ("", "")


def test_a_copy_and_the_printed_json_together(
    tmp_path: Path, detect: Detect, capsys: pytest.CaptureFixture[str]
) -> None:
    path = red_picture(tmp_path / "a.png")
    assert detect(path, "--output", tmp_path / "b.jpg", "--json", "-") == 0
    assert len(json.loads(capsys.readouterr().out)["faces"]) == 1
    assert read_picture(str(tmp_path / "b.jpg")).shape == (60, 80, 3)


def test_a_folder_in_order_with_a_broken_picture_in_it(
    tmp_path: Path, detect: Detect, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("in/b.png", "in/a/c.jpg", "in/z.webp"):
        red_picture(tmp_path / name)
    (tmp_path / "in/m.jpg").write_bytes(b"no picture")
    status = detect(tmp_path / "in", "--json", tmp_path / "f.json", "--output", tmp_path / "out")
    assert status == 1
    records = json.loads((tmp_path / "f.json").read_text())
    assert [record["source"] for record in records] == [
        str(tmp_path / "in" / n) for n in ("a/c.jpg", "b.png", "z.webp")
    ]
    assert sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*")) == [
        "a/c.jpg",
        "b.png",
        "z.webp",
    ]
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == f"{tmp_path / 'in/m.jpg'}: not a picture, or a damaged one"
    assert "3 pictures, 3 with a face" in err
    assert err.endswith("; 1 fault\n")


def test_several_inputs_of_several_kinds(tmp_path: Path, detect: Detect) -> None:
    inputs = [red_picture(tmp_path / "a.png"), red_video(tmp_path / "c.mp4"), tmp_path / "missing.jpg"]
    status = detect(*inputs, "--json", tmp_path / "f.jsonl", "--output", tmp_path / "out", "--no-window")
    assert status == 1
    lines = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text().splitlines()]
    assert [(Path(line["source"]).name, line["index"]) for line in lines] == [
        ("a.png", 0),
        *(("c.mp4", n) for n in range(10)),
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.mp4"]
    assert frames_of(tmp_path / "out" / "c.mp4") == 10


def test_without_a_display_it_says_so_once_and_goes_on(
    tmp_path: Path, detect: Detect, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = red_video(tmp_path / "c.mp4")
    assert detect("--video", clip) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 10  # there is nowhere else to put the faces
    assert err.splitlines()[0].startswith("no window: there is no display")
    assert detect("--video", clip, "--output", tmp_path / "o.mp4", "--no-window") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "window" not in err
    assert frames_of(tmp_path / "o.mp4") == 10


@pytest.mark.skipif(os.path.exists("/dev/video0"), reason="there is a camera")
@pytest.mark.skipif(sys.platform != "linux", reason="cameras are asked for by name on Linux alone")
@pytest.mark.parametrize("name", ["cam0", "0", "/dev/video0"])
def test_no_camera_is_one_clear_sentence(
    tmp_path: Path, detect: Detect, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    assert detect("--video", name, "--output", tmp_path / "o.mp4") == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("cam0: no such camera: /dev/video0 does not exist")
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_flags_reach_the_detector(tmp_path: Path, detect: Detect, made: list[tuple[object, ...]]) -> None:
    path = red_picture(tmp_path / "a.png")
    detect(path)
    detect(path, "--model", "m.onnx", "--score-threshold", "0.25", "--backend", "torch", "--threads", "0")
    assert [call[:4] for call in made] == [("front-128", None, None, 1), ("m.onnx", 0.25, "torch", 0)]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "no input"),
        (["a.png", "--score-threshold", "1.5"], "must lie between 0 and 1"),
        (["a.png", "--score-threshold", "nan"], "must lie between 0 and 1"),
        (["a.png", "--score-threshold", "high"], "must be a number"),
        (["a.png", "--threads", "-1"], "must be a whole number"),
        (["a.png", "--timeout", "0"], "must be a number of seconds above 0"),
        (["a.png", "--backend", "abacus"], "invalid choice"),
        (["a.png", "--json", "f.txt"], "name a .json"),
        (["a.png", "--json", "no/f.json"], "does not exist"),
        (["a.png", "--output", "a.png"], "would overwrite an input"),
        (["a.png", "--output", "b.mp4"], "cannot be written as .mp4"),
        (["a.png", "b.png", "--output", "c.png"], "a folder is needed"),
        (["a.png", "--output", "no/b.png"], "does not exist"),
        ([".", "--output", "."], "would overwrite an input"),
        (["a.png", "--jobs", "2"], "name the file for the faces with --json FILE or --jsonl"),
        (["a.png", "--jobs", "0", "--jsonl", "f.jsonl"], "must be 1 or more"),
        (["a.png", "--jobs", "2", "--jsonl", "f.jsonl", "--output", "o"], "does not go with --jobs"),
        (["a.png", "--jobs", "2", "--jsonl", "f.json"], "name a .jsonl"),
        (["a.png", "--resume"], "works with --jobs"),
        (["a.png", "--json", "f.json", "--jsonl", "f.jsonl"], "name one of them"),
        (["a.png", "--blur", "solid", "--crop", "c"], "would save the faces that --blur covers"),
        (["a.png", "--csv", "f.txt"], "name a .csv"),
        (["a.png", "--json", "f.json", "--coco", "f.json"], "is the same file as another"),
        (["a.png", "--yolo", "b.png"], "is a file, but a folder is needed"),
        (["a.png", "--reconnect", "-1"], "must be a number of seconds"),
        (["a.png", "--output", "b.png"], "--output b.png: exists already (--overwrite replaces it)"),
        (["a.png", "--output", "-"], "copies are not printed"),
        (["a.png", "--crop", "-"], "is not printed"),
        (["a.png", "--jsonl", "/dev/null"], "name a .jsonl"),
        (["a.png", "--output", "a.png", "--overwrite"], "would overwrite an input"),
    ],
)
def test_wrong_usage_is_status_2_and_writes_nothing(
    tmp_path: Path,
    detect: Detect,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    red_picture(tmp_path / "a.png")
    red_picture(tmp_path / "b.png")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    try:
        status: object = detect(*flags)
    except SystemExit as end:  # how argparse refuses
        status = end.code
    assert status == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_model_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = red_picture(tmp_path / "a.png")
    assert run_command("detect", [str(path), "--model", str(tmp_path / "no.onnx")], prog="detect.py") == 1
    assert capsys.readouterr().err == f"detect.py: {tmp_path / 'no.onnx'}: no such model file\n"


def test_a_missing_model_leaves_nothing_behind_a_run_over_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = red_picture(tmp_path / "a.png")
    flags = [str(path), "--model", str(tmp_path / "no.onnx"), "--jobs", "2", "--jsonl", str(tmp_path / "f.jsonl")]
    assert run_command("detect", flags, prog="detect.py") == 1
    assert capsys.readouterr().err == f"detect.py: {tmp_path / 'no.onnx'}: no such model file\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_second_run_over_the_same_folder_does_not_read_its_own_copies(tmp_path: Path, detect: Detect) -> None:
    red_picture(tmp_path / "a.png")
    for _ in range(2):
        flags = ("--output", tmp_path / "found", "--json", tmp_path / "f.json", "--overwrite")
        assert detect(tmp_path, *flags) == 0
        assert len(json.loads((tmp_path / "f.json").read_text())) == 1


class MotionJpeg(BaseHTTPRequestHandler):
    """A camera that sends twenty pictures and then keeps silent, the connection open."""

    silent = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        image = np.full((60, 80, 3), 90, np.uint8)
        image[20:40, 20:40] = (0, 0, 255)
        data = cv2.imencode(".jpg", image)[1].tobytes()
        for _ in range(20):
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data + b"\r\n")
            self.wfile.flush()
            time.sleep(0.02)
        self.silent.wait(30)

    def log_message(self, *_: object) -> None:
        pass


def test_a_stream_that_falls_silent_ends_in_time_with_all_files_whole(
    tmp_path: Path, detect: Detect, capfd: pytest.CaptureFixture[str]
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), MotionJpeg)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://admin:secret@127.0.0.1:{server.server_port}/live?key=secret"
    start = time.monotonic()
    status = detect(
        "--video",
        address,
        "--output",
        tmp_path / "o.mp4",
        "--json",
        tmp_path / "f.jsonl",
        "--timeout",
        "1",
        "--reconnect",
        "0",
    )
    seconds = time.monotonic() - start
    MotionJpeg.silent.set()
    server.shutdown()
    server.server_close()
    assert status == 1
    assert seconds < 10
    text = (tmp_path / "f.jsonl").read_text()
    err = capfd.readouterr().err
    assert len(text.splitlines()) == frames_of(tmp_path / "o.mp4") >= 5
    assert f"http://***@127.0.0.1:{server.server_port}/live?***: gave no picture for 1 seconds" in err
    assert "secret" not in text + err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_whole_files(tmp_path: Path, number: int) -> None:
    clip = red_video(tmp_path / "c.mp4", count=3000)
    out, lines = tmp_path / "out.mp4", tmp_path / "f.jsonl"
    program = subprocess.Popen(
        [
            *(sys.executable, "-c", STAND_IN, str(Path(__file__).parent)),
            *("--video", clip, "--output", out, "--json", lines, "--no-window"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while (
        not any(part.stat().st_size for part in tmp_path.glob(".f-*.part.jsonl")) and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    program.send_signal(number)
    _, err = program.communicate(timeout=30)
    assert program.returncode == 130
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "detect.py: interrupted"
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [record["index"] for record in records] == list(range(len(records)))
    assert 1 <= len(records) < 3000
    assert frames_of(out) == len(records)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.mp4", "f.jsonl", "out.mp4"]


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    clip = red_video(tmp_path / "c.mp4", count=200)
    program = subprocess.Popen(
        [sys.executable, "-c", STAND_IN, str(Path(__file__).parent), str(clip), "--no-window"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stdout is not None and program.stderr is not None
    assert json.loads(program.stdout.readline())["index"] == 0
    program.stdout.close()
    err = program.stderr.read().decode()
    assert program.wait(30) == 1
    assert "Traceback" not in err
    assert "Exception ignored" not in err


def test_everything_that_can_be_written_at_once(tmp_path: Path, detect: Detect) -> None:
    clip = red_video(tmp_path / "c.mp4")
    flags = ["--csv", "f.csv", "--coco", "f.json", "--yolo", "y", "--crop", "crops", "--jsonl", "f.jsonl"]
    named = [flag if flag.startswith("--") else tmp_path / flag for flag in flags]
    assert detect(clip, *named, "--track", "--no-window", "--quiet") == 0
    lines = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text().splitlines()]
    assert [face["track_id"] for line in lines for face in line["faces"]] == [1] * 10
    assert len((tmp_path / "f.csv").read_text().splitlines()) == 11
    assert len(json.loads((tmp_path / "f.json").read_text())["annotations"]) == 10
    assert sorted(path.name for path in (tmp_path / "y").iterdir()) == [f"c-{n:06d}.txt" for n in range(10)]
    assert sorted(path.name for path in (tmp_path / "crops").iterdir()) == [f"c-{n:06d}-1.jpg" for n in range(10)]


def test_labels_of_two_pictures_never_share_a_file(
    tmp_path: Path, detect: Detect, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = [red_picture(tmp_path / "a.png"), red_picture(tmp_path / "a.jpg")]
    assert detect(*pictures, "--yolo", tmp_path / "y") == 2
    assert "a.png and" in (err := capsys.readouterr().err)
    assert "a.jpg would share one a.txt" in err
    assert not (tmp_path / "y").exists()


def test_smoothing_is_for_live_video_unless_asked_for(tmp_path: Path, detect: Detect) -> None:
    def numbered(*flags: str) -> bool:
        given = ("--jsonl", tmp_path / "f.jsonl", "--overwrite", "--no-window", "--quiet", *flags)
        assert detect(clip, *given) == 0
        line = json.loads((tmp_path / "f.jsonl").read_text().splitlines()[0])
        return "track_id" in line["faces"][0]

    clip = red_video(tmp_path / "c.mp4")
    assert [numbered(), numbered("--smooth"), numbered("--no-smooth"), numbered("--track")] == [
        False,
        True,
        False,
        True,
    ]


def test_a_blurred_copy_shows_no_face_and_nothing_drawn(tmp_path: Path, detect: Detect) -> None:
    assert detect(red_picture(tmp_path / "a.png"), "--output", tmp_path / "b.png", "--blur", "solid") == 0
    image = read_picture(str(tmp_path / "b.png"))
    assert not image[
        16:44, 18:42
    ].any()  # the face from 20 to 40, a fifth of it above and below, a tenth at the sides
    assert (image[:15] == 90).all() and (image[:, 43:] == 90).all()


def test_numbered_pictures_are_one_video(tmp_path: Path, detect: Detect) -> None:
    for n in range(5):
        red_picture(tmp_path / f"img_{n:04d}.png", left=10 + n)
    pattern = tmp_path / "img_%04d.png"
    assert detect(pattern, "--output", tmp_path / "out", "--jsonl", tmp_path / "f.jsonl", "--no-window") == 0
    lines = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text().splitlines()]
    assert [(line["source"], line["index"], line["time"]) for line in lines] == [
        (str(pattern), n, n / 25) for n in range(5)
    ]
    assert frames_of(tmp_path / "out" / "img.mp4") == 5


def test_a_disk_that_fills_while_a_video_is_written(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the kernel refuses the write in the same way."""
    clip = red_video(tmp_path / "c.mp4", count=300)
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
    run = subprocess.run(
        [
            *(sys.executable, "-c", limit + STAND_IN, str(Path(__file__).parent)),
            *("--video", clip, "--output", tmp_path / "o.mp4", "--no-window"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 1
    assert f"{tmp_path / 'o.mp4'}: cannot be written: File too large" in run.stderr
    assert "Traceback" not in run.stderr
    assert os.listdir(tmp_path) == ["c.mp4"]


def test_summaries() -> None:
    assert (
        command.summary(RunCounts(pictures=1, with_face=1), 0.5)
        == "1 picture, 1 with a face, in 0.5 s (2.0 per second)"
    )
    assert command.summary(RunCounts(frames=25, with_face=24, faults=1), 0.5) == (
        "25 frames, 24 with a face, in 0.5 s (50.0 per second); 1 fault"
    )
    assert command.summary(RunCounts(pictures=2, frames=3), 0.0).startswith(
        "2 pictures and 3 frames, 0 with a face"
    )
