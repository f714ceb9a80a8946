"""Cameras and streams: nothing waits for ever, and the newest picture wins."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np
import pytest
from video_material import RedDetector, VideoMaker, walking_square

from blazeface.errors import BlazeFaceError
from blazeface.sources.inputs import Input, find_input
from blazeface.sources.live import LiveSource, open_live


class FakeCapture:
    """Plays a list of pictures; None is a read that gives none. At the end it waits (`hangs`) or ends."""

    def __init__(self, pictures: list[Any], hangs: bool = False, pause: float = 0.0, **properties: float):
        self.pictures = list(pictures)
        self.hangs = hangs
        self.pause = pause
        self.properties = properties
        self.released = threading.Event()
        self.let_go = threading.Event()
        self.index = 0

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, Any]:
        time.sleep(self.pause)
        if self.index == len(self.pictures):
            if self.hangs:
                self.let_go.wait(30)
            return False, None
        self.index += 1
        picture = self.pictures[self.index - 1]
        return picture is not None, picture

    def get(self, propId: int, /) -> float:
        names = {cv2.CAP_PROP_FPS: "fps", cv2.CAP_PROP_FRAME_COUNT: "count"}
        if propId == cv2.CAP_PROP_POS_MSEC:
            return (self.index - 1) * 1000 / 25
        return self.properties.get(names[propId], 0.0)

    def release(self) -> None:
        self.released.set()


def pictures(count: int) -> list[np.ndarray]:
    return [np.full((4, 4, 3), n % 256, np.uint8) for n in range(count)]


def live(
    capture: Any, timeout: float = 5.0, camera: bool = True, stop: Callable[[], bool] = lambda: False
) -> LiveSource:
    return LiveSource("cam0", lambda: capture, timeout, stop, camera)


def test_a_camera_that_hangs_ends_in_time() -> None:
    capture = FakeCapture(pictures(1), hangs=True)
    start = time.monotonic()
    seen = 0
    with (
        pytest.raises(BlazeFaceError, match=r"^cam0: gave no picture for 0\.3 seconds$"),
        live(capture, 0.3) as source,
    ):
        for _ in source.frames():
            seen += 1
    assert seen == 1
    assert 0.3 <= time.monotonic() - start < 3
    capture.let_go.set()
    assert capture.released.wait(3)  # the thread that was left behind tidies up when it can


def test_opening_may_hang_as_well() -> None:
    let_go = threading.Event()

    def never() -> FakeCapture:
        let_go.wait(30)
        return FakeCapture([])

    with (
        pytest.raises(BlazeFaceError, match=r"gave no picture for 0\.2 seconds"),
        LiveSource("cam0", never, 0.2, lambda: False, True) as source,
    ):
        next(source.frames())
    let_go.set()


def test_a_camera_that_cannot_be_opened() -> None:
    capture = FakeCapture([])
    capture.isOpened = lambda: False  # type: ignore[method-assign]
    with (
        pytest.raises(BlazeFaceError, match=r"^cam0: cannot be opened: another program may be using it"),
        live(capture) as source,
    ):
        next(source.frames())
    assert capture.released.wait(3)


def test_what_a_driver_throws_becomes_a_sentence() -> None:
    capture = FakeCapture([])
    capture.read = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(BlazeFaceError, match="cam0: cannot be read: ZeroDivisionError"), live(capture) as source:
        next(source.frames())


def test_the_newest_picture_wins() -> None:
    capture = FakeCapture(pictures(200), pause=0.002)
    with live(capture, camera=False) as source:
        frames = []
        for frame in source.frames():
            frames.append(frame)
            time.sleep(0.05)
    shown = [int(frame.image[0, 0, 0]) for frame in frames]
    assert shown == sorted(shown)
    assert len(shown) < 50
    assert shown[-1] == 199
    assert [frame.index for frame in frames] == list(range(len(frames)))
    times = [frame.time for frame in frames]
    assert times[0] == 0
    assert all(earlier < later for earlier, later in pairwise(times))
    # The clock when it came, not its number at 30 a second; rounded to milliseconds.
    assert times[-1] >= Fraction(2 * (199 - shown[0]) - 1, 1000)


def test_a_file_behind_a_url_loses_no_frame() -> None:
    capture = FakeCapture(pictures(30), fps=25.0, count=30.0)
    with live(capture, camera=False) as source:
        frames = []
        for frame in source.frames():
            frames.append(frame)
            time.sleep(0.002)
    assert [int(frame.image[0, 0, 0]) for frame in frames] == list(range(30))
    assert [frame.time for frame in frames] == [Fraction(n, 25) for n in range(30)]
    assert source.rate == 25 and source.length == 30


def test_a_camera_is_asked_again_when_a_picture_fails() -> None:
    capture = FakeCapture([None, None, *pictures(1), None, *pictures(1)], hangs=True)
    with live(capture) as source:
        frames = source.frames()
        assert next(frames).index == 0
        assert next(frames).index == 1
    capture.let_go.set()


def test_a_stream_ends_where_it_ends_and_an_empty_one_is_a_fault() -> None:
    with live(FakeCapture(pictures(3), fps=90000.0), camera=False) as source:
        assert len(list(source.frames())) >= 1
        assert source.rate == 30  # 90000 is a clock, no rate
    with (
        pytest.raises(BlazeFaceError, match="ended without a picture"),
        live(FakeCapture([]), camera=False) as source,
    ):
        next(source.frames())


def test_stopping_does_not_wait_for_the_timeout() -> None:
    capture = FakeCapture([], hangs=True)
    start = time.monotonic()
    with live(capture, timeout=60, stop=lambda: time.monotonic() - start > 0.2) as source:
        assert list(source.frames()) == []
    assert time.monotonic() - start < 5
    capture.let_go.set()


def test_leaving_releases_the_camera() -> None:
    capture = FakeCapture(pictures(1000), pause=0.001)
    with live(capture) as source:
        next(source.frames())
    assert capture.released.wait(3)


def test_a_missing_camera_is_said_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    item = Input("camera", "cam987", "987", PurePath("cam987"))
    with (
        pytest.raises(BlazeFaceError, match=r"^cam987: (no such camera|cannot be opened)"),
        open_live(item, 20.0, lambda: False) as source,
    ):
        next(source.frames())
    assert capfd.readouterr() == ("", "")


@contextmanager
def serving(handler: Any) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://user:secret@127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class MotionJpeg(BaseHTTPRequestHandler):
    """What network cameras send: one JPEG after the other, for ever (here: 40 of them)."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for n in range(40):
            data = cv2.imencode(".jpg", walking_square(n % 25))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + data + b"\r\n")
                self.wfile.flush()
            except OSError:
                return
            time.sleep(0.02)

    def log_message(self, *_: object) -> None:
        pass


class Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_motion_jpeg_over_http(capfd: pytest.CaptureFixture[str]) -> None:
    with serving(MotionJpeg) as address:
        item = find_input(f"{address}/video?token=secret")
        with open_live(item, 10.0, lambda: False) as source:
            frames = list(source.frames())
    assert len(frames) >= 5
    assert all("secret" not in frame.source for frame in frames)
    for frame in frames:
        left, top, right, bottom = RedDetector().detect(frame.image).boxes[0]
        assert (top, bottom) == pytest.approx((4, 12), abs=1.5)
        assert right - left == pytest.approx(8, abs=2)
    assert capfd.readouterr() == ("", "")


def test_a_video_file_over_http(make_video: VideoMaker, tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", count=20, rate=Fraction(25))
    with (
        serving(partial(Files, directory=str(tmp_path))) as address,
        open_live(find_input(f"{address}/a.mp4"), 10.0, lambda: False) as source,
    ):
        frames = list(source.frames())
    assert [frame.time for frame in frames] == [Fraction(n, 25) for n in range(20)]


def test_nobody_answers(capfd: pytest.CaptureFixture[str]) -> None:
    item = find_input("http://user:secret@127.0.0.1:9/live")
    with (
        pytest.raises(BlazeFaceError, match="nothing answers there, or it is no video") as caught,
        open_live(item, 10.0, lambda: False) as source,
    ):
        next(source.frames())
    assert "secret" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


class Coming:
    """Opens captures one after the other; where the list ends, opening fails."""

    def __init__(self, *captures: FakeCapture):
        self.captures = list(captures)
        self.opened: list[float] = []

    def __call__(self) -> FakeCapture:
        self.opened.append(time.monotonic())
        if self.captures:
            return self.captures.pop(0)
        nothing = FakeCapture([])
        nothing.isOpened = lambda: False  # type: ignore[method-assign]
        return nothing


def test_a_camera_that_hangs_is_opened_anew_and_time_goes_on() -> None:
    first, second = FakeCapture(pictures(3), hangs=True, pause=0.01), FakeCapture(pictures(4), pause=0.01)
    said: list[str] = []
    stamps = []
    coming = Coming(first, second)
    start = time.monotonic()
    with (
        pytest.raises(BlazeFaceError, match=r"^cam0: ended, and did not come back within 2 seconds$"),
        LiveSource("cam0", coming, 0.3, lambda: False, False, 2.0, said.append) as source,
    ):
        for frame in source.frames():
            stamps.append(frame.time)
    assert len(stamps) >= 2
    assert all(earlier < later for earlier, later in pairwise(stamps))
    assert max(later - earlier for earlier, later in pairwise(stamps)) > 0.7  # 0.3 of silence and a pause of 0.5
    assert said[0] == "cam0: gave no picture for 0.3 seconds; trying again for up to 2 seconds"
    assert said[1].startswith("cam0: back after 0.")
    assert said[2] == "cam0: ended; trying again for up to 2 seconds"
    assert time.monotonic() - start < 8
    pauses = [later - earlier for earlier, later in pairwise(coming.opened[1:])]
    assert pauses[1] > 1.5 * pauses[0] - 0.1  # they grow
    first.let_go.set()


def test_an_unplugged_camera_gives_no_picture_and_is_looked_for_again() -> None:
    """V4L2 answers at once, with nothing, when the plug is pulled."""
    first, second = FakeCapture(pictures(2), pause=0.05), FakeCapture(pictures(2), pause=0.05)
    source = LiveSource("cam0", Coming(first, second), 0.3, lambda: False, True, 5.0)
    with source:
        frames = source.frames()
        seen = [next(frames).index for _ in range(3)]
    assert seen == [0, 1, 2]


def test_the_first_opening_is_not_tried_twice() -> None:
    coming = Coming()
    with (
        pytest.raises(BlazeFaceError, match="cannot be opened"),
        LiveSource("cam0", coming, 1.0, lambda: False, True, 30.0) as source,
    ):
        next(source.frames())
    assert len(coming.opened) == 1


def test_stopping_does_not_wait_for_a_lost_source() -> None:
    start = time.monotonic()
    coming = Coming(FakeCapture(pictures(1)))
    with LiveSource("s", coming, 0.2, lambda: time.monotonic() - start > 0.8, False, 60.0) as source:
        assert len(list(source.frames())) == 1
    assert time.monotonic() - start < 3


def test_a_stream_that_is_cut_off_and_comes_back_over_http() -> None:
    """Motion JPEG whose server ends the connection after 40 pictures, and serves the next one again."""
    with serving(MotionJpeg) as address:
        item = find_input(f"{address}/video?token=secret")
        said: list[str] = []
        with open_live(item, 5.0, lambda: len(said) > 2, 10.0, said.append) as source:
            count = sum(1 for _ in source.frames())
    assert count > 20
    assert said[0].endswith("/video?***: ended; trying again for up to 10 seconds")
    assert ": back after " in said[1]
    assert "secret" not in "".join(said)


def test_mpeg_ts_over_tcp(make_video: VideoMaker, tmp_path: Path) -> None:
    data = make_video(tmp_path / "a.ts", count=50, rate=Fraction(25), width=128).read_bytes()
    server = socket.create_server(("127.0.0.1", 0))

    def send() -> None:
        with suppress(OSError):
            connection, _ = server.accept()
            with connection:
                for start in range(0, len(data), 1880):
                    connection.sendall(data[start : start + 1880])
                    time.sleep(0.01)

    threading.Thread(target=send, daemon=True).start()
    with (
        server,
        open_live(find_input(f"tcp://127.0.0.1:{server.getsockname()[1]}"), 10.0, lambda: False) as source,
    ):
        frames = list(source.frames())
    assert len(frames) >= 5
    for frame in frames:
        _, top, _, bottom = RedDetector().detect(frame.image).boxes[0]
        assert (top, bottom) == pytest.approx((4, 12), abs=2)


def send_over_udp(port: int, stop: threading.Event) -> None:
    """MPEG-TS to a port of this machine until stop is set, as a network camera or `ffmpeg -f mpegts udp://` does."""
    import av

    with av.open(f"udp://127.0.0.1:{port}?pkt_size=1316", "w", format="mpegts") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 128, 96, "yuv420p", 2_000_000
        stream.codec_context.gop_size = 5  # whoever comes late soon finds a picture to begin with
        n = 0
        while not stop.is_set():
            frame = av.VideoFrame.from_ndarray(walking_square(n % 25, 128, 96), "bgr24")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            container.mux(stream.encode(frame))
            time.sleep(0.004)  # ten times as fast as it plays: the reader looks at some seconds before it begins
            n += 1


def test_mpeg_ts_over_udp_until_it_falls_silent() -> None:
    pytest.importorskip("av")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    stop = threading.Event()
    sender = threading.Thread(target=send_over_udp, args=(port, stop), daemon=True)
    sender.start()
    seen = []
    try:
        with (
            pytest.raises(
                BlazeFaceError, match=rf"^udp://127\.0\.0\.1:{port}: (gave no picture for 2 seconds|ended)"
            ),
            open_live(find_input(f"udp://127.0.0.1:{port}"), 2.0, lambda: False) as source,
        ):
            for frame in source.frames():
                found = RedDetector().detect(frame.image)
                seen.append((frame.image.shape, len(found), found.boxes[0, 1::2] if len(found) else None))
                if len(seen) == 20:
                    stop.set()
    finally:
        stop.set()
        sender.join(10)
    for thread in threading.enumerate():  # what is left behind ends by itself
        if thread.name == f"reading udp://127.0.0.1:{port}":
            thread.join(20)
            assert not thread.is_alive()
    assert len(seen) >= 20
    # Datagrams may be lost, and what was lost shows as grey; most come through.
    whole = [rows for shape, count, rows in seen if shape == (96, 128, 3) and count == 1 and rows is not None]
    assert len(whole) >= 15
    assert np.median(whole, axis=0) == pytest.approx([4, 12], abs=2)
