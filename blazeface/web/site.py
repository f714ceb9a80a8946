"""What the page consists of: addresses, and the file or the bytes behind each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from blazeface.backends import open_backend
from blazeface.detector import WEIGHTS
from blazeface.errors import BlazeFaceError
from blazeface.spec import NAMED_SPECS
from blazeface.web.runtime import RUNTIME_FILES, RUNTIME_VERSION

PAGE = Path(__file__).parent / "page"

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".onnx": "application/octet-stream",
    ".crt": "application/x-x509-ca-cert",
}
"""Said here and not asked of the system, whose tables differ: a module with another type does not run."""


PIECE = 1 << 16


@dataclass(frozen=True)
class Content:
    """What lies at one address: a file on disk, or bytes that were made."""

    source: Path | bytes

    def tag_and_size(self) -> tuple[str, int]:
        """What tells this content from an older one, and its size in bytes."""
        if isinstance(self.source, bytes):
            return f'"{hashlib.sha256(self.source).hexdigest()[:32]}"', len(self.source)
        with self.source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return f'"{digest[:32]}"', file.tell()

    def pieces(self, size: int) -> Iterator[bytes]:
        """The first `size` bytes, in pieces; more must not follow what was announced."""
        if isinstance(self.source, bytes):
            yield self.source[:size]
            return
        with self.source.open("rb") as file:
            while size > 0 and (piece := file.read(min(size, PIECE))):
                size -= len(piece)
                yield piece

    def read(self) -> bytes:
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


Site = dict[str, Content]


def make_site(models: Sequence[str | Path], runtime: Path) -> Site:
    """All addresses of the page, such as "index.html" or "models/front-128.onnx", without a leading slash.

    models: names of shipped models or paths of .onnx files, each opened once to see that it can be run; the first is the
    one that the page starts with. runtime: the folder with onnxruntime-web; files missing there are left out,
    and the page says so. Raises BlazeFaceError for a model that is missing, damaged or foreign, or named twice.
    """
    site = {path.relative_to(PAGE).as_posix(): Content(path) for path in sorted(PAGE.rglob("*")) if path.is_file()}
    names = []
    for model in models:
        path = WEIGHTS / f"{model}.onnx" if str(model) in shipped() else Path(model)
        if path.suffix != ".onnx":
            raise BlazeFaceError(
                f"{path}: the page runs .onnx files; the shipped models are {', '.join(shipped())}"
            )
        open_backend(path, "onnxruntime", threads=1)  # what cannot be run here is not handed out
        name = path.stem
        if name in names or not name.isprintable() or set(name) & set('/\\?#%"<>'):
            raise BlazeFaceError(
                f"{path}: another model has that name, or it cannot stand in an address; rename it"
            )
        names.append(name)
        site[f"models/{name}.onnx"] = Content(path)
    found = [name for name in RUNTIME_FILES if (runtime / name).is_file()]
    site |= {f"vendor/{name}": Content(runtime / name) for name in found}
    index = {"models": names, "runtime": RUNTIME_VERSION, "runtime_files": found}
    site["site.json"] = Content(json.dumps(index).encode())
    return site


def shipped() -> list[str]:
    """Names of the detectors that come with the package, front-128 first."""
    names = (path.stem for path in WEIGHTS.glob("*.onnx") if path.stem in NAMED_SPECS)
    return sorted(names, key=lambda name: (name != "front-128", name))


def write_site(site: Site, folder: Path) -> int:
    """Copy the page into a new or empty folder, for a web host of the user's. Gives the number of files.

    Raises BlazeFaceError for a folder that holds something already, or that cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BlazeFaceError(f"{folder}: it holds something already; name a new folder")
        for address, content in site.items():
            path = folder / address
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())
    except OSError as error:
        raise BlazeFaceError(f"{folder}: the page cannot be written: {error}") from error
    return len(site)
