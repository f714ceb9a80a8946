"""Whole files of each kind, small ones, that mutants are made of."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def picture_seeds() -> list[bytes]:
    import cv2

    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 255, (40, 48, 3), np.uint8), (0, 0), 2)
    options: dict[str, list[int]] = {".jp2": [], ".tiff": [], ".avif": []}
    seeds = []
    for suffix in (".png", ".jpg", ".webp", ".gif", ".bmp", ".tiff", ".ppm", ".jp2", ".avif", ".hdr"):
        for kind in (image, image[:, :, 0], image.astype(np.uint16) * 257):
            try:
                done, data = cv2.imencode(suffix, kind, options.get(suffix, []))
            except cv2.error:
                continue
            if done:
                seeds.append(data.tobytes())
    progressive = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    turned = progressive[:2] + exif_turned(6) + progressive[2:]
    return [*seeds, progressive, turned]


def exif_turned(orientation: int) -> bytes:
    """An APP1 segment of a JPEG with one EXIF entry, the orientation."""
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0]) + bytes(4)
    body = b"Exif\0\0" + tiff
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body


def video_seeds() -> list[bytes]:
    """Twelve frames of 48 x 32 pixels in each container that is written here, and as moving pictures."""
    from fractions import Fraction

    from blazeface.sinks.video_writer import WRITABLE_VIDEOS, open_video_writer

    rng = np.random.default_rng(0)
    seeds = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix in sorted(WRITABLE_VIDEOS):
            path = Path(folder) / f"a{suffix}"
            with open_video_writer(path, 48, 32, Fraction(12), Fraction(1, 12)) as writer:
                for n in range(12):
                    writer.write(
                        rng.integers(0, 255, (4, 6, 3), np.uint8).repeat(8, 0).repeat(8, 1), Fraction(n, 12)
                    )
            seeds.append(path.read_bytes())
    return seeds + animation_seeds()


def animation_seeds() -> list[bytes]:
    import io

    from PIL import Image

    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 255, (16, 24, 3), np.uint8)) for _ in range(3)]
    seeds = []
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        file = io.BytesIO()
        frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=80)
        seeds.append(file.getvalue())
    return seeds


def covers_seeds() -> list[bytes]:
    return [COVERS.encode()]


def openvino_seeds() -> list[bytes]:
    """A network of a few layers as text; its constants are in OPENVINO_BIN."""
    ports = '<input><port id="0"/><port id="1"/></input><output><port id="2"/></output>'
    layers = (
        '<layer id="0" type="Parameter" version="opset1"><data shape="?,3,16,16" element_type="f32"/><output><port id="0"/></output></layer>'
        '<layer id="1" type="Const" version="opset1"><data element_type="f32" shape="4, 3, 3, 3" offset="0" size="432"/><output><port id="0"/></output></layer>'
        f'<layer id="2" type="Convolution" version="opset1"><data strides="2, 2" pads_begin="1, 1" pads_end="1, 1" dilations="1, 1"/>{ports}</layer>'
        '<layer id="3" type="Const" version="opset1"><data element_type="i64" shape="3" offset="432" size="24"/><output><port id="0"/></output></layer>'
        f'<layer id="4" type="Reshape" version="opset1"><data special_zero="false"/>{ports}</layer>'
        '<layer id="5" type="Result" version="opset1"><input><port id="0"/></input></layer>'
    )
    lines = "".join(
        f'<edge from-layer="{a}" from-port="{b}" to-layer="{c}" to-port="{d}"/>'
        for a, b, c, d in ((0, 0, 2, 0), (1, 0, 2, 1), (2, 2, 4, 0), (3, 0, 4, 1), (4, 2, 5, 0))
    )
    return [f'<net name="x"><layers>{layers}</layers><edges>{lines}</edges></net>'.encode()]


OPENVINO_BIN = bytes(432) + b"".join(side.to_bytes(8, "little", signed=True) for side in (-1, 64, 4))
COVERS = """{"blazeface_covers": 1, "look_at": [], "sources": [{"source": "a.mp4", "frames": 50, "sizes": [[0, 64, 48]],
 "covered_whole": [3], "people": [{"number": 1, "covered": true, "paths": [[[0, 1, 2, 9, 9.5], [40, 3, 4, 20, 21]]]}]}]}"""


LABELS = {
    "retinaface": [
        b"# a/1.jpg\n1 2 30 40 9 9 0.0 19 9 0.0 14 14 0.0 10 20 0.0 18 20 0.0 0.8\n",
        b"# b.jpg 200 100\n1 2 30 40\n5 6 7 8 1\n",
    ],
    "csv": [
        b"filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,200,100,face,1,2,30,40\nb.jpg,9,9,,,,,\n",
        b"source,score,x1,y1,x2,y2,right_eye_x,right_eye_y\na.jpg,.9,1,2,3,4,5,6\n",
    ],
    "voc": [
        b"<annotation><filename>a.jpg</filename><size><width>9</width><height>9</height></size><object><name>face</name>"
        b"<difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>"
        b"</annotation>"
    ],
    "yolo": [b"0 .5 .5 .1 .2\n", b"0 .5 .5 .1 .2 " + b".1 .2 2 " * 5 + b"\n"],
    "yaml": [b"path: .\ntrain: images/train\nnames: {0: face}\nkpt_shape: [5, 3]\nflip_idx: [1, 0, 2, 4, 3]\n"],
}
"""Small files of the formats of labels that are text."""


def zip_seeds() -> list[bytes]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for split in ("train", "val"):
            archive.writestr(f"wider_face_split/wider_face_{split}_bbx_gt.txt", wider_seeds()[0])
    return [stream.getvalue()]


def wider_seeds() -> list[bytes]:
    return [
        b"a/1.jpg\n2\n10 20 30 40 0 0 0 0 0 0\n-5 -5 1e3 10 2 1 1 1 2 1\nb.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n",
        b"c.jpg\r\n1\r\n1 2 3 4\r\n\r\nd e.jpg\r\n0\r\n",
    ]


def coco_seeds() -> list[bytes]:
    points = [number for n in range(6) for number in (10 * n, 5.5, 2)]
    data = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": "b", "file_name": "b/c.jpg", "width": 3}],
        "annotations": [
            {"image_id": 1, "bbox": [1, 2, 3, 4], "keypoints": points, "iscrowd": 0},
            {"image_id": "b", "bbox": [1.5, -2, 0, 4], "iscrowd": 1},
        ],
        "categories": [{"id": 1, "name": "face"}],
    }
    return [json.dumps(data).encode(), json.dumps(data, indent=1).encode()]


def spec_seeds() -> list[bytes]:
    from blazeface.spec import NAMED_SPECS

    return [spec.to_json().encode() for spec in NAMED_SPECS.values()]


def layout_seeds() -> list[bytes]:
    from blazeface.models.named_layouts import NAMED_LAYOUTS

    return [layout.to_json().encode() for layout in NAMED_LAYOUTS.values()]


def config_seeds() -> list[bytes]:
    from blazeface.training.config import TrainConfig

    return [TrainConfig().to_json().encode()]


def model_seeds(suffix: str, beside: str = "") -> list[bytes]:
    """A tiny network, so that most of its file says what it is rather than what its weights are. beside: the suffix of the
    second file of a format that has two, which is given in its place."""
    import torch

    from blazeface.export.format_table import Options, load_format
    from blazeface.models.layouts import Block, Layout
    from blazeface.models.network import BlazeFace
    from blazeface.models.weights import save_weights
    from blazeface.spec import AnchorMap, ModelSpec
    from blazeface.training.checkpoint import save_checkpoint
    from blazeface.training.config import TrainConfig
    from blazeface.training.distributed import Processes
    from blazeface.training.faces import FaceTrainer
    from blazeface.training.loop import Machine

    spec = ModelSpec("tiny", 16, (AnchorMap(4, (0.3,)), AnchorMap(2, (0.6, 0.9))), decode_scale=16.0)
    layout = Layout(4, 3, (Block(4, stride=2, feeds_head=True), Block(6, stride=2, bottleneck=3, feeds_head=True)))
    torch.manual_seed(0)
    network = BlazeFace(spec, layout).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"checkpoint{suffix}"
        if suffix == ".safetensors":
            save_weights(network, path)
        elif suffix == ".pt":
            save_checkpoint(
                FaceTrainer(network, TrainConfig(), Machine(), Processes()).checkpoint(9), Path(folder)
            )
        else:
            kind = {".param": "ncnn", ".xml": "openvino"}.get(suffix, suffix[1:])
            load_format(kind).write(network.folded(), path, Options())
        return [(path.with_suffix(beside) if beside else path).read_bytes()]


def regions_seeds() -> list[bytes]:
    return [
        json.dumps({"val/a.jpg": {"ignore": [[1, 2, 3, 4]], "decoys": [[5, 6, 7.5, 8]]}, "b/c.jpg": {}}).encode()
    ]


def header_seeds() -> list[bytes]:
    """The JSON headers of weights of the three kinds: a detector's, a second stage's, a segmenter's."""
    from blazeface.crop import CropSpec
    from blazeface.models.light.segmenters import SEGMENTERS, build_segmenter, save_segmenter
    from blazeface.models.refine import KINDS, build_refine, save_refine

    kind, first = sorted(SEGMENTERS)[0], sorted(KINDS)[0]
    writers: list[Callable[[Path], Any]] = [
        lambda path: path.write_bytes(model_seeds(".safetensors")[0]),
        lambda path: save_refine(build_refine(first, CropSpec()), path),
        lambda path: save_segmenter(build_segmenter(kind), kind, path),
    ]
    seeds = []
    with tempfile.TemporaryDirectory() as folder:
        for write in writers:
            path = Path(folder) / "x.safetensors"
            write(path)
            data = path.read_bytes()
            seeds.append(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return seeds
