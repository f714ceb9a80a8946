"""Draw the README's picture with the shipped model: faces of several sizes on one canvas."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        script = str(ROOT / "tools" / "make_pictures.py")
        subprocess.run([sys.executable, script, folder], check=True)
        out = ROOT / "docs" / "images" / "crowd.jpg"
        out.parent.mkdir(exist_ok=True)
        crowd = str(Path(folder) / "crowd.jpg")
        detect = [
            sys.executable,
            str(ROOT / "detect.py"),
            crowd,
            "--output",
            str(out),
            "--no-window",
            "--overwrite",
        ]
        subprocess.run(detect, check=True)
