"""The phones' C++ and Kotlin against Python on pictures of people: the same bytes into the network, and from the outputs
that are recorded of it the same faces.

    make phones-check DATA=ROOT
    python -m benchmarks.phones.parity --data ROOT --count 200          # ROOT in the WIDER FACE layout, or a folder of pictures

Prints what it found, writes benchmarks/results/phones.json and phones.md, and ends with status 1 where a byte differs or a
number lies further apart than the limit. Kotlin is left out, and said to be, where no compiler is installed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks import RESULTS
from benchmarks.phones.programs import FAST, compile_cpp, compile_kotlin, kotlin_compiler
from benchmarks.phones.recording import Buffer, Recording, face_rows, faces_in, largest_difference, same_faces
from blazeface.anchors import anchor_centers
from blazeface.backends import open_backend
from blazeface.detector import model_path, postprocess, prepare
from blazeface.files.pictures import read_picture
from blazeface.files.staged import write_text
from blazeface.geometry import letterbox_image

MODELS = ("front-128", "back-256")
THRESHOLDS = (0.5, 0.1)
"""The models' own, and the one from which faces are followed to be covered."""
NEAR = 1e-4
"""Of a score, and of a coordinate in pixels of the picture."""
AT_ONCE = 20
"""Pictures that are recorded together: 60 MB."""


@dataclass
class Parity:
    """What one language gave. bytes_differing: of all letterboxed squares. furthest: of all scores and coordinates, in pixels
    of the pictures; infinite where one had another number of faces. beyond: pictures with a number beyond the limit."""

    language: str
    pictures: int = 0
    squares: int = 0
    bytes_differing: int = 0
    faces: int = 0
    furthest: float = 0.0
    beyond: int = 0


def chosen(root: Path, count: int) -> list[Path]:
    """Pictures of a folder, evenly: of WIDER_val/images where that is in it."""
    folder = root / "WIDER_val" / "images"
    paths = sorted(p for p in (folder if folder.is_dir() else root).rglob("*") if p.suffix in (".jpg", ".png"))
    step = max(1, len(paths) // count)
    return paths[::step][:count]


def measure(paths: Sequence[Path], commands: dict[str, list[str]]) -> list[Parity]:
    found = {language: Parity(language) for language in commands}
    for start in range(0, len(paths), AT_ONCE):
        some = paths[start : start + AT_ONCE]
        for language, command in commands.items():
            for model in MODELS:
                with tempfile.TemporaryDirectory() as folder:
                    _compare(some, model, Recording(Path(folder)), command, found[language])
            found[language].pictures += len(some)
    return list(found.values())


def _compare(paths: Sequence[Path], model: str, recording: Recording, command: list[str], parity: Parity) -> None:
    squares, faces = {}, {}
    backend = open_backend(model_path(model), "onnxruntime", 1)
    spec = backend.spec
    centers = anchor_centers(spec.anchor_maps)
    for i, path in enumerate(paths):
        picture = read_picture(str(path))
        recording.letterbox(f"{i}", Buffer.of(picture), model)
        squares[f"{i}"] = letterbox_image(picture, spec.input_size, spec.resampling)[0]
        tensor, letterbox = prepare(picture, spec)
        logits, regressions = backend.run(tensor[None])
        for threshold in THRESHOLDS:
            name = f"{i}-{threshold}"
            recording.faces(name, logits[0], regressions[0], letterbox, model, threshold)
            faces[name] = postprocess(logits[0], regressions[0], letterbox, spec, centers, threshold)
    results = recording.run(command)
    for name, square in squares.items():
        given = recording.bytes_of(f"{name}.square").reshape(square.shape)[:, :, ::-1]
        parity.squares += 1
        parity.bytes_differing += int(np.count_nonzero(given != square))
    for name, expected in faces.items():
        given_rows, rows = faces_in(results[name]), face_rows(expected)
        parity.faces += len(rows)
        parity.furthest = max(parity.furthest, largest_difference(given_rows, rows))
        parity.beyond += not same_faces(given_rows, rows, NEAR)


def table(parities: Sequence[Parity]) -> Iterator[str]:
    yield "| | pictures | letterboxed squares | bytes that differ | faces | furthest number from Python's |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for p in parities:
        yield (
            f"| {p.language} | {p.pictures} | {p.squares} | {p.bytes_differing} of {_bytes(p):,} | {p.faces:,} |"
            f" {p.furthest:.1e} |"
        )


def _bytes(parity: Parity) -> int:
    sides = [open_backend(model_path(model), "onnxruntime", 1).spec.input_size for model in MODELS]
    return parity.pictures * sum(3 * side * side for side in sides)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, metavar="ROOT")
    parser.add_argument("--count", type=int, default=200, metavar="N")
    args = parser.parse_args(arguments)
    paths = chosen(args.data, args.count)
    if not paths:
        print(f"{args.data}: holds no pictures", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        commands = {"C++": [str(compile_cpp("checks/replay.cpp", Path(folder) / "replay", FAST))]}
        if kotlin_compiler():
            commands["Kotlin"] = compile_kotlin(Path(folder) / "replay.jar")
        else:
            print("Kotlin is left out: no compiler is installed", file=sys.stderr)
        parities = measure(paths, commands)
    text = "\n".join(table(parities)) + "\n"
    print(text, end="")
    write_text(RESULTS / "phones.json", json.dumps([asdict(p) for p in parities], indent=2) + "\n")
    write_text(RESULTS / "phones.md", text)
    return int(any(p.bytes_differing or p.beyond for p in parities))


if __name__ == "__main__":
    sys.exit(main())
