"""The same labelled pictures in every format of labels that is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from blazeface.geometry import Image

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Marked:
    """A picture's name, its pixels, and its faces: x y w h and five points in RetinaFace's order (or none)."""

    name: str
    image: Image
    faces: tuple[tuple[tuple[float, float, float, float], Points], ...]


Splits = dict[str, list[Marked]]


def write_labels(form: str, root: Path, splits: Splits) -> Path:
    """A data folder in one of LAYOUTS; give back what `--data` takes."""
    LAYOUTS[form](root, splits)
    return root


def save(folder: Path, pictures: list[Marked]) -> None:
    for picture in pictures:
        path = folder / picture.name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), picture.image)


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def wider(root: Path, splits: Splits) -> None:
    for split, pictures in splits.items():
        save(root / f"WIDER_{split}" / "images", pictures)
        lines = []
        for picture in pictures:
            lines += [picture.name, str(len(picture.faces))]
            lines += [f"{x} {y} {w} {h} 0 0 0 0 0 0" for (x, y, w, h), _ in picture.faces] or [
                "0 0 0 0 0 0 0 0 0 0"
            ]
        text(root / "wider_face_split" / f"wider_face_{split}_bbx_gt.txt", "\n".join(lines) + "\n")


def retinaface(root: Path, splits: Splits) -> None:
    for split, pictures in splits.items():
        save(root / split / "images", pictures)
        lines = []
        for picture in pictures:
            lines.append(f"# {picture.name}")
            for (x, y, w, h), points in picture.faces:
                places = [f"{px} {py} 0.0" for px, py in points] or ["-1.0 -1.0 -1.0"] * 5
                lines.append(f"{x} {y} {w} {h} {' '.join(places)} 0.9")
        text(root / split / "label.txt", "\n".join(lines) + "\n")


def labelv2(root: Path, splits: Splits) -> None:
    for split, pictures in splits.items():
        save(root / split / "images", pictures)
        lines = []
        for picture in pictures:
            height, width = picture.image.shape[:2]
            lines.append(f"# {picture.name} {width} {height}")
            for (x, y, w, h), points in picture.faces:
                places = [f"{px} {py} 0.0" for px, py in points] or ["-1 -1 -1"] * 5
                lines.append(f"{x} {y} {x + w} {y + h} {' '.join(places)}")
        text(root / split / "labelv2.txt", "\n".join(lines) + "\n")


def coco_data(pictures: list[Marked], names: list[str] | None = None) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures):
        height, width = picture.image.shape[:2]
        images.append({"id": number, "file_name": picture.name, "width": width, "height": height})
        for box, points in picture.faces:
            flat = [value for px, py in points for value in (px, py, 2)]
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": number,
                    "category_id": 2,
                    "bbox": list(box),
                    "keypoints": flat,
                }
            )
            x, y, w, h = box
            person = [x - w, y - h / 2, 3 * w, 5 * h]
            annotations.append({"id": len(annotations), "image_id": number, "category_id": 1, "bbox": person})
    face = {"id": 2, "name": "face"} | ({"keypoints": names} if names else {})
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}, face]}


def coco(root: Path, splits: Splits) -> None:
    names = ["eye_right", "eye_left", "nose", "mouth_right", "mouth_left"]
    for split, pictures in splits.items():
        save(root / f"{split}2017", pictures)
        text(root / "annotations" / f"person_keypoints_{split}2017.json", json.dumps(coco_data(pictures, names)))


def roboflow(root: Path, splits: Splits) -> None:
    """COCO as a well-known service exports it: labels among the pictures, val called valid."""
    for split, pictures in splits.items():
        folder = root / {"val": "valid"}.get(split, split)
        save(folder, pictures)
        text(folder / "_annotations.coco.json", json.dumps(coco_data(pictures)))


def yolo_lines(picture: Marked) -> str:
    height, width = picture.image.shape[:2]
    lines = []
    for (x, y, w, h), points in picture.faces:
        row = [(x + w / 2) / width, (y + h / 2) / height, w / width, h / height]
        for px, py in points or ((0, 0),) * 5:
            row += [px / width, py / height, 2 if points else 0]
        lines.append("1 " + " ".join(f"{value:.9g}" for value in row) + "\n")
    return "".join(lines)


def yolo(root: Path, splits: Splits) -> None:
    for split, pictures in splits.items():
        save(root / "images" / split, pictures)
        for picture in pictures:
            text((root / "labels" / split / picture.name).with_suffix(".txt"), yolo_lines(picture))
    yaml = "path: .\ntrain: images/train\nval: images/val\nnames: {0: person, 1: face}\nkpt_shape: [5, 3]\n"
    text(root / "data.yaml", yaml)


def yolo_bare(root: Path, splits: Splits) -> None:
    """Without data.yaml, and each split in a folder of its own."""
    for split, pictures in splits.items():
        folder = root / {"val": "valid"}.get(split, split)
        save(folder / "images", pictures)
        for picture in pictures:
            text((folder / "labels" / picture.name).with_suffix(".txt"), yolo_lines(picture))


def voc(root: Path, splits: Splits) -> None:
    for split, pictures in splits.items():
        save(root / "JPEGImages", pictures)
        stems = [picture.name.rsplit(".", 1)[0] for picture in pictures]
        text(root / "ImageSets" / "Main" / f"{split}.txt", "\n".join(stems) + "\n")
        for stem, picture in zip(stems, pictures, strict=True):
            height, width = picture.image.shape[:2]
            objects = [
                f"<object><name>face</name><difficult>0</difficult><bndbox><xmin>{x}</xmin><ymin>{y}</ymin>"
                f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
                for (x, y, w, h), _ in picture.faces
            ]
            size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
            xml = f"<annotation><filename>{picture.name}</filename>{size}{''.join(objects)}</annotation>"
            text(root / "Annotations" / f"{stem}.xml", xml)


def table(root: Path, splits: Splits) -> None:
    parts = ["right_eye", "left_eye", "nose_tip", "mouth_right", "mouth_left"]
    header = "filename,width,height,class,xmin,ymin,xmax,ymax," + ",".join(
        f"{p}_{axis}" for p in parts for axis in "xy"
    )
    for split, pictures in splits.items():
        save(root / split, pictures)
        rows = [header]
        for picture in pictures:
            height, width = picture.image.shape[:2]
            for (x, y, w, h), points in picture.faces:
                flat = [f"{value}" for point in points for value in point] or [""] * 10
                rows.append(f"{picture.name},{width},{height},face,{x},{y},{x + w},{y + h},{','.join(flat)}")
            if not picture.faces:
                rows.append(f"{picture.name},{width},{height},,,,,," + "," * 9)
        text(root / f"{split}_labels.csv", "\n".join(rows) + "\n")


LAYOUTS: dict[str, Callable[[Path, Splits], None]] = {
    "wider": wider,
    "retinaface": retinaface,
    "labelv2": labelv2,
    "coco": coco,
    "roboflow": roboflow,
    "yolo": yolo,
    "yolo_bare": yolo_bare,
    "voc": voc,
    "csv": table,
}

FORMAT_OF = {"labelv2": "retinaface", "roboflow": "coco", "yolo_bare": "yolo"}
"""The name for `--format` of a layout, where it has another name."""

BOXES_ALONE = {"wider", "voc"}
