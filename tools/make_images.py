"""Draw the README's picture with the shipped model: data/pictures/gallery.jpg, its faces found from 14 pixels on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

if __name__ == "__main__":
    picture, found = ROOT / "data" / "pictures" / "gallery.jpg", ROOT / "docs" / "images" / "crowd.jpg"
    flags = ["--min-face", "14", "--output", str(found), "--no-window", "--overwrite"]
    subprocess.run([sys.executable, str(ROOT / "detect.py"), str(picture), *flags], check=True)
