"""What each step gives for one shipped picture, for whoever puts a model on a phone: phones/expected.json, and its tables in
docs/phones.md.

python -m tools.phone_numbers

The picture is the first 384 rows of data/pictures/astronaut.png, 512 x 384, so that it has a black border above and below in
the network's square. What goes wrong most often is done wrong as well, to show what it looks like.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import RESULTS
from blazeface.anchors import anchor_centers
from blazeface.backends import open_backend
from blazeface.decode import decode, sigmoid
from blazeface.detector import candidates, model_path, postprocess
from blazeface.files.pictures import read_picture
from blazeface.files.staged import write_text
from blazeface.geometry import Image, letterbox_image

ROOT = Path(__file__).parents[1]
EXPECTED = ROOT / "phones" / "expected.json"
GUIDE = ROOT / "docs" / "phones.md"
MEASURED = {"parity": "phones.md", "vulkan": "phones_vulkan.md", "micro": "micro.md"}
"""Tables of the guide that benchmarks write: the name between its marks, and its file in benchmarks/results."""
PICTURE = "data/pictures/astronaut.png"
ROWS = 384
MODEL = "front-128"
PLACE = (56, 27)
"""Column and row of a pixel of the square: on the forehead."""
DIGITS = 4

Tensor = NDArray[np.float32]


def numbers() -> dict[str, Any]:
    """All of expected.json."""
    picture = np.ascontiguousarray(read_picture(str(ROOT / PICTURE))[:ROWS, :, ::-1])  # RGB
    backend = open_backend(model_path(MODEL), "onnxruntime", 1)
    spec = backend.spec
    square, box = letterbox_image(picture, spec.input_size)
    tensor = normalised(square)
    logits, regressions = (output[0] for output in backend.run(tensor[None]))
    centers = anchor_centers(spec.anchor_maps)
    best = int(logits.argmax())
    boxes, keypoints = decode(regressions[best : best + 1], centers[best : best + 1], spec.decode_scale)
    faces = postprocess(logits, regressions, box, spec, centers, spec.score_threshold)
    column, row = PLACE
    x, y = 4 * column, 4 * (row - int(box.offset_y))
    return {
        "picture": {
            "file": PICTURE,
            "rows": ROWS,
            "width": picture.shape[1],
            "height": picture.shape[0],
            "pixel": {"x": x, "y": y, "rgb": picture[y, x].tolist()},
            "mean_rgb": _rounded(picture.mean(axis=(0, 1)), 2),
        },
        "square": {
            "size": spec.input_size,
            "scale": _rounded([box.scale_x, box.scale_y]),
            "offset": _rounded([box.offset_x, box.offset_y]),
            "pixel": {"x": column, "y": row, "rgb": square[row, column].tolist()},
            "mean_rgb": _rounded(square.mean(axis=(0, 1)), 2),
            "sum_of_bytes": int(square.sum()),
        },
        "tensor": {
            "red_green_blue": _rounded(tensor[:, row, column]),
            "index_rows_columns_colours": (row * spec.input_size + column) * 3,
            "index_colours_rows_columns": row * spec.input_size + column,
            "first": _rounded([tensor[0, 0, 0]])[0],
        },
        "network": {
            "model": MODEL,
            "best_anchor": best,
            "center": _rounded(centers[best]),
            "logit": _rounded([logits[best]], 3)[0],
            "regressions": _rounded(regressions[best], 2),
        },
        "decoded": {
            "score": _rounded(sigmoid(logits[best : best + 1]))[0],
            "box": _rounded(boxes[0]),
            "right_eye": _rounded(keypoints[0, 0]),
            "left_eye": _rounded(keypoints[0, 1]),
            "candidates": len(candidates(logits, regressions, spec, centers, spec.score_threshold)[1]),
        },
        "faces": faces.to_dict(2),
        "done_wrong": [
            {
                "fault": fault,
                **_answer(backend.run(wrong(picture, square)[None]), centers, backend.spec.decode_scale),
            }
            for fault, wrong in FAULTS.items()
        ],
    }


def normalised(square: Image) -> Tensor:
    """RGB bytes (S, S, 3) -> planes (3, S, S) from -1 to 1."""
    return ((square.transpose(2, 0, 1).astype(np.float32) - 127.5) / 127.5).astype(np.float32)


def _stretched(picture: Image, square: Image) -> Tensor:
    rows, columns = (np.arange(len(square)) * side // len(square) for side in picture.shape[:2])
    return normalised(picture[rows][:, columns])


FAULTS: dict[str, Callable[[Image, Image], Tensor]] = {
    "nothing": lambda picture, square: normalised(square),
    "blue, green, red in place of red, green, blue": lambda picture, square: normalised(square[:, :, ::-1]),
    "mirrored": lambda picture, square: normalised(square[:, ::-1]),
    "turned by 90 degrees clockwise": lambda picture, square: normalised(np.rot90(square, -1)),
    "values from 0 to 1": lambda picture, square: square.transpose(2, 0, 1).astype(np.float32) / np.float32(255),
    "values from 0 to 255": lambda picture, square: square.transpose(2, 0, 1).astype(np.float32),
    "row, column, colour given as colour, row, column": lambda picture, square: normalised(
        square.reshape(3, *square.shape[:2]).transpose(1, 2, 0)
    ),
    "stretched to the square": _stretched,
}
"""What may be done wrong, and the tensor that it gives of a picture (RGB) and its letterboxed square."""


def _answer(outputs: tuple[Any, Any], centers: NDArray[np.float32], scale: float) -> dict[str, Any]:
    """The best anchor's logit, its box in units of the input's side, and the places of both eyes."""
    logits, regressions = outputs[0][0], outputs[1][0]
    best = int(logits.argmax())
    boxes, keypoints = decode(regressions[best : best + 1], centers[best : best + 1], scale)
    return {
        "logit": _rounded([logits[best]], 2)[0],
        "box": _rounded(boxes[0], 2),
        "right_eye": _rounded(keypoints[0, 0], 2),
        "left_eye": _rounded(keypoints[0, 1], 2),
    }


def _rounded(values: Any, digits: int = DIGITS) -> list[float]:
    return [round(float(value), digits) for value in values]


def tables(found: dict[str, Any]) -> str:
    """The numbers as the guide shows them."""
    picture, square, tensor = found["picture"], found["square"], found["tensor"]
    network, decoded, (face,) = found["network"], found["decoded"], found["faces"]
    rows = [
        ("picture", "width x height", f"{picture['width']} x {picture['height']}"),
        ("", f"pixel ({_place(picture)}), red, green, blue", _list(picture["pixel"]["rgb"])),
        ("", "means of red, green, blue", _list(picture["mean_rgb"])),
        ("letterbox", "scale x, y; offset x, y", f"{_list(square['scale'])}; {_list(square['offset'])}"),
        ("", f"pixel ({_place(square)}) of the square", _list(square["pixel"]["rgb"])),
        ("", "means of red, green, blue", _list(square["mean_rgb"])),
        ("", "sum of all its bytes", f"{square['sum_of_bytes']:,}"),
        ("tensor", f"the same pixel's red, green, blue (from -1 to 1; the border is {tensor['first']})",
         _list(tensor["red_green_blue"])),
        ("", "where its red is: row, column, colour", str(tensor["index_rows_columns_colours"])),
        ("", "where its red is: colour, row, column", str(tensor["index_colours_rows_columns"])),
        (f"network, {network['model']}", "best anchor; its logit", f"{network['best_anchor']}; {network['logit']}"),
        ("", "its first four regressions", _list(network["regressions"][:4])),
        ("decode", "its centre", _list(network["center"])),
        ("", "its score; its box, in units of the square's side", f"{decoded['score']}; {_list(decoded['box'])}"),
        ("", "candidates of at least 0.5", str(decoded["candidates"])),
        ("blend", "faces", str(len(found["faces"]))),
        ("", "box, in pixels of the picture; score", f"{_list(face['box'])}; {face['score']}"),
        ("", "right eye, left eye", f"{_list(face['keypoints'][0])}; {_list(face['keypoints'][1])}"),
    ]  # fmt: skip
    lines = ["| step | number | value |", "| --- | --- | --- |", *(f"| {a} | {b} | {c} |" for a, b, c in rows), ""]
    lines += [
        "| done wrong | logit of the best anchor | its box | right eye | left eye |",
        "| --- | --- | --- | --- | --- |",
    ]
    for wrong in found["done_wrong"]:
        cells = [
            wrong["fault"],
            str(wrong["logit"]),
            *(_list(wrong[key]) for key in ("box", "right_eye", "left_eye")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _place(part: dict[str, Any]) -> str:
    return f"{part['pixel']['x']}, {part['pixel']['y']}"


def _list(values: list[Any]) -> str:
    return ", ".join(str(value) for value in values)


def filled(guide: str, found: dict[str, Any]) -> str:
    """The guide with its tables replaced: these numbers, and what other commands measured."""
    contents = {"numbers": tables(found)}
    contents |= {name: (RESULTS / file).read_text(encoding="utf-8") for name, file in MEASURED.items()}
    for name, content in contents.items():
        marks = re.compile(rf"(<!-- {name}: python -m \S+ -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        assert marks.search(guide), f"docs/phones.md has lost the marks of its {name}"
        guide = marks.sub(lambda match, text=content: match[1] + text + match[2], guide)  # type: ignore[misc]
    return guide


if __name__ == "__main__":
    measured = numbers()
    write_text(EXPECTED, json.dumps(measured, indent=1) + "\n")
    write_text(GUIDE, filled(GUIDE.read_text(encoding="utf-8"), measured))
    print(f"wrote {EXPECTED.relative_to(ROOT)} and the tables of {GUIDE.relative_to(ROOT)}")
