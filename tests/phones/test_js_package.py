"""The npm package in Node: what is in it, its faces against Python's, its sentences, its two other interfaces."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from js_package import PICTURE, give_picture, project, run_node  # noqa: F401  (a fixture)

from blazeface import FaceDetector
from blazeface.geometry import Image
from blazeface.version import __version__
from blazeface.web.runtime import RUNTIME_VERSION
from tools.js_package import ROOT, pack

PORTRAIT = ROOT / "data" / "pictures" / "astronaut.png"

NEAR = 0.05
"""Pixels of the picture between Python's faces and JavaScript's."""


def portrait() -> Image:
    image = cv2.imread(str(PORTRAIT))
    assert image is not None
    return image.astype(np.uint8)


def crowd() -> Image:
    """The portrait's face at many sizes in a wide picture."""
    head, image, left = portrait()[20:240, 110:330], np.full((720, 1280, 3), 80, np.uint8), 10
    for side in (50, 60, 70, 90, 110, 140, 180, 260):
        image[left // 4 : left // 4 + side, left : left + side] = cv2.resize(
            head, (side, side), interpolation=cv2.INTER_AREA
        )
        left += side + 20
    return image


def test_the_package_has_what_it_needs_and_nothing_else(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    archive = pack(tmp_path / "dist")
    assert archive.name == f"blazeface-{__version__}.tgz"
    assert archive.read_bytes() == pack(tmp_path / "again").read_bytes()
    with tarfile.open(archive) as package:
        names = {name.removeprefix("package/") for name in package.getnames()}
        package.extractall(tmp_path, filter="data")
    folder = tmp_path / "package"
    description = json.loads((folder / "package.json").read_text())
    assert description["version"] == __version__
    assert description["peerDependencies"] == {"onnxruntime-web": RUNTIME_VERSION}
    assert "dependencies" not in description
    wanted = {
        path.removeprefix("./")
        for entry in description["exports"].values()
        if isinstance(entry, dict)
        for path in entry.values()
    }
    assert wanted < names and {"README.md", "LICENSE", "models/front-128.onnx", "models/front-128.md"} < names
    assert names - wanted == {
        *("package.json", "README.md", "LICENSE", "shipped.js"),
        *(f"models/{model}.{suffix}" for model in ("front-128", "back-256") for suffix in ("onnx", "md")),
        *(f"src/{path.name}" for path in (ROOT / "blazeface" / "web" / "page" / "blazeface").iterdir()),
    }
    imported = set()
    for path in folder.rglob("*.js"):
        text = path.read_text("utf-8")
        imported |= {
            name for name in re.findall(r'(?:from|import\()\s*"([^"]+)"', text) if not name.startswith(".")
        }
        for name in re.findall(r'from "(\.[^"]+)"', text):
            assert (path.parent / name).is_file(), f"{path.name}: {name}"
    assert imported == {"onnxruntime-web", "onnxruntime-web/ort-wasm-simd-threaded.mjs"}


@pytest.mark.parametrize(
    ("module", "types"),
    [("blazeface", "index"), ("blazeface/mediapipe", "mediapipe"), ("blazeface/tensorflow", "tensorflow")],
)
def test_what_is_declared_is_exported(project: Path, module: str, types: str) -> None:  # noqa: F811
    text = (ROOT / "phones" / "js" / f"{types}.d.ts").read_text("utf-8")
    declared = set(re.findall(r"^export (?:function|class|const) (\w+)", text, re.MULTILINE))
    found = run_node(project, "return Object.keys(await import(given.module));", module=module)
    assert declared == set(found)


def agree(found: list[dict[str, Any]], expected: Any) -> None:
    """The same faces, from left to right: scores that round to 1 have no order."""
    assert len(found) == len(expected)
    from_left = np.argsort(expected.boxes[:, 0])
    for n, face in zip(from_left, sorted(found, key=lambda one: one["box"][0]), strict=True):
        np.testing.assert_allclose(face["box"], expected.boxes[n], atol=NEAR)
        np.testing.assert_allclose(face["keypoints"], expected.keypoints[n], atol=NEAR)
        assert face["score"] == pytest.approx(float(expected.scores[n]), abs=1e-3)


DETECT = (
    PICTURE
    + """
const { createDetector, loadBlockingRuntime, openBlockingNetwork, readModelFile, bytesOf, shippedModel, FaceDetector } =
  await import("blazeface");
const detector = await createDetector({ model: shippedModel(given.model) });
const { default: loader } = await import("onnxruntime-web/ort-wasm-simd-threaded.mjs");
const bytes = await bytesOf(shippedModel(given.model));
const now = new FaceDetector(readModelFile(bytes), openBlockingNetwork(await loadBlockingRuntime(loader), bytes));
const answers = [];
for (const each of given.pictures) for (const minFace of [null, "auto", 20]) {
  answers.push([await detector.detect(picture(each), { minFace }), now.detectNow(picture(each), { minFace })]);
}
await detector.close();
now.close();
return { answers, engine: detector.engine };
"""
)


@pytest.mark.parametrize("model", ["front-128", "back-256"])
def test_faces_are_python_s(project: Path, model: str) -> None:  # noqa: F811
    images = [portrait(), crowd(), np.ascontiguousarray(portrait()[:, 150:290])]
    given = [give_picture(project, f"{i}.rgba", image) for i, image in enumerate(images)]
    found = run_node(project, DETECT, model=model, pictures=given)
    assert found["engine"] == "wasm"
    answers, most = iter(found["answers"]), 0
    for image in images:
        for min_face in (None, "auto", 20):
            expected = FaceDetector(model, min_face=min_face).detect(image)
            most = max(most, len(expected))
            for faces in next(answers):
                agree(faces, expected)
    assert most >= 7


SPECS = """
const { readModelFile } = await import("blazeface");
const bytes = new Uint8Array(fs.readFileSync(given.path));
const said = [];
for (let length = 0; length < bytes.length; length = Math.ceil(length * 1.07) + 1) {
  try { readModelFile(bytes.subarray(0, length)); said.push("opened"); } catch (error) { said.push(error.message); }
}
return { file: readModelFile(bytes), said: [...new Set(said)] };
"""


@pytest.mark.parametrize("model", ["front-128", "back-256"])
def test_a_model_file_says_what_it_is_also_when_it_is_cut_short(project: Path, model: str) -> None:  # noqa: F811
    found = run_node(project, SPECS, path=str(ROOT / "blazeface" / "weights" / f"{model}.onnx"))
    assert found["file"]["spec"] == json.loads(FaceDetector(model).spec.to_json())
    assert found["file"]["multiple"] == FaceDetector(model)._backend.input_multiple
    assert set(found["said"]) == {
        "this is no ONNX file that blazeface exported: it has no blazeface.spec metadata",
        "this is no ONNX file, or it is cut short",
    }


FAULTS = (
    PICTURE
    + """
const { createDetector, shippedModel, FaceDetector } = await import("blazeface");
const mediapipe = await import("blazeface/mediapipe");
const tensorflow = await import("blazeface/tensorflow");
const detector = await createDetector({ model: shippedModel("front-128") });
const model = shippedModel("front-128");
const files = await mediapipe.FilesetResolver.forVisionTasks();
const task = await mediapipe.FaceDetector.createFromOptions(files, { baseOptions: { modelAssetPath: `${model.pathname}` } });
const one = { data: new Uint8Array(16), width: 2, height: 2 };
const said = async (act) => { try { await act(); return "nothing"; } catch (error) { return error.message; } };
return {
  engine: await said(() => createDetector({ model, engine: "gpu" })),
  webgpu: await said(() => createDetector({ model, engine: "webgpu" })),
  model: await said(() => createDetector({ model: 5 })),
  words: await said(() => createDetector({ model: new TextEncoder().encode("hello") })),
  nothing: await said(() => detector.detect(null)),
  short: await said(() => detector.detect({ data: new Uint8Array(8), width: 2, height: 2 })),
  empty: await said(() => detector.detect({ data: new Uint8Array(0), width: 0, height: 0 })),
  minFace: await said(() => detector.detect(one, { minFace: "all" })),
  now: await said(() => detector.detectNow(one)),
  video: await said(() => task.detectForVideo(one, 1)),
  region: await said(() => task.detect(one, { regionOfInterest: {} })),
  turn: await said(() => task.detect(one, { rotationDegrees: 45 })),
  closed: await said(() => (task.close(), task.detect(one))),
  asset: await said(() => mediapipe.FaceDetector.createFromOptions(files, {})),
  kind: await said(() => tensorflow.createDetector("Other")),
  tensors: await said(async () => (await tensorflow.load()).estimateFaces(one, true)),
};
"""
)


def test_faults_are_said_in_a_sentence(project: Path) -> None:  # noqa: F811
    said = run_node(project, FAULTS)
    assert said.pop("webgpu").startswith("The model could not be opened by webgpu: ")
    assert said == {
        "engine": 'engine must be "auto" or one of webgpu, wasm, cpu, not gpu',
        "model": "a model is the address of an .onnx file, or its bytes, not 5",
        "words": "this is no ONNX file, or it is cut short",
        "nothing": "a picture is an ImageData, a video, an img, a canvas, an ImageBitmap or a VideoFrame, not null",
        "short": "a picture of 2 x 2 has 16 bytes of RGBA, not 8",
        "empty": "this has no picture yet: wait until the video plays, or the img has loaded",
        "minFace": 'minFace must be a number of pixels from 1 up, "auto" or null, not all',
        "now": "this runtime gives its answers as promises: use detect",
        "video": "runningMode is IMAGE: use detect",
        "region": "this task doesn't support region-of-interest",
        "turn": "rotationDegrees must be a multiple of 90, not 45",
        "closed": "this FaceDetector is closed",
        "asset": "baseOptions must name a model: modelAssetPath or modelAssetBuffer",
        "kind": "Other is not a supported model name.",
        "tensors": "there are no tensors here: call estimateFaces with returnTensors false",
    }


OTHERS = (
    PICTURE
    + """
const { FaceDetector, FilesetResolver } = await import("blazeface/mediapipe");
const tensorflow = await import("blazeface/tensorflow");
const warned = [];
console.warn = (text) => warned.push(text);
const files = await FilesetResolver.forVisionTasks("https://cdn.example/@mediapipe/tasks-vision/wasm");
const task = await FaceDetector.createFromOptions(files, {
  baseOptions: { modelAssetPath: "https://x.example/blaze_face_short_range.tflite?v=1", delegate: "GPU" }, runningMode: "VIDEO" });
const all = picture(given.crowd);
const counts = [];
for (const minDetectionConfidence of [0.001, 0.99999, undefined]) {
  await task.setOptions({ minDetectionConfidence });
  counts.push(task.detectForVideo(all, counts.length).detections.length);
}
const model = fs.readFileSync("node_modules/blazeface/models/back-256.onnx");
const parts = [model.subarray(0, 1000), model.subarray(1000)].map((part) => new Uint8Array(part));
const reader = { read: async () => (parts.length ? { done: false, value: parts.shift() } : { done: true }) };
const other = await FaceDetector.createFromModelBuffer(files, reader);
const one = picture(given.portrait);
const values = new Float32Array(3 * one.width * one.height);
for (let i = 0; i < one.width * one.height; i++) for (let c = 0; c < 3; c++) values[3 * i + c] = one.data[4 * i + c];
const tensor = { shape: [one.height, one.width, 3], data: async () => values };
const six = await tensorflow.createDetector("MediaPipeFaceDetector", { runtime: "tfjs", maxFaces: 2, modelType: "full" });
const old = await tensorflow.load({ scoreThreshold: 0.5 });
return {
  warned, counts, back: other.detect(one), two: (await six.estimateFaces(all)).length,
  one: (await (await tensorflow.createDetector()).estimateFaces(all)).length,
  tensor: await old.estimateFaces(tensor), picture: await old.estimateFaces(one),
  mirrored: await old.estimateFaces(one, false, true), bare: await old.estimateFaces(one, false, false, false),
};
"""
)


def test_the_other_interfaces_do_what_their_options_say(project: Path) -> None:  # noqa: F811
    given = {
        "crowd": give_picture(project, "crowd.rgba", crowd()),
        "portrait": give_picture(project, "one.rgba", portrait()),
    }
    found = run_node(project, OTHERS, **given)
    assert found["warned"] == [
        "blazeface: https://x.example/blaze_face_short_range.tflite?v=1 is MediaPipe's model; front-128 of this package runs"
        " in its place"
    ]
    more, fewer, usual = found["counts"]
    assert more > usual > fewer == 0
    assert usual == len(FaceDetector().detect(crowd()))
    (detection,) = found["back"]["detections"]
    expected = FaceDetector("back-256").detect(portrait())
    x1, y1, x2, y2 = expected.boxes[0]
    box = detection["boundingBox"]
    assert [box[name] for name in ("originX", "originY", "width", "height")] == pytest.approx(
        [x1, y1, x2 - x1, y2 - y1], abs=NEAR
    )
    assert (found["one"], found["two"]) == (1, 2)
    face = FaceDetector().detect(portrait())
    (old,) = found["picture"]
    assert found["tensor"] == [old]
    assert [*old["topLeft"], *old["bottomRight"]] == pytest.approx(face.boxes[0].tolist(), abs=NEAR)
    np.testing.assert_allclose(old["landmarks"], face.keypoints[0], atol=NEAR)
    assert old["probability"] == pytest.approx(face.scores.tolist(), abs=1e-3)
    (mirrored,) = found["mirrored"]
    assert mirrored["topLeft"][0] == pytest.approx(511 - old["bottomRight"][0])
    np.testing.assert_allclose(mirrored["landmarks"], [[511 - x, y] for x, y in old["landmarks"]])
    assert found["bare"] == [{name: old[name] for name in ("topLeft", "bottomRight")}]
