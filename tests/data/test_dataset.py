"""The data set: reproducible, balanced, and unmoved by broken pictures."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from blazeface.data.augment import Augmentation, augmentations
from blazeface.data.crops import CropRecipe, views_for
from blazeface.data.dataset import CropDataset, StepSampler, balance, collate, init_worker
from blazeface.data.pictures import PictureCache
from blazeface.data.samples import Sample
from blazeface.errors import BlazeFaceError


def make_samples(folder: Path, count: int = 4) -> list[Sample]:
    rng = np.random.default_rng(0)
    samples = []
    for i in range(count):
        path = folder / f"{i}.png"
        cv2.imwrite(str(path), rng.integers(0, 256, (90, 120, 3), np.uint8))
        faces = i % 3
        boxes = np.array([[20 + 30 * j, 20, 50 + 30 * j, 55] for j in range(faces)], np.float32).reshape(faces, 4)
        points = np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2, 6, axis=1).astype(np.float32)
        visibility = np.full((faces, 6), 2, np.uint8)
        samples.append(Sample(path, f"source{i % 2}", boxes, points, visibility, np.zeros(faces, bool)))
    return samples


def make_dataset(samples: list[Sample], seed: int = 0, cache_mb: int = 10) -> CropDataset:
    pictures = PictureCache([sample.path for sample in samples], cache_mb, quiet=True)
    augment = Augmentation(augmentations(128))
    return CropDataset(samples, pictures, 128, views_for(CropRecipe(), 128, 32), augment, seed)


def test_a_crop_follows_from_seed_and_number_alone(tmp_path: Path) -> None:
    samples = make_samples(tmp_path)
    one, other = make_dataset(samples), make_dataset(samples, cache_mb=0)
    numbers = list(range(25))
    first = {number: one[number] for number in numbers}
    second = {number: other[number] for number in reversed(numbers)}
    for number in numbers:
        assert (first[number].image == second[number].image).all()
        assert (first[number].boxes == second[number].boxes).all()
    assert any((first[n].image != make_dataset(samples, seed=1)[n].image).any() for n in numbers)


def test_collate_pads_and_normalises(tmp_path: Path) -> None:
    dataset = make_dataset(make_samples(tmp_path))
    crops = [dataset[i] for i in range(8)]
    batch = collate(crops, 128)
    assert batch.images.shape == (8, 3, 128, 128)
    assert batch.images.dtype == torch.uint8
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    for i, crop in enumerate(crops):
        assert batch.face[i].sum() == (~crop.ignore).sum()
        assert batch.ignore[i].sum() == crop.ignore.sum()
        assert (batch.images[i].permute(1, 2, 0).numpy() == crop.image[:, :, ::-1]).all()
        assert batch.boxes[i, : len(crop.boxes)].numpy() * 128 == pytest.approx(crop.boxes, abs=1e-4)


def test_collate_of_crops_without_faces(tmp_path: Path) -> None:
    samples = make_samples(tmp_path, count=1)
    batch = collate([make_dataset(samples)[0]], 128)
    assert batch.boxes.shape == (1, 1, 4)
    assert not batch.face.any()


def test_balance_literal() -> None:
    def sample(source: str, faces: int) -> Sample:
        return Sample(
            Path("x"),
            source,
            np.zeros((faces, 4), np.float32),
            np.zeros((faces, 6, 2), np.float32),
            np.zeros((faces, 6), np.uint8),
            np.zeros(faces, bool),
        )

    weights = balance([sample("a", 2)] * 4 + [sample("b", 4), sample("c", 0)])
    assert weights.tolist() == pytest.approx([math.sqrt(2) / 2] * 4 + [2.0, 1.0])
    decoys = replace(sample("c", 0), decoys=np.zeros((4, 4), np.float32))
    assert balance([decoys]).tolist() == [2.0]
    hard = replace(sample("b", 4), hard=np.zeros((1, 4), np.float32))
    assert balance([hard]).tolist() == [6.0]


@pytest.mark.parametrize(
    ("box", "weight"),
    [
        ([50, 50, 110, 110], 0.4),  # 60 of about 160 pixels, in the middle
        ([70, 70, 90, 90], 1.0),  # small
        ([0, 0, 60, 60], 0.4),
        ([300, 50, 360, 110], 1.0),  # to its left there is much else
    ],
)
def test_pictures_with_one_large_face_are_drawn_less(box: list[float], weight: float) -> None:
    portrait = Sample(
        Path("x"),
        "a",
        np.array([box], np.float32),
        np.zeros((1, 6, 2), np.float32),
        np.zeros((1, 6), np.uint8),
        np.zeros(1, bool),
    )
    assert balance([portrait]).tolist() == pytest.approx([weight])
    # Where a network missed it, it is not learnt.
    assert balance([replace(portrait, hard=portrait.boxes)]).tolist() == pytest.approx([3.0])


def test_a_broken_picture_is_named_once_and_passed_over(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    samples = make_samples(tmp_path)
    samples[1].path.write_bytes(b"not a picture")
    samples[2].path.unlink()
    dataset = make_dataset(samples)
    for number in range(40):
        assert dataset[number].image.shape == (128, 128, 3)
    error = capfd.readouterr().err
    assert error.count("1.png: not a picture, or a damaged one") == 1
    assert error.count("2.png: no such file or folder; left out") == 1


def test_a_folder_of_broken_pictures_is_an_error(tmp_path: Path) -> None:
    samples = make_samples(tmp_path)
    for sample in samples:
        sample.path.unlink()
    with pytest.raises(BlazeFaceError, match="none of the 4 pictures can be read"):
        make_dataset(samples)[0]


def test_missing_pictures_are_drawn_around_whatever_their_share(tmp_path: Path) -> None:
    """One of 200 is there: 50 draws in a row would miss it in most crops."""
    samples = make_samples(tmp_path, count=1)
    samples += [replace(samples[0], path=tmp_path / f"missing{i}.png") for i in range(199)]
    known, new = make_dataset(samples), make_dataset(samples, cache_mb=0)
    crops = [known[number] for number in range(12)]
    # What comes out does not depend on what was met before, nor in which order.
    for number in reversed(range(12)):
        assert (new[number].image == crops[number].image).all()


def test_few_missing_pictures_change_no_other_draw(tmp_path: Path) -> None:
    """Rejected draws, not other weights: a run of before goes on as it began."""
    samples = make_samples(tmp_path)
    whole = make_dataset(samples)
    rngs = [np.random.default_rng([7, i]) for i in range(40)]
    drawn = [whole._readable(rng)[0] for rng in rngs]
    samples[2].path.unlink()
    broken = make_dataset(samples)
    again = [broken._readable(np.random.default_rng([7, i]))[0] for i in range(40)]
    assert 2 in drawn and 2 not in again
    assert all(a == b for a, b in zip(drawn, again, strict=True) if a != 2)


def test_steps_are_split_among_processes_without_overlap() -> None:
    assert list(StepSampler(2, 4, 4)) == [[8, 9, 10, 11], [12, 13, 14, 15]]
    ranks = [list(StepSampler(2, 4, 4, rank, 2)) for rank in range(2)]
    assert ranks == [[[8, 10], [12, 14]], [[9, 11], [13, 15]]]


def wait_as_worker(ready: Any) -> None:
    init_worker(0)
    ready.set()
    while True:  # as one that waits for work which never comes
        signal.pause()


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="Windows ends a process at once")
def test_a_worker_outlives_a_signal_to_all_and_then_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ignored SIGTERM for good kept the process that waited for it from ever ending."""
    monkeypatch.setattr("blazeface.data.dataset.GRACE", 1)
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    worker = context.Process(target=wait_as_worker, args=(ready,))
    worker.start()
    assert ready.wait(60)
    os.kill(worker.pid or 0, signal.SIGINT)
    worker.terminate()
    worker.join(60)
    assert worker.exitcode == -signal.SIGALRM  # neither SIGINT nor SIGTERM: it went on for the grace
