"""Kinds of pictures that front-128 was not trained on, made from labelled ones by what its recipe does not have.

No package that can be had carries pictures of a new kind with boxes of faces, so they are made. "false-colour" looks like what thermal
cameras show (it is no thermal picture: what is dark becomes hot); "fisheye" is what a door viewer shows, its labels bent
with it; "facemask" is a source as it is, which front-128 knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.data.even_choice import chosen_evenly
from blazeface.detector import FaceDetector
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image

Points = NDArray[np.float64]
Bend = Callable[[Points, tuple[int, int]], Points]
"""Places (N, 2) in a picture of (height, width), in the made one."""

HALF_ANGLE = np.deg2rad(70.0)
"""Half the angle of view of the made fisheye along the longer side."""

GRAIN = 160
"""Longer side in pixels of the sensor behind false colours: what cheap thermal cameras have."""


@dataclass(frozen=True)
class Kind:
    """source, faceless: the sources of the data set that are changed. train, val: pictures with a face, face-less ones of val.
    change: the picture of the kind. bend: where its labels come to lie."""

    source: str
    change: Callable[[Image, np.random.Generator], Image]
    bend: Bend
    train: int = 200
    val: int | None = 400
    faceless: str = "neg_houses"


def false_colour(image: Image, rng: np.random.Generator) -> Image:
    """Inverted light in false colours, from a coarse and noisy sensor."""
    height, width = image.shape[:2]
    scale = min(1.0, GRAIN / max(height, width))
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    coarse = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.float32)
    noisy = 255 - coarse + rng.normal(0, 5, coarse.shape)
    smooth = cv2.GaussianBlur(np.clip(noisy, 0, 255).astype(np.uint8), (3, 3), 0.6)
    maps = (cv2.COLORMAP_JET, cv2.COLORMAP_INFERNO, cv2.COLORMAP_PLASMA)
    made = cv2.applyColorMap(smooth, maps[int(rng.integers(len(maps)))])
    return np.asarray(cv2.resize(made, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def fisheye(image: Image, _: np.random.Generator) -> Image:
    """The equidistant projection (the distance from the middle is the angle) of what a plain lens saw."""
    height, width = image.shape[:2]
    middle, reach = _camera((height, width))
    y, x = np.mgrid[0:height, 0:width].astype(np.float64) + 0.5
    away = np.stack([x, y], 2) - middle
    angle = np.linalg.norm(away, axis=2) / reach * HALF_ANGLE
    seen = (
        middle + away * _ratio(np.tan(np.minimum(angle, 1.5)) / np.tan(HALF_ANGLE), angle / HALF_ANGLE)[..., None]
    )
    at = (seen - 0.5).astype(np.float32)
    made = cv2.remap(image, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
    return np.where((angle <= HALF_ANGLE)[..., None], made, 0).astype(np.uint8)


def bend_fisheye(places: Points, shape: tuple[int, int]) -> Points:
    """Where places of a picture lie in its `fisheye`."""
    middle, reach = _camera(shape)
    away = places - middle
    far = np.linalg.norm(away, axis=1) / reach
    return middle + away * _ratio(np.arctan(far * np.tan(HALF_ANGLE)) / HALF_ANGLE, far)[:, None]


def same(places: Points, _: tuple[int, int]) -> Points:
    return places


ORDINARY = Path("WIDER_train") / "images" / "ordinary"
"""Where `add_ordinary` has the ordinary pictures, within its folder."""

KINDS = {
    "false-colour": Kind("webfaces", false_colour, same),
    "fisheye": Kind("webfaces", fisheye, bend_fisheye),
    "facemask": Kind("facemask", lambda image, _: image, same, val=None),
}


def make_data(root: Path, name: str, out: Path) -> dict[str, int]:
    """A data folder of the kind: pictures with a face in train; in val such pictures, and face-less ones of the same kind. How many
    pictures and faces train has. What is there already is kept."""
    kind = KINDS[name]
    counts = {}
    for split in ("train", "val"):
        data = json.loads((root / "keypoints" / f"{split}.json").read_text("utf-8"))
        images, faces = _chosen(data, kind, split)
        made = []
        for number, image in enumerate(images):
            shape = _make_picture(root, out, split, image["file_name"], kind, number)
            made.append({**image, "height": shape[0], "width": shape[1]})
        shapes = {image["id"]: (image["height"], image["width"]) for image in made}
        bent = [_bent(entry, shapes[entry["image_id"]], kind.bend) for entry in faces]
        (out / "keypoints").mkdir(parents=True, exist_ok=True)
        text = json.dumps({**data, "images": made, "annotations": bent})
        (out / "keypoints" / f"{split}.json").write_text(text, "utf-8")
        if split == "train":
            counts = {"pictures": len(made), "faces": sum(not entry.get("iscrowd") for entry in bent)}
    return counts


def add_ordinary(root: Path, own: Path, out: Path) -> Path:
    """A data folder of the kind's pictures and of ordinary ones of train, as many again, half of them face-less, labelled by
    front-128 as `detect --coco` labels: nobody has to draw anything. The pictures of the kind are those of `own`."""
    known = json.loads((own / "keypoints" / "train.json").read_text("utf-8"))
    data = json.loads((root / "keypoints" / "train.json").read_text("utf-8"))
    count = len(known["images"])
    houses = [image for image in data["images"] if image["file_name"].startswith("neg_")]
    others = [image for image in data["images"] if not image["file_name"].startswith("neg_")]
    images, faces = list(known["images"]), list(known["annotations"])
    detector = FaceDetector("front-128", threads=1)
    for number, image in enumerate(chosen_evenly(others, count // 2) + chosen_evenly(houses, count // 2)):
        picture = read_picture(str(root / "WIDER_train" / "images" / image["file_name"]))
        name, key = f"{ORDINARY.name}/{number}.jpg", 10_000_000 + number
        _link(root / "WIDER_train" / "images" / image["file_name"], out / "WIDER_train" / "images" / name)
        images.append({"id": key, "file_name": name, "width": picture.shape[1], "height": picture.shape[0]})
        for face in detector.detect(picture):
            x1, y1, x2, y2 = (float(value) for value in face.box)
            points = [value for x, y in face.keypoints.tolist() for value in (x, y, 1)]
            entry = {
                "image_id": key,
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "keypoints": points,
                "score": float(face.score),
            }
            faces.append(
                {"id": key * 100 + len(faces), "category_id": known["categories"][0]["id"], "iscrowd": 0, **entry}
            )
    for image in known["images"]:
        _link(
            own / "WIDER_train" / "images" / image["file_name"],
            out / "WIDER_train" / "images" / image["file_name"],
        )
    _link(own / "WIDER_val", out / "WIDER_val")
    (out / "keypoints").mkdir(parents=True, exist_ok=True)
    text = json.dumps({**known, "images": images, "annotations": faces})
    (out / "keypoints" / "train.json").write_text(text, "utf-8")
    _link(own / "keypoints" / "val.json", out / "keypoints" / "val.json")
    return out


def _link(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        place.symlink_to(path.resolve())


def _chosen(data: dict[str, Any], kind: Kind, split: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    with_face = {entry["image_id"] for entry in data["annotations"] if not entry.get("iscrowd")}
    of = {
        source: [i for i in data["images"] if i["file_name"].startswith(f"{source}/")]
        for source in (kind.source, kind.faceless)
    }
    shown = [image for image in of[kind.source] if image["id"] in with_face]
    images = chosen_evenly(shown, kind.train if split == "train" else kind.val)
    images = images + ([] if split == "train" else of[kind.faceless])
    ids = {image["id"] for image in images}
    return images, [entry for entry in data["annotations"] if entry["image_id"] in ids]


def _make_picture(root: Path, out: Path, split: str, name: str, kind: Kind, number: int) -> tuple[int, int]:
    """(height, width) of the picture of the kind; it is written where it is not there."""
    image = read_picture(str(root / f"WIDER_{split}" / "images" / name))
    path = out / f"WIDER_{split}" / "images" / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), kind.change(image, np.random.default_rng(number)), [cv2.IMWRITE_JPEG_QUALITY, 92])
    return image.shape[0], image.shape[1]


def _bent(entry: dict[str, Any], shape: tuple[int, int], bend: Bend) -> dict[str, Any]:
    """An annotation of COCO in the made picture: the box around its bent outline, its points, unknown ones as they are."""
    x, y, w, h = entry["bbox"]
    along = np.linspace(0, 1, 9)
    outline = np.concatenate([[(x + w * t, y + h * s), (x + w * s, y + h * t)] for t in along for s in (0.0, 1.0)])
    moved = bend(outline.astype(np.float64), shape)
    (left, top), (right, bottom) = moved.min(axis=0), moved.max(axis=0)
    bent = {**entry, "bbox": [round(float(v), 2) for v in (left, top, right - left, bottom - top)]}
    if entry.get("keypoints"):
        points = np.array(entry["keypoints"], np.float64).reshape(-1, 3)
        known = points[:, 2] > 0
        points[known, :2] = bend(points[known, :2], shape)
        bent["keypoints"] = [float(v) for v in points.round(2).ravel()]
    return bent


def _camera(shape: tuple[int, int]) -> tuple[Points, float]:
    """The middle (x, y) of a picture, and half its longer side."""
    height, width = shape
    return np.array([width / 2, height / 2]), max(height, width) / 2


def _ratio(above: Points, below: Points) -> Points:
    """above / below, and its limit in the middle of the picture, where both are nothing."""
    return np.divide(above, below, out=np.full_like(below, 1.0), where=below > 1e-9)
