"""The npm package on WebGPU: the same faces. The main processor imitates the graphics processor here."""

from __future__ import annotations

import shutil
from pathlib import Path

import browser
import cv2
import pytest
from browser import chromium, run_page
from js_package import project  # noqa: F401  (a fixture)
from test_js_package import agree, crowd

from blazeface import FaceDetector

PAGE = Path(__file__).parent / "pages" / "webgpu.html"

WEBGPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--use-vulkan=swiftshader")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["front-128", "back-256"])
def test_faces_are_python_s(project: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    chromium()
    # The old way of having no window, and a browser that is told to do without, have no WebGPU.
    flags = [flag.replace("--headless", "--headless=new") for flag in browser.FLAGS if flag != "--disable-gpu"]
    monkeypatch.setattr(browser, "FLAGS", (*flags, "--enable-features=Vulkan"))
    cv2.imwrite(str(project / "picture.png"), crowd())
    shutil.copy(PAGE, project)
    found = run_page(project, f"webgpu.html?{model}", WEBGPU)
    assert found["engine"] == "webgpu"
    agree(found["faces"], FaceDetector(model).detect(crowd()))
    searched = FaceDetector(model, min_face="auto").detect(crowd())
    agree(found["searched"], searched)
    assert len(searched) >= 7
    # "auto" would not have taken it: it is slower than WebAssembly.
    assert found["why"] is None or "imitation" in found["why"]
