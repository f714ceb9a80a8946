"""Every minor version of OpenCV that pyproject.toml allows, with the oldest NumPy that it goes with, reads and writes pictures
and videos; numpy < 2 is what makes pip choose an old one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VERSIONS = {
    "4.9.0.80": "1.26.4",
    "4.10.0.84": "1.26.4",
    "4.11.0.86": "1.26.4",
    "4.12.0.88": "2.0.2",
    "4.13.0.92": "2.0.2",
    "4.14.0.94": "2.4.6",
}

USE = """
import json, sys, cv2, numpy as np, blazeface
from blazeface.cli.main import main
print(cv2.__version__, np.__version__)
picture = sys.argv[1]
image = cv2.imread(picture)
assert len(blazeface.detect(picture)) == len(blazeface.detect(image)) == 1
for suffix in ("jpg", "png", "webp", "tiff"):
    cv2.imwrite(f"a.{suffix}", image)
    assert main(["detect", f"a.{suffix}", "--output", f"out.{suffix}", "--json", f"{suffix}.json", "--quiet"]) == 0, suffix
    assert len(json.load(open(f"{suffix}.json"))[0]["faces"]) == 1
    assert cv2.imread(f"out.{suffix}").shape == image.shape
writer = cv2.VideoWriter("clip.avi", cv2.VideoWriter.fourcc(*"MJPG"), 25, (512, 512))
for _ in range(5):
    writer.write(image)
writer.release()
sys.modules["av"] = None
assert main(["detect", "--video", "clip.avi", "--output", "clip.mp4", "--json", "clip.json", "--no-window", "--quiet"]) == 0
assert [len(row["faces"]) for row in json.load(open("clip.json"))] == [1] * 5
assert main(["detect", "a.png", "--blur", "solid", "--output", "hidden.png", "--quiet"]) == 0
assert not blazeface.detect("hidden.png")
open("torn.jpg", "wb").write(open("a.jpg", "rb").read()[:900])
assert main(["detect", "torn.jpg", "--json", "torn.json", "--quiet"]) == 1
print("works")
"""


def test_each_minor_version_of_the_declared_range_is_here() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (declared,) = (need for need in project["dependencies"] if need.startswith("opencv"))
    assert declared == "opencv-python>=4.9,<5"
    minors = [int(version.split(".")[1]) for version in VERSIONS]
    assert minors == list(range(9, minors[-1] + 1))
    assert f"opencv-python=={list(VERSIONS)[-1]}\n" in (ROOT / "constraints.txt").read_text(encoding="utf-8")
    said = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert f"OpenCV 4.9 to 4.{minors[-1]} work" in said


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", VERSIONS)
def test_version(version: str, tmp_path: Path) -> None:
    place = tmp_path / "site"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--target",
        str(place),
    ]
    wanted = [f"opencv-python-headless=={version}", f"numpy=={VERSIONS[version]}"]
    fetched = subprocess.run([*command, *wanted], capture_output=True, text=True, timeout=600)
    if fetched.returncode:
        if re.search("No matching distribution|Could not find a version", fetched.stderr):
            pytest.skip(f"no wheel of {' and '.join(wanted)} for this Python")
        pytest.fail(fetched.stderr[-1000:])
    env = {**os.environ, "PYTHONPATH": f"{place}{os.pathsep}{ROOT}"}
    env.pop("DISPLAY", None)
    picture = ROOT / "data" / "pictures" / "astronaut.png"
    run = [sys.executable, "-W", "ignore", "-c", USE, str(picture)]
    result = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=250)
    assert result.returncode == 0, result.stderr[-3000:]
    first, *_, last = result.stdout.splitlines()
    assert first == f"{version.rpartition('.')[0]} {VERSIONS[version]}" and last == "works"
    assert json.loads((tmp_path / "clip.json").read_text())[4]["index"] == 4
