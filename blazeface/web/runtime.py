"""onnxruntime-web, which runs the network in the browser: where it lies, and how it gets there.

It is the npm package of that name (MIT). The page needs a few files of it, 41 MB; they are not part of this
project. npm fetches them once, and each is held against the hash of the release that was tested.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from blazeface.errors import BlazeFaceError

RUNTIME_VERSION = "1.30.0"

RUNTIME_FILES = {
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    "ort.webgpu.min.mjs": "3dffff71811bc13a3a3d9591c57ca5ee5735b8f5f3eaf789510b02bb040ae3a0",
    "ort-wasm-simd-threaded.asyncify.mjs": "3d1c85995364bb643302fc6fd877a0c3ba5ae72401815e0f24828a53d9191e28",
    "ort-wasm-simd-threaded.asyncify.wasm": "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da",
}
"""SHA-256 of each file. The first three run on any device; the others, on WebGPU."""

VENDOR = Path(__file__).parent / "vendor"
"""Where the files lie unless another folder is named: not under version control, and in no wheel."""

FETCH_SECONDS = 300


def missing_files(folder: Path) -> list[str]:
    """Names of the runtime's files that are not in a folder."""
    return [name for name in RUNTIME_FILES if not (folder / name).is_file()]


def how_to_get(folder: Path) -> str:
    """What a person does to get the files."""
    return (
        f"run `blazeface web --fetch-runtime` (it needs npm), or copy {', '.join(missing_files(folder))} from dist/ of "
        f"the npm package onnxruntime-web {RUNTIME_VERSION} into {folder}"
    )


def fetch_runtime(folder: Path) -> bool:
    """Bring the runtime's files into a folder with npm; False when they were all there.

    Raises BlazeFaceError without npm, without a network, when a file is not the one that was tested, or when the
    folder cannot be written. Files that are there already stay; a new one appears whole or not at all.
    """
    missing = missing_files(folder)
    if not missing:
        return False
    npm = shutil.which("npm")
    if npm is None:
        raise BlazeFaceError(f"fetching onnxruntime-web needs npm, which is not installed; {how_to_get(folder)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Beside their place, so that moving them there is one step.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as temporary:
            _unpack(_pack(npm, Path(temporary)), missing, Path(temporary))
            for name in missing:
                os.replace(Path(temporary) / name, folder / name)
    except OSError as error:
        raise BlazeFaceError(f"{folder}: onnxruntime-web cannot be put there: {error}") from error
    return True


def _pack(npm: str, folder: Path) -> Path:
    """Have npm download the package as one archive."""
    command = [npm, "pack", f"onnxruntime-web@{RUNTIME_VERSION}", "--silent"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise BlazeFaceError(f"npm did not bring onnxruntime-web within {FETCH_SECONDS} seconds") from error
    archives = list(folder.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        lines = (done.stderr.strip() or done.stdout.strip() or "it gave no reason").splitlines()
        raise BlazeFaceError(f"npm could not bring onnxruntime-web {RUNTIME_VERSION}: {lines[-1]}")
    return archives[0]


def _unpack(archive: Path, names: list[str], folder: Path) -> None:
    """Take some files out of the package's dist/, and only if they are those of the release."""
    try:
        with tarfile.open(archive) as package:
            for name in names:
                member = package.extractfile(f"package/dist/{name}")
                data = member.read() if member is not None else b""
                if hashlib.sha256(data).hexdigest() != RUNTIME_FILES[name]:
                    raise BlazeFaceError(
                        f"onnxruntime-web {RUNTIME_VERSION}: {name} is not the file that was tested"
                    )
                (folder / name).write_bytes(data)
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise BlazeFaceError(
            f"onnxruntime-web {RUNTIME_VERSION}: npm's archive cannot be read: {error}"
        ) from error
