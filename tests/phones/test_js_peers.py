"""The two other interfaces beside the packages they stand in for: one page on both, and TypeScript's word on the types."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import chromium, run_page
from js_package import PEERS, need, project  # noqa: F401  (a fixture)

from blazeface.geometry import box_iou
from tools.js_package import ROOT

PAGES = Path(__file__).parent / "pages"

WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
"""MediaPipe reads pictures through WebGL, which the main processor imitates here."""


def both(project: Path, page: str) -> tuple[Any, Any]:  # noqa: F811
    """What a page reports with their package, and with ours."""
    chromium()
    need("@mediapipe/tasks-vision", "@mediapipe/face_detection", "@tensorflow-models/face-detection")
    shutil.copy(ROOT / "data" / "pictures" / "astronaut.png", project / "portrait.png")
    shutil.copy(ROOT / "blazeface" / "weights" / "front-128.tflite", project)
    shutil.copy(PAGES / page, project)
    theirs, ours = (run_page(project, f"{page}?{which}", WEBGL) for which in ("theirs", "ours"))
    return theirs, ours


def form(value: Any) -> Any:
    """An answer with its numbers left out; what the two word differently is not compared."""
    if isinstance(value, dict):
        return {key: form(one) for key, one in sorted(value.items())}
    if isinstance(value, list):
        return [form(one) for one in value]
    return value if isinstance(value, str) else type(value).__name__ in ("int", "float")


def alike(boxes: list[list[float]], points: list[list[list[float]]], apart: float) -> None:
    """Of ours and of theirs: boxes x1, y1, x2, y2 that mostly overlap, and keypoints (K, 2) no more than a share of the box's
    side apart: far less than a mirror, another order of points or another corner of the picture would make it."""
    ours, theirs = np.array(boxes)
    assert box_iou(ours[None], theirs[None])[0, 0] > 0.6
    gaps = np.linalg.norm(np.array(points[0]) - np.array(points[1]), axis=1)
    assert gaps.max() < apart * (theirs[2:] - theirs[:2]).max()


def test_mediapipe_s_users_change_one_import(project: Path) -> None:  # noqa: F811
    theirs, ours = both(project, "mediapipe.html")
    assert form(ours) == form(theirs)
    assert ours["wrong mode"] == ours["wrong mode of a video"] == ours["a region"] == "an error"
    assert ours["none"] == {"detections": []}
    for kind in ("img", "bitmap", "video", "turned by 90", "turned by 180", "turned by -90"):
        boxes, points = [], []
        for answer in (ours, theirs):
            (face,) = answer[kind]["detections"]
            box = face["boundingBox"]
            x, y = box["originX"], box["originY"]
            boxes.append([x, y, x + box["width"], y + box["height"]])
            points.append([[512 * point["x"], 512 * point["y"]] for point in face["keypoints"]])
        # The same network, for which each scales the picture in its own way.
        alike(boxes, points, apart=0.1)
        one, other = (answer[kind]["detections"][0] for answer in (ours, theirs))
        assert one["categories"][0]["score"] == pytest.approx(other["categories"][0]["score"], abs=0.01)
    assert ours["img"] == ours["bitmap"] == ours["video"]


def test_tensorflow_s_users_change_one_import(project: Path) -> None:  # noqa: F811
    theirs, ours = both(project, "tensorflow.html")
    assert form(ours) == form(theirs)
    for kind in ("img", "tensor", "flipped"):
        boxes, points = [], []
        for answer in (ours, theirs):
            (face,) = answer[kind]
            boxes.append([face["box"][name] for name in ("xMin", "yMin", "xMax", "yMax")])
            points.append([[point["x"], point["y"]] for point in face["keypoints"]])
        alike(boxes, points, apart=0.2)  # another network
    eyes = [
        next(point["x"] for point in ours[kind][0]["keypoints"] if point["name"] == "rightEye")
        for kind in ("img", "flipped")
    ]
    assert (
        eyes[0] < 256 < eyes[1]
    )  # of the picture, and of its mirror image, which has its right eye on the left as well
    assert ours["img"] == ours["tensor"]


OPTIONS: dict[str, Any] = {
    "compilerOptions": {
        "strict": True,
        "noEmit": True,
        "target": "es2022",
        "module": "esnext",
        "moduleResolution": "bundler",
        "lib": ["es2022", "dom", "dom.iterable"],
        "types": ["@webgpu/types"],
        "skipLibCheck": True,  # theirs do not compile by themselves
    },
    "files": ["use.ts"],
}


def test_types_compile_and_go_where_theirs_went(project: Path) -> None:  # noqa: F811
    need("typescript", "@types", "@mediapipe/tasks-vision", "@tensorflow-models/blazeface")
    shutil.copy(PAGES / "use.ts", project)
    compiler = ["node", str(PEERS / "typescript" / "bin" / "tsc"), "-p", "tsconfig.json"]

    def compile() -> str:
        (project / "tsconfig.json").write_text(json.dumps(OPTIONS))
        done = subprocess.run(compiler, cwd=project, capture_output=True, text=True)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    assert compile() == ""
    text = (project / "use.ts").read_text("utf-8")
    (project / "use.ts").write_text(text.replace("scoreThreshold: 0.1", 'scoreThreshold: "low"'))
    assert "error TS2322" in compile()  # that it looks at all


def test_our_own_declarations_compile_by_themselves(project: Path) -> None:  # noqa: F811
    need("typescript")
    files = [f"node_modules/blazeface/{name}.d.ts" for name in ("index", "mediapipe", "tensorflow")]
    own = OPTIONS["compilerOptions"] | {"skipLibCheck": False, "types": []}
    (project / "own.json").write_text(json.dumps({"compilerOptions": own, "files": files}))
    compiler = ["node", str(PEERS / "typescript" / "bin" / "tsc"), "-p", "own.json"]
    done = subprocess.run(compiler, cwd=project, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)
