"""The npm package in Chromium: each kind of picture that a browser has gives Python's faces."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
from browser import chromium, run_page
from js_package import project  # noqa: F401  (a fixture)
from page_site import write_video
from test_js_package import agree, crowd

from blazeface import FaceDetector

PAGE = Path(__file__).parent / "pages" / "sources.html"


def test_whatever_shows_a_picture_is_taken(project: Path) -> None:  # noqa: F811
    chromium()
    cv2.imwrite(str(project / "picture.png"), crowd())
    write_video(project / "clip.webm", 20, lambda n: 0.0)
    shutil.copy(PAGE, project)
    found = run_page(project, "sources.html")
    expected = FaceDetector().detect(crowd())
    assert len(expected) >= 2
    assert found["faces"].pop("nothing to be seen") == []
    assert len(found["faces"]) == 7
    for name, faces in found["faces"].items():
        if name != "frame":
            agree(faces, expected)
        else:  # a VideoFrame may be kept in another colour space
            np.testing.assert_allclose([face["box"] for face in faces], expected.boxes, atol=2)
    reader = cv2.VideoCapture(str(project / "clip.webm"))
    frame = reader.read()[1].astype(np.uint8)
    np.testing.assert_allclose(found["video"][0]["box"], FaceDetector().detect(frame).boxes[0], atol=3)
    early = "this has no picture yet: wait until the video plays, or the img has loaded"
    assert found["said"] == {
        "an img that has not loaded": early,
        "an empty video": early,
        "words": "a picture is an ImageData, a video, an img, a canvas, an ImageBitmap or a VideoFrame, not picture.png",
    }
