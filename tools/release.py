"""Make what a release consists of, without a network: `python tools/release.py [FOLDER]`, or `make release`.

FOLDER (default: out/release) takes the wheel, the sdist, a .tflite file of each shipped detector, the npm package where npm is
installed, the bill of materials (CycloneDX) and SHA256SUMS. Two runs of one commit give the same bytes: files are those that git
tracks, with the time of the last commit and without owners or the modes of this machine, and the wheel is built from the unpacked
sdist.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from blazeface.detector import WEIGHTS, shipped_models  # noqa: E402
from blazeface.version import __version__  # noqa: E402
from tools.js_package import pack  # noqa: E402
from tools.sbom import bill, sha256  # noqa: E402

OLDEST = 315_532_800
"""1980-01-01, before which a zip file has no times: what an unpacked archive without git gets."""

MADE_ANYWHERE = shutil.ignore_patterns(".git", ".venv*", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")
MADE_AT_THE_TOP = {"out", "runs", "build", "dist"}
"""What commands write there; further down, blazeface/training/runs is part of the package."""


def left_out(folder: str, names: list[str]) -> set[str]:
    """What is made and not source, for `shutil.copytree` of the project."""
    return MADE_ANYWHERE(folder, names) | (MADE_AT_THE_TOP & set(names) if Path(folder) == ROOT else set())


def main(folder: Path) -> None:
    """Make everything beside FOLDER, and put it there when all of it is done. Raises SystemExit with a sentence."""
    seconds = commit_time()
    with tempfile.TemporaryDirectory() as made:
        source, out = Path(made) / "source", Path(made) / "release"
        out.mkdir()
        copy_source(source)
        rough = build("sdist", source, Path(made), seconds)
        sdist = out / rough.name
        repack(rough, sdist, seconds)
        with tarfile.open(sdist) as archive:
            archive.extractall(Path(made) / "unpacked", filter="data")
        (unpacked,) = (Path(made) / "unpacked").iterdir()
        wheel = build("wheel", unpacked, out, seconds)
        for name in shipped_models():
            put_tflite(name, out)
        if shutil.which("npm"):
            pack(out)
        else:
            print("release: npm is not installed, so the npm package is left out", file=sys.stderr)
        write(out / f"blazeface-{__version__}.cdx.json", bill(source, __version__, wheel, seconds))
        sums = "".join(f"{sha256(path)}  {path.name}\n" for path in sorted(out.iterdir()))
        write(out / "SHA256SUMS", sums)
        if folder.exists():
            shutil.rmtree(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(out, folder)
    print(sums, end="")


def git(*arguments: str) -> str | None:
    """What git says; None where this is no checkout."""
    result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return None if result.returncode else result.stdout


def commit_time() -> int:
    """Seconds since 1970 of SOURCE_DATE_EPOCH, else of the last commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct")
    return int(given) if given else OLDEST


def copy_source(target: Path) -> None:
    """The files that git tracks, or all that an unpacked archive holds, with plain modes."""
    tracked = git("ls-files", "-z")
    if tracked is None:
        shutil.copytree(ROOT, target, ignore=left_out)
    else:
        for name in tracked.split("\0"):
            if name and (ROOT / name).is_file():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, target / name)
    plain_modes(target)


def plain_modes(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def build(kind: str, source: Path, out: Path, seconds: int) -> Path:
    """An sdist or a wheel, by the build backend that is installed here: nothing is fetched."""
    plain_modes(source)
    code = f"import sys; from setuptools.build_meta import build_{kind}; print(build_{kind}(sys.argv[1]))"
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(seconds), "PYTHONHASHSEED": "0"}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", code, str(out)]
    result = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, umask=0o022)
    if result.returncode:
        raise SystemExit(f"release: the {kind} could not be built:\n{result.stderr[-2000:]}")
    return out / result.stdout.split()[-1]


def repack(rough: Path, target: Path, seconds: int) -> None:
    """The same archive with its files in order, one time, and no owners."""
    packed = io.BytesIO()
    with tarfile.open(rough) as old, tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            plain = tarfile.TarInfo(member.name)
            plain.type, plain.size, plain.mtime = member.type, member.size, seconds
            plain.mode = 0o755 if member.isdir() else 0o644
            new.addfile(plain, old.extractfile(member) if member.isfile() else None)
    with target.open("wb") as file, gzip.GzipFile("", "wb", 9, file, seconds) as zipped:
        zipped.write(packed.getvalue())


def put_tflite(name: str, out: Path) -> None:
    """The .tflite files of a model: those that are shipped, else one in float16."""
    shipped = sorted(WEIGHTS.glob(f"{name}*.tflite"))
    for path in shipped:
        shutil.copyfile(path, out / path.name)
    if not shipped:
        target = out / f"{name}.tflite"
        flags = ["--weights", name, "--format", "tflite", "--precision", "float16", "--out", str(target)]
        result = subprocess.run([sys.executable, "export.py", *flags], cwd=ROOT, capture_output=True, text=True)
        if result.returncode:
            raise SystemExit(f"release: {name}.tflite could not be made: {result.stderr[-2000:]}")
        target.with_name(f"{target.name}.report.json").unlink()


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "out" / "release")
