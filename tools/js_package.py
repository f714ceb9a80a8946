"""The npm package: the page's modules with what phones/js adds, in one folder, and packed.

python -m tools.js_package dist         # writes dist/blazeface-VERSION.tgz with `npm pack`, which needs no network
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import blazeface
from blazeface.errors import BlazeFaceError
from blazeface.version import __version__
from blazeface.web.runtime import RUNTIME_VERSION
from blazeface.web.site import PAGE

ROOT = Path(blazeface.__file__).parents[1]

MODELS = ("front-128", "back-256")


def stage(folder: Path) -> Path:
    """Lay the package out in a new folder, as npm will pack it."""
    shutil.copytree(ROOT / "phones" / "js", folder, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copytree(PAGE / "blazeface", folder / "src")
    shutil.copy(ROOT / "LICENSE", folder / "LICENSE")
    (folder / "models").mkdir()
    for model in MODELS:
        for suffix in (
            ".onnx",
            ".md",
        ):  # the card says what the weights were trained on, and for what they may be used
            shutil.copy(ROOT / "blazeface" / "weights" / f"{model}{suffix}", folder / "models")
    description = json.loads((folder / "package.json").read_text("utf-8"))
    description["version"] = __version__
    # Exactly the one that is tested: src/blocking.js calls functions that other versions may not have.
    description["peerDependencies"]["onnxruntime-web"] = RUNTIME_VERSION
    (folder / "package.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    for path in [
        folder,
        *folder.rglob("*"),
    ]:  # whatever this machine's files have, so that the archive is the same
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def pack(target: Path) -> Path:
    """Pack the package into a folder; gives the archive's path. Raises BlazeFaceError without npm."""
    npm = shutil.which("npm")
    if npm is None:
        raise BlazeFaceError("packing the npm package needs npm, which is not installed")
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = stage(Path(temporary) / "package")
        command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(target.absolute())]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise BlazeFaceError(f"npm could not pack phones/js: {done.stderr.strip() or done.stdout.strip()}")
    return target / done.stdout.split()[-1]


if __name__ == "__main__":
    print(f"wrote {pack(Path(sys.argv[1] if len(sys.argv) > 1 else 'dist'))}")
