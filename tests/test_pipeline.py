"""Sources through the detector to sinks, with a detector that looks for red."""

import json
import os
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np
import pytest
from video_material import RedDetector, VideoMaker, walking_square

from blazeface.detections import Detections
from blazeface.detections.draw import BOX
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture, write_picture
from blazeface.pipeline import Pipeline
from blazeface.privacy.coverer import Covering
from blazeface.sinks import video_writer
from blazeface.sinks.labels import csv_file
from blazeface.sinks.records import json_file
from blazeface.sinks.viewer import Viewer
from blazeface.sources import opening as clips
from blazeface.sources.cv2_reader import silence_opencv
from blazeface.sources.frames import Frame
from blazeface.sources.inputs import Input, find_input
from blazeface.tracking.tracker import Tracker


class FakeWindow:
    """Notes what it is shown; `last` pictures on, the user presses q."""

    def __init__(self, last: int = 10**9):
        self.last = last
        self.shown: list[tuple[Any, float]] = []
        self.waited = 0

    def show(self, image: np.ndarray, seconds: float = 0.0) -> str:
        self.shown.append((image.copy(), seconds))
        return "" if len(self.shown) < self.last else "quit"

    def wait(self, stop: object) -> str:
        self.waited += 1
        return "other"


class Notes:
    def __init__(self) -> None:
        self.seen: list[tuple[Frame, Detections]] = []

    def __call__(self, frame: Frame, faces: Detections) -> None:
        self.seen.append((frame, faces))


def picture(path: Path, index: int = 0) -> Input:
    write_picture(path, walking_square(index, 200, 150))
    return find_input(str(path))


def frames_of(path: Path) -> int:
    silence_opencv()  # FFmpeg settles how much it prints when a process opens its first video
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.read()[0]:
        count += 1
    return count


def test_pictures_are_found_in_recorded_and_annotated(tmp_path: Path, red_detector: RedDetector) -> None:
    items = [picture(tmp_path / f"{n}.png", n) for n in range(3)]
    notes = Notes()
    targets = [tmp_path / "out" / "deep" / item.relative for item in items]
    counts = Pipeline(red_detector, record=notes).run(items, targets)
    assert (counts.pictures, counts.frames, counts.with_face, counts.faults) == (3, 0, 3, 0)
    for n, (frame, faces) in enumerate(notes.seen):
        assert (frame.source, frame.index, frame.time) == (str(tmp_path / f"{n}.png"), 0, Fraction(0))
        assert faces.boxes.tolist() == [[4 + 2 * n, 4, 12 + 2 * n, 12]]
        drawn = read_picture(str(targets[n]))
        assert drawn.shape == frame.image.shape
        assert (drawn == BOX).all(axis=2).any()
        assert (drawn[100:] == frame.image[100:]).all()


@pytest.mark.parametrize("with_av", [True, False])
def test_a_clip_gives_one_record_per_frame_and_a_clip_of_the_same_length(
    make_video: VideoMaker,
    tmp_path: Path,
    red_detector: RedDetector,
    monkeypatch: pytest.MonkeyPatch,
    with_av: bool,
) -> None:
    monkeypatch.setattr(video_writer, "have_av", lambda: with_av)
    monkeypatch.setattr(clips, "have_av", lambda: with_av)
    item = find_input(str(make_video(tmp_path / "a.mp4", count=12)))
    with json_file(tmp_path / "f.jsonl") as record:
        counts = Pipeline(red_detector, record=record).run([item], [tmp_path / "b.mp4"])
    assert (counts.pictures, counts.frames, counts.with_face, counts.faults) == (0, 12, 12, 0)
    records = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text().splitlines()]
    assert [record["index"] for record in records] == list(range(12))
    assert [record["time"] for record in records] == [
        pytest.approx(n * 1001 / 30000, abs=1e-6 if with_av else 1e-3) for n in range(12)
    ]
    for n, found in enumerate(records):
        assert (found["source"], found["width"], found["height"]) == (item.name, 64, 48)
        np.testing.assert_allclose(found["faces"][0]["box"], [4 + 2 * n, 4, 12 + 2 * n, 12], atol=1)
    assert frames_of(tmp_path / "b.mp4") == 12


def test_what_cannot_be_read_is_said_and_the_rest_is_done(
    make_video: VideoMaker, tmp_path: Path, red_detector: RedDetector, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no")
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(b"no")
    items = [
        Input("picture", str(broken), str(broken), PurePath("broken.png")),
        Input("video", str(torn), str(torn), PurePath("torn.mp4")),
        picture(tmp_path / "a.png"),
        find_input(str(make_video(tmp_path / "a.mp4"))),
    ]
    targets = [tmp_path / "out" / f"{n}{item.relative.suffix}" for n, item in enumerate(items)]
    counts = Pipeline(red_detector).run(items, targets)
    assert (counts.pictures, counts.frames, counts.faults) == (1, 12, 2)
    assert capsys.readouterr().err.splitlines() == [
        f"{broken}: not a picture, or a damaged one",
        f"{torn}: not a video, or a damaged one",
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["2.png", "3.mp4"]


def test_the_readable_part_of_a_damaged_video_is_kept(
    make_video: VideoMaker, tmp_path: Path, red_detector: RedDetector, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_video(tmp_path / "a.mkv", count=60, rate=Fraction(30))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    counts = Pipeline(red_detector).run([find_input(str(path))], [tmp_path / "b.mp4"])
    assert 10 < counts.frames < 50
    assert counts.faults == 1
    assert frames_of(tmp_path / "b.mp4") == counts.frames
    assert "a.mkv: damaged: it ends after" in capsys.readouterr().err


def test_stopping_completes_the_files(make_video: VideoMaker, tmp_path: Path, red_detector: RedDetector) -> None:
    notes = Notes()
    items = [find_input(str(make_video(tmp_path / "a.mp4"))), picture(tmp_path / "late.png")]
    targets = [tmp_path / "b.mp4", tmp_path / "c.png"]
    counts = Pipeline(red_detector, record=notes, stop=lambda: len(notes.seen) >= 5).run(items, targets)
    assert (counts.frames, counts.pictures) == (5, 0)
    assert frames_of(tmp_path / "b.mp4") == 5
    assert not targets[1].exists()


def test_what_cannot_be_written_is_said_and_the_rest_is_done(
    make_video: VideoMaker, tmp_path: Path, red_detector: RedDetector, capsys: pytest.CaptureFixture[str]
) -> None:
    item = find_input(str(make_video(tmp_path / "a.mp4")))
    (tmp_path / "file").touch()
    targets = [tmp_path / "file" / "b.mp4", tmp_path / "c.mp4"]
    counts = Pipeline(red_detector).run([item, item], targets)
    assert (counts.frames, counts.faults) == (12, 1)
    assert frames_of(targets[1]) == 12
    assert capsys.readouterr().err.startswith(f"{tmp_path / 'file'}: cannot be written: ")


def test_the_window_shows_clips_with_their_rate_until_q(
    make_video: VideoMaker, tmp_path: Path, red_detector: RedDetector
) -> None:
    window = FakeWindow(last=4)
    item = find_input(str(make_video(tmp_path / "a.mp4", width=200, height=150, rate=Fraction(1))))
    pipeline = Pipeline(red_detector, viewer=Viewer(window, pace=True))  # type: ignore[arg-type]
    counts = pipeline.run([item, item], [tmp_path / "b.mp4", None])
    assert counts.frames == 4
    assert window.waited == 0
    assert all((image[:12, :40] == 25).any() for image, _ in window.shown)  # the field behind the rate
    assert window.shown[3][1] > 0.02  # three frames of a second in less than that: it is early
    drawn = cv2.VideoCapture(str(tmp_path / "b.mp4")).read()[1]
    assert drawn[:12, 150:].min() > 60  # no rate in the file


def test_pictures_are_held_only_when_asked(tmp_path: Path, red_detector: RedDetector) -> None:
    item = picture(tmp_path / "a.png")
    for hold, count in ((True, 1), (False, 0)):
        window = FakeWindow()
        Pipeline(red_detector, viewer=Viewer(window), hold_pictures=hold).run([item], [None])  # type: ignore[arg-type]
        assert (len(window.shown), window.waited) == (count, count)


def test_the_notice_comes_with_the_first_frame_and_once(
    make_video: VideoMaker, tmp_path: Path, red_detector: RedDetector, capsys: pytest.CaptureFixture[str]
) -> None:
    item = find_input(str(make_video(tmp_path / "a.mp4")))
    missing = Input("video", "gone.mp4", str(tmp_path / "gone.mp4"), PurePath("gone.mp4"))
    Pipeline(red_detector, notice="no window").run([missing], [None])
    assert "no window" not in capsys.readouterr().err
    Pipeline(red_detector, notice="no window").run([item, item], [None, None])
    assert capsys.readouterr().err == "no window\n"


class Failing(RedDetector):
    """Fails for the frames named, and finds nothing in others."""

    def __init__(self, fails: tuple[int, ...] = (), blind: tuple[int, ...] = ()):
        self.fails, self.blind, self.count = fails, blind, -1

    def detect(self, image: np.ndarray) -> Detections:
        self.count += 1
        if self.count in self.fails:
            raise RuntimeError("out of memory\nin line 7")
        return Detections.empty() if self.count in self.blind else super().detect(image)


def read_all(path: Path) -> list[np.ndarray]:
    silence_opencv()
    capture = cv2.VideoCapture(str(path))
    pictures: list[np.ndarray] = []
    while True:
        read, image = capture.read()
        if not read:
            return pictures
        pictures.append(image)


def reddest(image: np.ndarray) -> int:
    return int((image[:, :, 2].astype(int) - image[:, :, 1]).max())


def test_a_frame_that_cannot_be_looked_at_is_never_written_with_its_faces(
    make_video: VideoMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    item = find_input(str(make_video(tmp_path / "a.mp4", count=10, width=200, height=150)))
    notes = Notes()
    pipeline = Pipeline(Failing(fails=(3, 4)), record=notes, cover=Covering("solid"))
    counts = pipeline.run([item], [tmp_path / "b.mp4"])
    pictures = read_all(tmp_path / "b.mp4")
    assert len(pictures) == 10
    assert all(reddest(image) < 40 for image in pictures)
    assert [bool(image.mean() < 5) for image in pictures] == [n in (3, 4) for n in range(10)]
    assert [frame.index for frame, _ in notes.seen] == [0, 1, 2, 5, 6, 7, 8, 9]
    assert (counts.frames, counts.faults) == (10, 2)
    assert capsys.readouterr().err == f"{item.name}, frame 3: faces could not be looked for: out of memory\n"


def test_a_face_stays_covered_in_the_gaps_of_its_track(make_video: VideoMaker, tmp_path: Path) -> None:
    item = find_input(str(make_video(tmp_path / "a.mp4", count=24, width=200, height=150, rate=Fraction(25))))
    Pipeline(Failing(blind=(0, 1, 6, 7, 8, 9, 10, 15, 23)), cover=Covering("solid")).run(
        [item], [tmp_path / "b.mp4"]
    )
    assert [n for n, image in enumerate(read_all(tmp_path / "b.mp4")) if reddest(image) > 40] == []


def test_without_hiding_a_frame_that_fails_is_written_as_it_is(make_video: VideoMaker, tmp_path: Path) -> None:
    item = find_input(str(make_video(tmp_path / "a.mp4", count=5, width=200, height=150)))
    counts = Pipeline(Failing(fails=(2,))).run([item], [tmp_path / "b.mp4"])
    assert (counts.faults, len(read_all(tmp_path / "b.mp4"))) == (1, 5)


def test_a_covered_picture_has_no_metadata_and_nothing_drawn(tmp_path: Path, red_detector: RedDetector) -> None:
    image = walking_square(20, 200, 150)
    data = cv2.imencode(".jpg", image)[1].tobytes()
    comment = b"GPS 48.1 N 11.6 E"
    data = data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]
    (tmp_path / "a.jpg").write_bytes(data)
    item = find_input(str(tmp_path / "a.jpg"))
    Pipeline(red_detector, cover=Covering("pixelate")).run([item, item], [tmp_path / "b.jpg", tmp_path / "b.png"])
    Pipeline(red_detector).run([item], [tmp_path / "open.png"])
    assert b"GPS" not in (tmp_path / "b.jpg").read_bytes()
    # In a PNG, since JPEG changes the colour of the lines.
    drawn = {name: (read_picture(str(tmp_path / name)) == BOX).all(axis=2).any() for name in ("b.png", "open.png")}
    assert drawn == {"b.png": False, "open.png": True}


def test_ids_come_with_the_records(make_video: VideoMaker, tmp_path: Path, red_detector: RedDetector) -> None:
    item = find_input(str(make_video(tmp_path / "a.mp4")))
    with json_file(tmp_path / "f.jsonl") as record:
        Pipeline(red_detector, record=record, track=lambda item: Tracker()).run([item, item], [None, None])
    records = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text().splitlines()]
    assert [face["track_id"] for found in records for face in found["faces"]] == [1] * 24


class Changing:
    """A stream that turns from 64 x 48 to 96 x 96 in the middle."""

    rate, tick, length, audio = Fraction(25), Fraction(1, 25), None, None
    pixel_aspect, copy_loss = Fraction(1), None

    def __enter__(self) -> "Changing":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def frames(self) -> Any:
        for n in range(10):
            yield Frame(walking_square(n, *((64, 48) if n < 5 else (96, 96))), n, Fraction(n, 25), "s")


def test_a_size_that_changes_in_the_middle_is_followed(
    tmp_path: Path, red_detector: RedDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blazeface.pipeline.open_source", lambda *_: Changing())
    window, made = FakeWindow(), []

    def track(item: Input) -> Tracker:
        made.append(item)
        return Tracker()

    with json_file(tmp_path / "f.jsonl") as record:
        pipeline = Pipeline(red_detector, record=record, viewer=Viewer(window), track=track, roi=False)  # type: ignore[arg-type]
        pipeline.run([Input("stream", "s", "s", PurePath("s"))], [tmp_path / "b.mp4"])
    records = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text().splitlines()]
    assert [(found["width"], found["height"]) for found in records] == [(64, 48)] * 5 + [(96, 96)] * 5
    assert [image.shape for image, _ in window.shown] == [(48, 64, 3)] * 5 + [(96, 96, 3)] * 5
    assert len(made) == 1
    assert [face["track_id"] for found in records for face in found["faces"]] == [1] * 5 + [2] * 5
    pictures = read_all(tmp_path / "b.mp4")
    assert [image.shape for image in pictures] == [(48, 64, 3)] * 10
    assert (
        pictures[9][:, :6].max() < 40 and pictures[9][:, 58:].max() < 40
    )  # square in the middle, black beside it
    assert pictures[9][30, 10:54].min() > 60


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_ends_the_run_with_one_sentence(
    make_video: VideoMaker,
    tmp_path: Path,
    red_detector: RedDetector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    item = find_input(str(make_video(tmp_path / "a.mp4", count=100, width=220)))
    real_open = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: real_open(Path("/dev/full"), *a, **k))
    run = Pipeline(red_detector)
    with (
        pytest.raises(BlazeFaceError, match=r"f\.csv: cannot be written: No space left"),
        csv_file(tmp_path / "f.csv") as record,
    ):
        run.record = record
        run.run([item] * 5, [tmp_path / f"{n}.mp4" for n in range(5)])
    assert 0 < run.counts.frames < 100
    assert os.listdir(tmp_path) == ["a.mp4"]
