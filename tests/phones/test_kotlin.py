"""phones/kotlin/BlazeFace.kt gives what the Python package gives, on the JVM; where no Kotlin compiler is installed nothing
is said of it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from phone_material import NEAR, SIZES, network_like_outputs, picture_of, stored_yuv, upright

from benchmarks.phones.programs import compile_kotlin, kotlin_compiler
from benchmarks.phones.recording import Buffer, Recording, face_rows, faces_in, same_faces
from blazeface.anchors import anchor_centers
from blazeface.detector import FaceDetector, postprocess, prepare
from blazeface.geometry import Letterbox, letterbox_image
from blazeface.spec import FRONT_128

pytestmark = pytest.mark.skipif(
    kotlin_compiler() is None and os.environ.get("BLAZEFACE_KOTLIN") != "required",
    reason="no Kotlin compiler (npm has one, kotlin-compiler: make phones-check installs it)",
)


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return compile_kotlin(tmp_path_factory.mktemp("kotlin") / "replay.jar")


def test_the_network_sees_the_same_bytes(replay: list[str], tmp_path: Path) -> None:
    recording, pictures = Recording(tmp_path), {}
    for i, (width, height) in enumerate(SIZES):
        for model in ("front-128", "back-256"):
            pictures[f"{i}-{model}"] = picture_of(i, width, height)
            recording.letterbox(f"{i}-{model}", Buffer.of(pictures[f"{i}-{model}"]), model)
    results = recording.run(replay)
    for name, picture in pictures.items():
        size = 128 if name.endswith("128") else 256
        square, box = letterbox_image(picture, size)
        found = recording.bytes_of(f"{name}.square").reshape(size, size, 3)[:, :, ::-1]
        assert np.array_equal(found, square), name
        expected = [box.scale_x, box.scale_y, box.offset_x, box.offset_y]
        assert [float(word) for word in results[name][0][1:]] == expected


@pytest.mark.parametrize("format", ["rgb", "bgr", "rgba", "nv21", "i420"])
def test_a_camera_s_buffers_turned_and_mirrored(replay: list[str], tmp_path: Path, format: str) -> None:
    recording, cases = Recording(tmp_path), {}
    for rotation in (0, 90, 180, 270):
        for mirrored in (False, True):
            picture, name = picture_of(3, 334, 198), f"{rotation}{mirrored}"
            if format in ("nv21", "i420"):
                buffer, stored = stored_yuv(picture, format, rotation, mirrored)
                picture = upright(stored, rotation, mirrored)
            else:
                buffer = Buffer.of(picture, format, rotation, mirrored)
            cases[name] = picture
            recording.letterbox(name, buffer, "front-128")
    recording.run(replay)
    for name, picture in cases.items():
        found = recording.bytes_of(f"{name}.square").reshape(128, 128, 3)[:, :, ::-1]
        assert np.array_equal(found, letterbox_image(picture, 128)[0]), name


def test_the_tensor_is_the_detector_s(replay: list[str], tmp_path: Path) -> None:
    picture, recording = picture_of(1, 300, 200), Recording(tmp_path)
    square = np.ascontiguousarray(letterbox_image(picture, 128)[0][:, :, ::-1])
    for layout in ("chw", "hwc"):
        recording.tensor(layout, square, "front-128", layout)
    recording.run(replay)
    planes, _ = prepare(picture, FRONT_128)
    assert np.array_equal(recording.bytes_of("chw.tensor").view("<f4").reshape(3, 128, 128), planes)
    found = recording.bytes_of("hwc.tensor").view("<f4").reshape(128, 128, 3)
    assert np.array_equal(found, planes.transpose(1, 2, 0))


@pytest.mark.parametrize("model", ["front-128", "back-256"])
def test_raw_outputs_become_the_same_faces(replay: list[str], tmp_path: Path, model: str) -> None:
    recording, letterbox, spec = Recording(tmp_path), Letterbox(0.2, 0.2003, 0.0, 28.0), FaceDetector(model).spec
    expected = {}
    for seed, threshold in enumerate((0.5, 0.3, 0.01, 1.0)):
        logits, regressions = network_like_outputs(spec, seed)
        recording.faces(f"{seed}", logits, regressions, letterbox, model, threshold)
        centers = anchor_centers(spec.anchor_maps)
        expected[f"{seed}"] = postprocess(logits, regressions, letterbox, spec, centers, threshold)
    results = recording.run(replay)
    for name, faces in expected.items():
        assert same_faces(faces_in(results[name]), face_rows(faces), NEAR)
    assert len(expected["0"]) > 20 and not len(expected["3"])
