"""phones/cpp/blazeface.hpp gives what the Python package gives: compiled with warnings as errors, with sanitizers."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from phone_material import (
    CORNER_SIZES,
    NEAR,
    SIZES,
    network_like_outputs,
    picture_of,
    stored_yuv,
    upright,
)
from walking_faces import walking

from benchmarks.phones.programs import FAST, PHONES, SANITIZED, compile_cpp, cpp_compiler
from benchmarks.phones.recording import Buffer, Recording, face_rows, faces_in, frames_in, same_faces
from blazeface.anchors import anchor_centers
from blazeface.detector import FaceDetector, postprocess, prepare
from blazeface.geometry import Letterbox, letterbox_image
from blazeface.privacy.cover import cover_boxes
from blazeface.privacy.coverer import Coverer
from blazeface.spec import FRONT_128, FULL_RANGE_DENSE, SHORT_RANGE, ModelSpec
from blazeface.tracking.one_euro import OneEuro
from blazeface.tracking.tracker import Tracker

pytestmark = pytest.mark.skipif(
    cpp_compiler() is None and os.environ.get("BLAZEFACE_PHONES") != "required", reason="no C++ compiler"
)

FUZZ_INPUTS = int(os.environ.get("BLAZEFACE_FUZZ_INPUTS", "20000"))


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [str(compile_cpp("checks/replay.cpp", tmp_path_factory.mktemp("cpp") / "replay", SANITIZED))]


def test_what_is_random_breaks_nothing(tmp_path: Path) -> None:
    fuzz = compile_cpp("checks/fuzz.cpp", tmp_path / "fuzz", SANITIZED)
    done = subprocess.run([fuzz, str(FUZZ_INPUTS), "7"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]
    assert done.stdout == f"{FUZZ_INPUTS} inputs of seed 7, no fault\n"


@pytest.mark.parametrize("model", ["front-128", "back-256"])
def test_the_network_sees_the_same_bytes(replay: list[str], tmp_path: Path, model: str) -> None:
    recording, size = Recording(tmp_path), 128 if model == "front-128" else 256
    pictures = {f"{i}": picture_of(i, width, height) for i, (width, height) in enumerate(SIZES)}
    for name, picture in pictures.items():
        recording.letterbox(name, Buffer.of(picture), model)
    results = recording.run(replay)
    for name, picture in pictures.items():
        square, box = letterbox_image(picture, size)
        found = recording.bytes_of(f"{name}.square").reshape(size, size, 3)[:, :, ::-1]
        assert np.array_equal(found, square), SIZES[int(name)]
        expected = [box.scale_x, box.scale_y, box.offset_x, box.offset_y]
        assert [float(word) for word in results[name][0][1:]] == expected


@pytest.mark.parametrize("format", ["rgb", "bgr", "rgba", "bgra"])
def test_every_order_of_colours_turned_and_mirrored(replay: list[str], tmp_path: Path, format: str) -> None:
    recording, cases = Recording(tmp_path), {}
    for rotation in (0, 90, 180, 270):
        for mirrored in (False, True):
            picture = picture_of(1, *((333, 199) if rotation % 180 else (100, 37)))
            name = f"{rotation}{mirrored}"
            cases[name] = picture
            recording.letterbox(name, Buffer.of(picture, format, rotation, mirrored), "front-128")
    recording.run(replay)
    for name, picture in cases.items():
        found = recording.bytes_of(f"{name}.square").reshape(128, 128, 3)[:, :, ::-1]
        assert np.array_equal(found, letterbox_image(picture, 128)[0]), name


@pytest.mark.parametrize("format", ["nv21", "i420"])
@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (62, 38)])
def test_yuv_of_video_range_is_opencv_s(
    replay: list[str], tmp_path: Path, format: str, size: tuple[int, int]
) -> None:
    recording, cases = Recording(tmp_path), {}
    for rotation, mirrored in ((0, False), (90, True), (270, False)):
        buffer, stored = stored_yuv(picture_of(3, *size), format, rotation, mirrored)
        cases[f"{rotation}"] = upright(stored, rotation, mirrored)
        recording.letterbox(f"{rotation}", buffer, "front-128")
    recording.run(replay)
    for name, picture in cases.items():
        found = recording.bytes_of(f"{name}.square").reshape(128, 128, 3)[:, :, ::-1]
        assert np.array_equal(found, letterbox_image(picture, 128)[0]), name


def test_yuv_of_full_range_is_jfif_s_also_of_odd_sides(replay: list[str], tmp_path: Path) -> None:
    """By the formula of JFIF 1.02, page 3, in floating point."""
    rng = np.random.default_rng(5)
    width, height = 33, 27
    y = rng.integers(0, 256, (height, width)).astype(np.uint8)
    u, v = (rng.integers(0, 256, (14, 17)).astype(np.uint8) for _ in range(2))
    buffer = Buffer(y.tobytes() + u.tobytes() + v.tobytes(), "i420", width, height)
    cb, cr = (np.repeat(np.repeat(p, 2, 0), 2, 1)[:height, :width].astype(float) - 128 for p in (u, v))
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=-1)
    picture = np.clip(np.floor(rgb + 0.5), 0, 255).astype(np.uint8)
    recording = Recording(tmp_path)
    recording.letterbox("one", buffer, "front-128")
    recording.run(replay)
    found = recording.bytes_of("one.square").reshape(128, 128, 3).astype(int)
    assert np.abs(found - letterbox_image(picture, 128)[0]).max() <= 1


def test_mediapipe_s_warp_differs_in_ties_of_rounding_only(replay: list[str], tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    pictures = {f"{i}": picture_of(1, width, height) for i, (width, height) in enumerate(CORNER_SIZES)}
    for name, picture in pictures.items():
        recording.letterbox(name, Buffer.of(picture), "short-range")
    recording.run(replay)
    for name, picture in pictures.items():
        square, _ = letterbox_image(picture, 128, "corner")
        found = recording.bytes_of(f"{name}.square").reshape(128, 128, 3)[:, :, ::-1]
        # A tie moves a sample by 1/32 pixel: a 32nd of the largest step between neighbours in either direction.
        assert np.abs(found.astype(int) - square).max() <= (0 if int(name) < 3 else 2 * 255 / 32 + 1)


def test_the_tensor_is_the_detector_s(replay: list[str], tmp_path: Path) -> None:
    picture = picture_of(1, 300, 200)
    square, _ = letterbox_image(picture, 128)
    recording = Recording(tmp_path)
    for layout in ("chw", "hwc"):
        recording.tensor(layout, np.ascontiguousarray(square[:, :, ::-1]), "front-128", layout)
    recording.run(replay)
    planes, _ = prepare(picture, FRONT_128)
    assert np.array_equal(recording.bytes_of("chw.tensor").view("<f4").reshape(3, 128, 128), planes)
    found = recording.bytes_of("hwc.tensor").view("<f4").reshape(128, 128, 3)
    assert np.array_equal(found, planes.transpose(1, 2, 0))


@pytest.mark.parametrize(
    "spec", [FRONT_128, FaceDetector("back-256").spec, SHORT_RANGE, FULL_RANGE_DENSE], ids=lambda s: s.name
)
def test_raw_outputs_become_the_same_faces(replay: list[str], tmp_path: Path, spec: ModelSpec) -> None:
    recording, letterbox = Recording(tmp_path), Letterbox(0.2, 0.2003, 0.0, 28.0)
    expected = {}
    for seed, threshold in enumerate((0.5, 0.3, 0.01, 1.0)):
        logits, regressions = network_like_outputs(spec, seed)
        recording.faces(f"{seed}", logits, regressions, letterbox, spec.name, threshold)
        centers = anchor_centers(spec.anchor_maps)
        expected[f"{seed}"] = postprocess(logits, regressions, letterbox, spec, centers, threshold)
    results = recording.run(replay)
    for name, faces in expected.items():
        assert same_faces(faces_in(results[name]), face_rows(faces), NEAR)
    assert len(expected["0"]) > 20
    assert not len(expected["3"])


@pytest.mark.parametrize("smooth", [True, False])
def test_tracks_are_python_s(replay: list[str], tmp_path: Path, smooth: bool) -> None:
    recording, clips = Recording(tmp_path), {f"{seed}": walking(seed) for seed in range(12)}
    for name, clip in clips.items():
        recording.clip("tracks", name, clip, int(smooth))
    results = recording.run(replay)
    held = 0
    for name, clip in clips.items():
        tracker = Tracker(OneEuro() if smooth else None)
        frames = frames_in(results[name])
        assert len(frames) == len(clip)
        for (time, _, _, faces), lines in zip(clip, frames, strict=True):
            expected = tracker.update(faces, time)
            assert same_faces(faces_in(lines), face_rows(expected), NEAR)
            held += len(expected) > len(faces)
    assert held > 20


def test_covers_are_python_s_of_a_camera(replay: list[str], tmp_path: Path) -> None:
    recording, clips = Recording(tmp_path), {f"{seed}": walking(seed) for seed in range(20)}
    for name, clip in clips.items():
        recording.clip("covers", name, clip)
    results = recording.run(replay)
    kinds = {"seen": 0, "held": 0}
    for name, clip in clips.items():
        coverer = Coverer(keep=False)
        frames = frames_in(results[name])
        assert len(frames) == len(clip)
        for n, ((time, width, height, faces), lines) in enumerate(zip(clip, frames, strict=True)):
            coverer.add(n, time, width, height, faces)
            covers = coverer.covers(n, time, width, height)
            assert covers is not None
            assert [words[1] for words in lines] == [cover.kind for cover in covers]
            for words, cover in zip(lines, covers, strict=True):
                assert [float(word) for word in words[2:]] == pytest.approx(cover.box, abs=NEAR)
                kinds[cover.kind] += 1
    assert kinds["seen"] > 500 and kinds["held"] > 100


@pytest.mark.parametrize("format", ["rgb", "bgra", "nv21", "i420"])
@pytest.mark.parametrize("style", ["solid", "pixelate"])
def test_what_is_covered_in_the_camera_s_own_memory(
    replay: list[str], tmp_path: Path, format: str, style: str
) -> None:
    box, recording, stored = (20.4, 11.0, 57.9, 40.2), Recording(tmp_path), {}
    for rotation, mirrored in ((0, False), (90, False), (180, True), (270, False)):
        name, picture = f"{rotation}", picture_of(1, 80, 60)
        if format in ("nv21", "i420"):
            buffer, _ = stored_yuv(picture, format, rotation, mirrored)
        else:
            buffer = Buffer.of(picture, format, rotation, mirrored)
        stored[name] = buffer
        recording.paint(name, buffer, box, style)
    recording.run(replay)
    for name, buffer in stored.items():
        before = upright(decoded(buffer, np.frombuffer(buffer.data, np.uint8)), buffer.rotation, buffer.mirrored)
        after = upright(decoded(buffer, recording.bytes_of(f"{name}.covered")), buffer.rotation, buffer.mirrored)
        touched = np.zeros(before.shape[:2], bool)
        touched[11:41, 20:58] = True
        inside = after[11:41, 20:58]
        expected = cover_boxes(before, [box], "solid" if style == "solid" else "pixelate")
        # Chroma is shared by 2 x 2 pixels, so a row or column beside the box may change its colour.
        beside = cv2.dilate(touched.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert np.array_equal(after[~beside], before[~beside])
        if style == "solid":
            assert inside.max() == 0
        else:
            cells = 100 if format in ("nv21", "i420") else 25  # luma's and chroma's edges need not fall together
            assert len(np.unique(inside.reshape(-1, 3), axis=0)) <= cells
            difference = cv2.blur(after, (9, 9)).astype(int) - cv2.blur(expected, (9, 9))
            assert np.abs(difference).mean() < 4


def decoded(buffer: Buffer, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A stored buffer as BGR."""
    if buffer.format in ("nv21", "i420"):
        code = cv2.COLOR_YUV2BGR_NV21 if buffer.format == "nv21" else cv2.COLOR_YUV2BGR_I420
        return np.asarray(cv2.cvtColor(data.reshape(buffer.height * 3 // 2, buffer.width), code))
    pixels = data.reshape(buffer.height, buffer.width, -1)
    return np.ascontiguousarray(pixels[:, :, 2::-1] if buffer.format == "rgb" else pixels[:, :, :3])


def test_wrong_use_is_said_in_a_sentence(tmp_path: Path) -> None:
    program = compile_cpp("checks/wrong_use.cpp", tmp_path / "wrong_use", FAST)
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "blazeface: a picture's sides must be from 1 to 65536 pixels",
        "blazeface: the picture has no data",
        "blazeface: the stride is shorter than a row of pixels",
        "blazeface: rotation must be 0, 90, 180 or 270 degrees",
        "blazeface: a YUV picture needs its planes u and v",
        "blazeface: the chroma stride is shorter than a row of chroma",
        "blazeface: size must be from 1 to 8192 pixels",
        "blazeface: threshold must lie in [0, 1]",
        "blazeface: this ModelSpec cannot be",
    ]


def test_the_guide_s_code_compiles_and_covers_what_it_finds(tmp_path: Path) -> None:
    guide = (PHONES.parent / "docs" / "phones.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```cpp\n(.*?)```", guide, re.DOTALL)[:2]
    include, first = first.split("\n", 1)
    program = f"""{include.replace("blazeface.hpp", str(PHONES / "cpp" / "blazeface.hpp"))}
    #include <cstdio>
    int main() {{
        std::vector<std::uint8_t> memory(1280 * 720 * 3 / 2, 200);
        std::uint8_t* bytes = memory.data();
        const double seconds = 0;
        const auto run = [](const float*, float* logits, float* regressions) {{
            logits[0] = 9;  // a face around the first cell, in the upright frame's top left corner, left of the border
            for (int i = 0; i < 4; i++) regressions[i] = 30;
        }};
        {first}
        {second}
        const auto black = std::count(memory.begin(), memory.begin() + 1280 * 720, std::uint8_t{{0}});
        std::printf("%zu %zu %d", faces.size(), found.size(), black > 50000 && black < 200000);
    }}"""
    (tmp_path / "guide.cpp").write_text(program, encoding="utf-8")
    compiled = compile_cpp(tmp_path / "guide.cpp", tmp_path / "guide", (*SANITIZED, "-Wno-unused-parameter"))
    done = subprocess.run([compiled], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]
    assert done.stdout.split() == ["1", "1", "1"]
