"""Write requirements-dev.lock: the versions of constraints.txt with the SHA-256 of all their files.

    python -m reliability.lock --pip-compile PATH

pip-compile asks the package index that pip is set up with for the hashes; the lock names no index. torch is left out:
its CUDA and CPU builds share a version and differ in their files.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from blazeface.files.whole import beside

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements-dev.lock"
LEFT_OUT = ("torch",)
HEAD = """# Written by `make lock` from constraints.txt; see SECURITY.md. torch is not in it: its CUDA and CPU builds share a
# version and differ in their files.
#
#     pip install --require-hashes --no-deps -r requirements-dev.lock
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pip-compile", default="pip-compile")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pins, out = Path(folder) / "pins.in", Path(folder) / "pins.txt"
        pins.write_text("\n".join(locked_pins()) + "\n", encoding="utf-8")
        quiet = (
            "--no-emit-index-url",
            "--no-emit-find-links",
            "--no-emit-trusted-host",
            "--no-annotate",
            "--no-header",
        )
        command = [args.pip_compile, "--quiet", "--generate-hashes", "--allow-unsafe", "--strip-extras", *quiet]
        subprocess.run([*command, "--output-file", str(out), str(pins)], check=True)
        text = out.read_text(encoding="utf-8")
    with beside(LOCK) as part:
        part.write_text(HEAD + text, encoding="utf-8")


def locked_pins() -> list[str]:
    """The lines of constraints.txt that belong into the lock."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.strip() for line in lines if "==" in line and not line.startswith("#")]
    return [pin for pin in pins if pin.split("==")[0].lower() not in LEFT_OUT]


if __name__ == "__main__":
    main()
