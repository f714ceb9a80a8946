"""Exported ONNX files in onnxruntime-web's WebAssembly, in a real browser: the same numbers as in Python.

`make browser-check` fetches onnxruntime-web and runs this."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from browser import absent, chromium, run_page

from blazeface.backends.onnx_backend import OnnxBackend
from blazeface.detector import FaceDetector, prepare
from blazeface.files.pictures import read_picture
from blazeface.web.runtime import RUNTIME_FILES, VENDOR, how_to_get

ROOT = Path(__file__).parents[1]
FRONT = ROOT / "blazeface" / "weights" / "front-128.onnx"
WASM_ONLY = [name for name in RUNTIME_FILES if "webgpu" not in name and "asyncify" not in name]

PAGE = """<!doctype html><meta charset="utf-8"><script type="module">
const report = (answer) => fetch("/report", { method: "POST", body: JSON.stringify(answer) });
try {
  const ort = await import("/ort.wasm.min.mjs");
  ort.env.wasm.wasmPaths = new URL("/", location).href;
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create("/model.onnx", { executionProviders: ["wasm"] });
  const shape = await (await fetch("/shape.json")).json();
  const values = new Float32Array(await (await fetch("/input.bin")).arrayBuffer());
  const found = await session.run({ image: new ort.Tensor("float32", values, shape) });
  const plain = {};
  for (const name of session.outputNames) plain[name] = Array.from(found[name].data);
  report({ outputs: plain, agent: navigator.userAgent });
} catch (error) {
  report({ error: `${error}` });
}
</script>"""


@pytest.mark.parametrize("size", [1, 3])
def test_webassembly_gives_pythons_numbers(size: int, tmp_path: Path) -> None:
    chromium()
    missing = [name for name in WASM_ONLY if not (VENDOR / name).is_file()]
    if missing:
        absent(f"onnxruntime-web is not there: {how_to_get(VENDOR)}")
    portrait = read_picture(str(ROOT / "data" / "pictures" / "astronaut.png"))
    model = Path(os.environ.get("BLAZEFACE_BROWSER_MODEL", FRONT))
    backend = OnnxBackend(model, 1)
    views = [portrait, portrait[:, ::-1], portrait[60:300, 130:370]][:size]
    batch = np.stack([prepare(np.ascontiguousarray(view), backend.spec)[0] for view in views])
    for name in WASM_ONLY:
        (tmp_path / name).symlink_to((VENDOR / name).resolve())
    (tmp_path / "model.onnx").symlink_to(model.resolve())
    (tmp_path / "input.bin").write_bytes(batch.tobytes())
    (tmp_path / "shape.json").write_text(json.dumps(batch.shape))
    (tmp_path / "check.html").write_text(PAGE)
    outputs = run_page(tmp_path, "check.html")["outputs"]
    logits, regressions = backend.run(batch)
    found = np.array(outputs["logits"]).reshape(logits.shape), np.array(outputs["regressions"])
    scale = backend.spec.decode_scale
    np.testing.assert_allclose(found[0], logits, atol=1e-4)
    np.testing.assert_allclose(found[1].reshape(regressions.shape) / scale, regressions / scale, atol=1e-4)
    assert len(FaceDetector(model).detect(portrait)) == 1  # the picture is one where there is something to find
