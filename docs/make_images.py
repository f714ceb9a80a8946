"""Draw the README's picture with the shipped model: faces of several sizes on one canvas."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, ROOT / "data" / "make_pictures.py", folder], check=True)
        out = ROOT / "docs" / "images" / "crowd.jpg"
        out.parent.mkdir(exist_ok=True)
        command = [sys.executable, ROOT / "detect.py", Path(folder) / "crowd.jpg", "--output", out, "--no-window"]
        subprocess.run(command, check=True)
