"""The npm package of phones/js, laid out as npm would install it, and programs run in Node beside it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import pytest
from browser import absent

from blazeface.geometry import Image
from tools.js_package import stage

PEERS = Path(__file__).parent / "peers" / "node_modules"
"""onnxruntime-web, TypeScript and the packages whose interfaces ours has; `npm ci` brings them, as in `make phones-js-check`."""


def need(*names: str) -> None:
    """Skip (or fail, in `make phones-js-check`) without Node or one of PEERS."""
    if shutil.which("node") is None:
        absent("Node is not installed")
    missing = [name for name in names if not (PEERS / name).is_dir()]
    if missing:
        absent(f"{', '.join(missing)} of npm not there: run `npm ci` in tests/phones/peers")


def install(folder: Path) -> Path:
    """A project with blazeface beside PEERS in its node_modules."""
    need("onnxruntime-web")
    modules = folder / "node_modules"
    stage(modules / "blazeface")
    for path in PEERS.iterdir():  # each, so that Node finds what they ask of each other
        (modules / path.name).symlink_to(path)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def run_node(folder: Path, program: str, **given: Any) -> Any:
    """What `program` returns; it is the body of an async function, and sees `given` and `fs`."""
    (folder / "given.json").write_text(json.dumps(given))
    (folder / "program.js").write_text(
        "import fs from 'node:fs';\nconst given = JSON.parse(fs.readFileSync('given.json', 'utf8'));\n"
        f"const result = await (async () => {{ {program} }})();\n"
        "fs.writeFileSync('result.json', JSON.stringify(result));\n"
    )
    done = subprocess.run(["node", "program.js"], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "result.json").read_text())


def give_picture(folder: Path, name: str, image: Image) -> dict[str, Any]:
    """Write a BGR picture as RGBA bytes; what `picture(...)` of PICTURE reads."""
    (folder / name).write_bytes(cv2.cvtColor(image, cv2.COLOR_BGR2RGBA).tobytes())
    return {"name": name, "width": image.shape[1], "height": image.shape[0]}


PICTURE = "const picture = ({ name, width, height }) => ({ data: fs.readFileSync(name), width, height });\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("project"))
