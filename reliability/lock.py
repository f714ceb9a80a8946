"""Write requirements-dev.lock: the versions of constraints.txt with the SHA-256 of their files, for this platform.

    python -m reliability.lock

pip is asked which file it would take for each package, from wherever it is set up to take them; the lock names no such
place. torch is left out: its CUDA and CPU builds share a version and differ in their files.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from blazeface.files.staged import staged_file

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements-dev.lock"
LEFT_OUT = ("torch",)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        pins, report = Path(folder) / "pins.txt", Path(folder) / "report.json"
        pins.write_text("\n".join(locked_pins()) + "\n", encoding="utf-8")
        asked = ["--dry-run", "--ignore-installed", "--no-deps", "--only-binary", ":all:", "--report", str(report)]
        command = [sys.executable, "-m", "pip", "install", "--quiet", *asked, "--requirement", str(pins)]
        subprocess.run(command, check=True)
        text = lock_text(json.loads(report.read_text(encoding="utf-8")))
    with staged_file(LOCK) as part:
        part.write_text(text, encoding="utf-8")


def locked_pins() -> list[str]:
    """The lines of constraints.txt that belong into the lock."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.strip() for line in lines if "==" in line and not line.startswith("#")]
    return [pin for pin in pins if pin.split("==")[0].lower() not in LEFT_OUT]


def lock_text(report: dict[str, Any]) -> str:
    """pip's installation report as a requirements file with hashes."""
    version = ".".join(platform.python_version_tuple()[:2])
    lines = [
        f"# Written by `make lock` from constraints.txt, for {platform.system()} {platform.machine()} and Python {version};",
        "# see SECURITY.md. torch is not in it: its CUDA and CPU builds share a version and differ in their files.",
    ]
    for item in sorted(report["install"], key=lambda item: item["metadata"]["name"].lower()):
        sha256 = item["download_info"]["archive_info"]["hashes"]["sha256"]
        lines.append(f"{item['metadata']['name']}=={item['metadata']['version']} --hash=sha256:{sha256}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
