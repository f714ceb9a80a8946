"""Assignment, against literal cases and a slow second implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blazeface.anchors import anchor_centers, anchor_sizes
from blazeface.geometry import box_intersection, box_iou
from blazeface.spec import FRONT_128
from blazeface.training import assign as assign_module
from blazeface.training.assign import assign, assign_padded

ANCHORS = torch.tensor(
    [[0.0, 0.0, 0.5, 0.5], [0.5, 0.0, 1.0, 0.5], [0.0, 0.5, 0.5, 1.0], [0.5, 0.5, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]]
)


def flags(*values: bool) -> torch.Tensor:
    return torch.tensor([values])


def test_literal() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 0.5, 0.4], [0.45, 0.55, 0.55, 0.65], [0.5, 0.0, 1.0, 0.5]]])
    targets = assign(ANCHORS, boxes, flags(True, True, False), flags(False, False, True), 0.4, 1)
    # The first face overlaps anchor 0 by 0.8. The second overlaps no anchor well and takes its best, the one
    # of anchors 2 and 3 that it shares equally: both tie. Anchor 1 lies in the ignore region. Anchor 4 overlaps that
    # region by 0.25, which is NEAR 0.4 * 0.6 = 0.24.
    assert targets.positive.tolist() == [[True, False, True, True, False]]
    assert targets.face[0, [0, 2, 3]].tolist() == [0, 1, 1]
    assert targets.neutral.tolist() == [[False, True, False, False, True]]


def test_a_face_on_the_corner_of_four_cells_has_all_four() -> None:
    """The centre of a picture is such a corner: where a webcam's face is."""
    centers = torch.from_numpy(anchor_centers(FRONT_128.anchor_maps))
    half = torch.from_numpy(anchor_sizes(FRONT_128.anchor_maps))[:, None] / 2
    anchors = torch.cat([centers - half, centers + half], dim=1)
    side = 50 / 128  # the size of an anchor
    boxes = torch.tensor([[[0.5 - side / 2, 0.5 - side / 2, 0.5 + side / 2, 0.5 + side / 2]]])
    targets = assign(anchors, boxes, flags(True), flags(False), 0.4, 3)
    nearest = (centers - 0.5).abs().amax(dim=1) < 0.07
    same = nearest & (half[:, 0] * 2 == side)
    assert same.sum() == 4 and targets.positive[0, same].all()
    # No anchor of a neighbouring size or cell that overlaps nearly as well learns that the face is background.
    iou = torch.from_numpy(box_iou(anchors.numpy(), boxes[0].numpy()))[:, 0]
    assert not ((iou >= 0.6 * 0.4) & ~targets.positive[0] & ~targets.neutral[0]).any()


def test_a_picture_without_faces_assigns_nothing() -> None:
    boxes = torch.zeros(2, 1, 4)
    none = torch.zeros(2, 1, dtype=torch.bool)
    targets = assign(ANCHORS, boxes, none, none, 0.4, 3)
    assert not targets.positive.any()
    assert not targets.neutral.any()


def test_a_face_keeps_its_number_behind_padding() -> None:
    """The padded rows of a batch need not be the last ones: the owner is counted among all boxes."""
    boxes = torch.tensor([[[0.0] * 4, [0.0] * 4, [0.1, 0.1, 0.5, 0.5]]])
    targets = assign(ANCHORS, boxes, flags(False, False, True), flags(False, False, False), 0.4, 2)
    assert targets.positive.any()
    assert set(targets.face[targets.positive].tolist()) == {2}


def test_padding_changes_nothing() -> None:
    boxes = torch.tensor([[[0.1, 0.1, 0.5, 0.5]]])
    padded = torch.cat([boxes, torch.zeros(1, 3, 4)], dim=1)
    one = assign(ANCHORS, boxes, flags(True), flags(False), 0.4, 2)
    other = assign(ANCHORS, padded, flags(True, False, False, False), flags(*[False] * 4), 0.4, 2)
    assert torch.equal(one.positive, other.positive)
    assert torch.equal(one.face, other.face)


def slow_assign(
    anchors: np.ndarray, boxes: np.ndarray, face: np.ndarray, best: int
) -> tuple[dict[int, int], set[int]]:
    """Anchor -> face, and the neutral anchors; boxes that are no face are ignore regions."""
    iou = box_iou(anchors, boxes)
    area = np.prod(anchors[:, 2:] - anchors[:, :2], axis=1)
    inside = box_intersection(anchors, boxes) / area[:, None]
    assigned, owner, neutral = set(), {}, set()
    for n in range(len(boxes)):
        ranked = sorted(iou[:, n], reverse=True)
        limit = np.float32(min(0.4, ranked[min(best, len(anchors)) - 1]))
        for a in range(len(anchors)):
            if face[n] and iou[a, n] >= np.float32(0.85) * limit and iou[a, n] > 0:
                assigned.add((a, n))
            if iou[a, n] >= np.float32(0.6) * limit and iou[a, n] > 0:
                neutral.add(a)
            if not face[n] and inside[a, n] > 0.5:
                neutral.add(a)
    for a in range(len(anchors)):
        candidates = [n for b, n in sorted(assigned) if b == a]
        if candidates:
            owner[a] = max(candidates, key=lambda n: (iou[a, n], -n))
    return owner, neutral - set(owner)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 5), st.integers(1, 4))
def test_equals_the_slow_one(seed: int, count: int, best: int) -> None:
    rng = np.random.default_rng(seed)
    corner, side = rng.random((12, 2)), rng.uniform(0.1, 0.6, (12, 2))
    anchors = np.concatenate([corner, corner + side], axis=1).astype(np.float32)
    corner, side = rng.random((count, 2)), rng.uniform(0.05, 0.8, (count, 2))
    boxes = np.concatenate([corner, corner + side], axis=1).astype(np.float32)
    face = rng.random(count) < 0.7
    targets = (
        assign(
            torch.from_numpy(anchors),
            torch.from_numpy(boxes)[None],
            torch.from_numpy(face)[None],
            torch.from_numpy(~face)[None],
            0.4,
            best,
        )
        if count
        else assign(torch.from_numpy(anchors), torch.zeros(1, 1, 4), flags(False), flags(False), 0.4, best)
    )
    owner, neutral = slow_assign(anchors, boxes, face, best)
    assert set(targets.positive[0].nonzero().flatten().tolist()) == set(owner)
    assert {a: int(targets.face[0, a]) for a in owner} == owner
    assert set(targets.neutral[0].nonzero().flatten().tolist()) == neutral


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4))
def test_many_pictures_at_once_are_as_each_alone(seed: int, best: int, at_once: int) -> None:
    """What a GPU computes, over padded boxes, `at_once` pictures at a time."""
    rng = np.random.default_rng(seed)
    corner, side = rng.random((12, 2)), rng.uniform(0.1, 0.6, (12, 2))
    anchors = torch.from_numpy(np.concatenate([corner, corner + side], axis=1).astype(np.float32))
    corner, side = rng.random((3, 6, 2)), rng.uniform(0.05, 0.8, (3, 6, 2))
    boxes = torch.from_numpy(np.concatenate([corner, corner + side], axis=2).astype(np.float32))
    kind = torch.from_numpy(rng.integers(0, 3, (3, 6)))  # a face, an ignore region, or padding
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assign_module, "AT_ONCE_ON_GPU", at_once * 12 * 6)
        together = assign_padded(anchors, boxes, kind == 0, kind == 1, 0.4, best)
    alone = assign(anchors, boxes, kind == 0, kind == 1, 0.4, best)
    assert torch.equal(together.positive, alone.positive)
    assert torch.equal(together.face[together.positive], alone.face[alone.positive])
    assert torch.equal(together.neutral, alone.neutral)


def test_memory_is_bounded_by_parts_with_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crowd assigned a few faces at a time, and all at once."""
    rng = np.random.default_rng(5)
    corner = rng.uniform(0, 0.9, (1, 300, 2))
    sides = np.exp(rng.uniform(np.log(0.02), np.log(0.4), (1, 300, 2)))
    boxes = torch.from_numpy(np.concatenate([corner, corner + sides], 2).astype(np.float32))
    face = torch.from_numpy(rng.random((1, 300)) < 0.7)
    centers = torch.from_numpy(anchor_centers(FRONT_128.anchor_maps))
    half = torch.from_numpy(anchor_sizes(FRONT_128.anchor_maps))[:, None] / 2
    anchors = torch.cat([centers - half, centers + half], dim=1)
    whole = assign(anchors, boxes, face, ~face, 0.4, 3)
    largest = []
    real = assign_module.intersection

    def intersection(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        largest.append(len(b))
        return real(a, b)

    monkeypatch.setattr(assign_module, "intersection", intersection)
    monkeypatch.setattr(assign_module, "AT_ONCE", 7 * len(anchors))
    parts = assign(anchors, boxes, face, ~face, 0.4, 3)
    assert max(largest) == 7
    assert whole.positive.sum() > 100 and whole.neutral.any()
    assert torch.equal(whole.positive, parts.positive)
    assert torch.equal(whole.face, parts.face)
    assert torch.equal(whole.neutral, parts.neutral)
