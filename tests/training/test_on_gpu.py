"""Training on a GPU (`benchmarks.training.on_gpu`), computed on the CPU: its transforms against OpenCV's and albumentations',
its pool, its mirror, and a run."""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A
import cv2
import numpy as np
import pytest
import torch

from benchmarks.training.on_gpu import augment
from benchmarks.training.on_gpu import train as on_gpu
from benchmarks.training.on_gpu.pool import LABELS, Pool, mirrored
from blazeface.data.dataset import Batch
from blazeface.geometry import Image
from blazeface.models.network import build
from blazeface.models.weights import load_weights
from blazeface.training.config import TrainConfig


class Drawn:
    """A generator that draws the given numbers, for one image."""

    def __init__(self, *values: float):
        self._values = list(values)

    def uniform(self, _low: float, _high: float, count: int) -> np.ndarray:
        return np.full(count, self._values.pop(0))


def photo() -> Image:
    """A picture of soft colours with edges in it, RGB."""
    rng = np.random.default_rng(0)
    soft = cv2.resize(rng.integers(0, 256, (6, 6, 3), np.uint8), (64, 64), interpolation=cv2.INTER_CUBIC)
    cv2.circle(soft, (30, 34), 14, (220, 180, 150), -1)
    return np.asarray(soft, np.uint8)


def as_batch(image: Image) -> torch.Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()


def as_image(batch: torch.Tensor) -> np.ndarray:
    return batch[0].clamp(0, 255).round().permute(1, 2, 0).numpy()


def with_albumentations(transform: Any) -> Image:
    return np.asarray(transform(image=photo())["image"])


def with_jpeg(quality: int) -> Image:
    _, data = cv2.imencode(".jpg", photo()[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[:, :, ::-1]


@pytest.mark.parametrize(
    ("ours", "drawn", "theirs", "apart"),
    [
        (
            augment.hue_saturation_value,
            (10, 20, 15),
            lambda: with_albumentations(A.HueSaturationValue((10, 10), (20, 20), (15, 15), p=1)),
            1.5,
        ),
        (augment.gamma, (1.5,), lambda: with_albumentations(A.RandomGamma((150, 150), p=1)), 1.0),
        (augment.downscale, (0.5,), lambda: with_albumentations(A.Downscale((0.5, 0.5), p=1)), 0.01),
        (
            augment.brightness_contrast,
            (-0.4, 0.2),
            lambda: with_albumentations(A.RandomBrightnessContrast((0.2, 0.2), (-0.4, -0.4), p=1)),
            1.0,
        ),
        (augment.jpeg, (30,), lambda: with_jpeg(30), 2.0),
        (augment.jpeg, (80,), lambda: with_jpeg(80), 1.5),
        (
            lambda images, rng: augment.gaussian_blur(images, 1.0, rng),
            (1.5,),
            lambda: cv2.GaussianBlur(photo(), (0, 0), 1.5, borderType=cv2.BORDER_REFLECT_101),
            0.5,
        ),
    ],
    ids=["hue", "gamma", "downscale", "contrast", "jpeg 30", "jpeg 80", "blur"],
)
def test_a_transform_is_the_librarys(
    ours: Callable[..., torch.Tensor], drawn: tuple[float, ...], theirs: Callable[[], Image], apart: float
) -> None:
    """Mean difference in grey levels; that to the undisturbed picture is several times as large."""
    expected = theirs().astype(np.float64)
    found = as_image(ours(as_batch(photo()), Drawn(*drawn)))
    assert np.abs(found - expected).mean() < apart
    assert np.abs(photo() - expected).mean() > 3 * np.abs(found - expected).mean()


def test_nothing_is_made_all_black_or_all_white() -> None:
    images = as_batch(photo()).repeat(200, 1, 1, 1)
    found = augment.brightness_contrast(images, np.random.default_rng(0)).clamp(0, 255)
    assert float(found.mean(dim=(1, 2, 3)).min()) > 5
    assert float(found.std(dim=(1, 2, 3)).min()) > 5


def test_a_batch_keeps_its_shape_and_range() -> None:
    images = torch.randint(0, 256, (64, 3, 96, 176), dtype=torch.uint8)
    found = augment.disturb(images, 128, np.random.default_rng(0))
    assert found.shape == images.shape and found.dtype == torch.float32
    assert float(found.min()) >= 0 and float(found.max()) <= 255
    changed = (found != images).flatten(1).any(dim=1)
    assert 0.5 < float(changed.float().mean()) < 1


def one_face(width: int, labels: int = 1) -> Batch:
    """A view 32 pixels high, of a network of 32 pixels, with a face at its left edge."""
    images = torch.zeros(1, 3, 32, width, dtype=torch.uint8)
    images[..., :4] = 200
    face = torch.zeros(1, labels, dtype=torch.bool)
    face[0, 0] = True
    boxes, keypoints = torch.zeros(1, labels, 4), torch.zeros(1, labels, 6, 2)
    boxes[0, 0] = torch.tensor([0.0, 0.25, 0.125, 0.5])
    keypoints[0, 0, :, 0] = torch.tensor([0.01, 0.02, 0.03, 0.04, 0.05, 0.06])
    visibility = torch.full((1, labels, 6), 2, dtype=torch.uint8)
    return Batch(images, boxes, keypoints, visibility, face, torch.zeros_like(face))


def test_a_mirrored_view() -> None:
    batch = mirrored(one_face(48), torch.tensor([True]), 1.5)
    assert batch.boxes[0, 0].tolist() == [1.375, 0.25, 1.5, 0.5]
    assert batch.keypoints[0, 0, :, 0].tolist() == pytest.approx([1.48, 1.49, 1.47, 1.46, 1.44, 1.45])
    assert batch.images[0, 0, 0, -4:].tolist() == [200] * 4 and int(batch.images[0, 0, 0, :44].sum()) == 0
    same = mirrored(one_face(48), torch.tensor([False]), 1.5)
    assert torch.equal(same.boxes, one_face(48).boxes) and torch.equal(same.images, one_face(48).images)


def test_the_pool_keeps_the_newest_and_leaves_crowds_out() -> None:
    pool = Pool(3, 32, torch.device("cpu"))
    for shade in range(5):
        batch = one_face(32)
        batch.images[:] = shade
        pool.put(batch)
    crowd = one_face(32, LABELS + 1)
    crowd.face[:] = True
    pool.put(crowd)
    assert pool.put_so_far == 5
    drawn = pool.draw(64, np.random.default_rng(0))
    assert set(drawn.images[:, 0, 0, 0].tolist()) == {2, 3, 4}
    assert drawn.boxes.shape == (64, 1, 4) and drawn.face.all()
    assert {round(x, 3) for x in drawn.boxes[:, 0, 0].tolist()} == {0.0, 0.875}


def test_a_run_learns_and_writes_its_average(tmp_path: Path) -> None:
    torch.manual_seed(0)
    views: queue.Queue[Batch] = queue.Queue()
    batch = Batch(
        **{name: value.repeat(64, *(1,) * (value.dim() - 1)) for name, value in vars(one_face(128)).items()}
    )
    batch.images = batch.images.repeat(1, 1, 4, 1)
    for _ in range(on_gpu.FIRST_VIEWS // 64):
        views.put(batch)
    network = build("paper-128")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    config = TrainConfig(model="paper-128", batch=8, ema=0.5)
    on_gpu.train(network, config, Pool(64, 128, torch.device("cpu")), views, 3.0, tmp_path / "x")
    assert (tmp_path / "x.csv").read_text().startswith("seconds,step,crops,views")
    after = load_weights(tmp_path / "x.safetensors").state_dict()
    assert any(not torch.equal(after[name], before[name]) for name in before)
