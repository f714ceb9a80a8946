"""The loss: literal values, slopes that point the right way, and pictures without a face."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from blazeface.anchors import anchor_centers
from blazeface.data.dataset import Batch
from blazeface.decode import decode, encode
from blazeface.spec import FRONT_128
from blazeface.training.assign import assign
from blazeface.training.losses import (
    DetectionLoss,
    LossRecipe,
    anchor_shares,
    eiou_loss,
    keypoint_loss,
    score_labels,
    varifocal_loss,
)


def make_batch(boxes: list[list[list[float]]], face: list[list[bool]], ignore: list[list[bool]]) -> Batch:
    tensor = torch.tensor(boxes)
    middle = (tensor[..., None, :2] + tensor[..., None, 2:]) / 2
    return Batch(
        torch.zeros(len(boxes), 3, 128, 128, dtype=torch.uint8),
        tensor,
        middle.repeat(1, 1, 6, 1),
        torch.full((*tensor.shape[:2], 6), 2, dtype=torch.uint8),
        torch.tensor(face),
        torch.tensor(ignore),
    )


def test_varifocal_loss_literal() -> None:
    # At a logit of 0 the entropy is ln 2 for every label; an assigned anchor weighs 0.25 + label, another 0.75 * 0.5 ** 2.
    labels = torch.tensor([1.0, 0.6, 0.0])
    loss = varifocal_loss(torch.zeros(3), labels, labels > 0, 0.75, 2.0)
    assert loss.tolist() == pytest.approx(
        [1.25 * math.log(2), 0.85 * math.log(2), 0.75 * 0.25 * math.log(2)], rel=1e-6
    )


def test_varifocal_loss_has_a_finite_slope_at_extreme_logits() -> None:
    logits = torch.tensor([-1e4, -50.0, 0.0, 50.0, 1e4], requires_grad=True)
    for label in (0.0, 0.6, 1.0):
        labels = torch.full((5,), label)
        varifocal_loss(logits, labels, labels > 0, 0.75, 2.0).sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_the_weight_of_a_negative_has_no_slope_of_its_own() -> None:
    """At a logit of 0 the slope is weight * score = 0.75 * 0.25 * 0.5; that of the weight would add to it."""
    logits = torch.zeros(1, requires_grad=True)
    varifocal_loss(logits, torch.zeros(1), torch.tensor([False]), 0.75, 2.0).sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None and logits.grad.item() == pytest.approx(0.75 * 0.25 * 0.5)


def test_score_labels_literal() -> None:
    labels = score_labels(torch.tensor([0.0, 0.2, 0.24, 0.4, 0.5, 0.6, 0.9]), 0.2, 0.6)
    assert labels.tolist() == pytest.approx([0.1, 0.1, 0.1, 0.5, 0.75, 1.0, 1.0])


def test_anchor_shares_literal() -> None:
    owner = torch.tensor([7, 3, 3, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7])  # 2 of face 3, 16 of face 7
    shares = anchor_shares(owner, 4.0)
    assert shares[owner == 3].tolist() == [1.0, 1.0]
    assert shares[owner == 7].tolist() == [0.5] * 16
    assert anchor_shares(torch.zeros(0, dtype=torch.long), 4.0).tolist() == []


@pytest.mark.parametrize(("share", "label"), [(0.7, 1.0), (0.5, 0.75), (0.4, 0.5)])
def test_scores_learn_how_well_the_box_fits(share: float, label: float) -> None:
    """The slope of an assigned anchor's score vanishes where the score equals the label of its box's IoU."""
    loss = DetectionLoss(
        FRONT_128, LossRecipe(iou_threshold=0.99, best_anchors=1, box_weight=0, keypoint_weight=0)
    )
    batch = make_batch([[[0.25, 0.25, 0.75, 0.75]]], [[True]], [[False]])
    centers, anchor_boxes = loss.anchors(128, 128)
    targets = assign(anchor_boxes, batch.boxes, batch.face, batch.ignore, 0.99, 1)
    anchors = targets.positive[0].nonzero().flatten()
    regressions = torch.zeros(1, 896, 16)
    logits = torch.full((1, 896), -20.0)
    # As high as the face and centred on it, `share` of its width: that is the IoU.
    regressions[0, anchors, :2] = (0.5 - centers[anchors]) * 128
    regressions[0, anchors, 2:4] = torch.tensor([0.5 * share, 0.5]) * 128
    slopes = []
    for score in (label - 0.05, min(label, 1 - 1e-7), min(label + 0.05, 1 - 1e-7)):
        logits[0, anchors] = math.log(score / (1 - score))
        leaf = logits.clone().requires_grad_()
        losses = loss(leaf, regressions, batch)
        losses.total.backward()
        assert leaf.grad is not None
        slopes.append(leaf.grad[0, anchors].max().item())
    assert slopes[0] < 0 and slopes[1] == pytest.approx(0, abs=1e-5)
    assert label == 1.0 or slopes[2] > 0


def test_an_input_of_any_shape_has_the_labels_of_its_square_at_the_same_pixels() -> None:
    """A face of the left upper corner costs the same whether the input goes on to the right or not."""
    loss = DetectionLoss(FRONT_128, LossRecipe())
    wide = make_batch([[[0.1, 0.1, 0.4, 0.4]]], [[True]], [[False]])
    wide.images = torch.zeros(1, 3, 96, 176, dtype=torch.uint8)
    count = 2 * 12 * 22 + 6 * 6 * 11
    losses = loss(torch.full((1, count), -9.0), torch.zeros(1, count, 16), wide)
    square = make_batch([[[0.1, 0.1, 0.4, 0.4]]], [[True]], [[False]])
    expected = loss(torch.full((1, 896), -9.0), torch.zeros(1, 896, 16), square)
    assert losses.positives.item() == expected.positives.item()
    assert losses.box.item() == pytest.approx(expected.box.item(), rel=1e-5)


def test_the_quality_label_does_not_move_the_box() -> None:
    """The overlap is what the score shall say, not a way to make it say so: no slope leads through it to the box."""
    loss = DetectionLoss(FRONT_128, LossRecipe(box_weight=0, keypoint_weight=0))
    batch = make_batch([[[0.25, 0.25, 0.75, 0.75]]], [[True]], [[False]])
    regressions = torch.zeros(1, 896, 16)
    regressions[..., 2:4] = 45.0  # an IoU near 0.5, where the label rises with it
    regressions.requires_grad_()
    loss(torch.zeros(1, 896), regressions, batch).total.backward()
    assert regressions.grad is not None
    assert not regressions.grad.any()


def test_the_parts_add_up_with_their_weights() -> None:
    batch = make_batch([[[0.25, 0.25, 0.75, 0.75]]], [[True]], [[False]])
    given = (torch.zeros(1, 896), torch.full((1, 896, 16), 20.0), batch)
    plain = DetectionLoss(FRONT_128, LossRecipe(box_weight=1, keypoint_weight=1))(*given)
    heavy = DetectionLoss(FRONT_128, LossRecipe(box_weight=3, keypoint_weight=5))(*given)
    assert plain.box.item() > 0.01 and plain.keypoint.item() > 0.01
    assert heavy.box.item() == pytest.approx(3 * plain.box.item(), rel=1e-5)
    assert heavy.keypoint.item() == pytest.approx(5 * plain.keypoint.item(), rel=1e-5)
    assert heavy.score.item() == pytest.approx(plain.score.item(), rel=1e-5)
    assert heavy.total.item() == pytest.approx(sum(p.item() for p in (heavy.score, heavy.box, heavy.keypoint)))


def test_the_anchors_of_a_large_face_share_its_weight_in_the_score_too() -> None:
    """Beside the slope of a background anchor, theirs is smaller by the root of their number."""
    batch = make_batch([[[0.2, 0.2, 0.8, 0.8]]], [[True]], [[False]])
    beside, recipe = [], LossRecipe()
    for anchors_per_face in (1e9, 1.0):
        loss = DetectionLoss(FRONT_128, LossRecipe(anchors_per_face=anchors_per_face))
        boxes = loss.anchors(128, 128)[1]
        targets = assign(boxes, batch.boxes, batch.face, batch.ignore, recipe.iou_threshold, recipe.best_anchors)
        logits = torch.zeros(1, 896, requires_grad=True)
        loss(logits, torch.zeros(1, 896, 16), batch).total.backward()
        assert logits.grad is not None
        assigned, background = logits.grad[targets.positive], logits.grad[~targets.positive & ~targets.neutral]
        beside.append(float(assigned.mean() / background.mean()))
    assert len(assigned) > 1
    assert beside[1] / beside[0] == pytest.approx(len(assigned) ** -0.5, rel=1e-4)


def test_keypoints_of_a_teacher_weigh_less_than_those_of_a_person() -> None:
    batch = make_batch([[[0.25, 0.25, 0.75, 0.75]]], [[True]], [[False]])
    loss = DetectionLoss(FRONT_128, LossRecipe(predicted_weight=0.25))
    given = (torch.zeros(1, 896), torch.zeros(1, 896, 16))
    person = loss(*given, batch).keypoint.item()
    teacher = loss(*given, replace(batch, visibility=torch.ones_like(batch.visibility))).keypoint.item()
    nobody = loss(*given, replace(batch, visibility=torch.zeros_like(batch.visibility))).keypoint.item()
    assert person > 0.1
    assert [teacher, nobody] == pytest.approx([0.25 * person, 0.0])


def test_the_divisor_is_that_of_all_processes() -> None:
    batch = make_batch([[[0.25, 0.25, 0.75, 0.75]]], [[True]], [[False]])
    alone = DetectionLoss(FRONT_128, LossRecipe())(torch.zeros(1, 896), torch.zeros(1, 896, 16), batch)
    shared = DetectionLoss(FRONT_128, LossRecipe(), lambda count: 4 * count)
    ours = shared(torch.zeros(1, 896), torch.zeros(1, 896, 16), batch)
    for name in ("total", "score", "box", "keypoint"):
        assert getattr(ours, name).item() == pytest.approx(getattr(alone, name).item() / 4, rel=1e-5), name


def test_eiou_loss_literal() -> None:
    same = torch.tensor([[0.1, 0.2, 0.5, 0.6]])
    assert eiou_loss(same, same).item() == pytest.approx(0, abs=1e-6)
    # Side by side, each 1 x 1: IoU 0; box around both 2 x 1; centres 1 apart: 1 + 1/5 + 0.
    apart = eiou_loss(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([[1.0, 0.0, 2.0, 1.0]]))
    assert apart.item() == pytest.approx(1.2)
    # One inside the other: 1 - 1/4, centres together, sides half of those around: 2 * 1/4.
    inside = eiou_loss(torch.tensor([[0.5, 0.5, 1.5, 1.5]]), torch.tensor([[0.0, 0.0, 2.0, 2.0]]))
    assert inside.item() == pytest.approx(0.75 + 0.5)


def test_eiou_loss_pulls_a_box_with_negative_sides_open() -> None:
    boxes = torch.tensor([[0.5, 0.5, 0.4, 0.4]], requires_grad=True)
    eiou_loss(boxes, torch.tensor([[0.3, 0.3, 0.7, 0.7]])).sum().backward()  # type: ignore[no-untyped-call]
    assert boxes.grad is not None
    assert (boxes.grad[0, :2] > 0).all()  # descent moves the top left corner up and left
    assert (boxes.grad[0, 2:] < 0).all()


def test_keypoint_loss_counts_known_points_in_face_sizes() -> None:
    expected = torch.zeros(2, 6, 2)
    found = expected.clone()
    found[0, 0, 0] = 0.02  # a tenth of the face of side 0.2: linear part, 0.1 - 0.05 / 2
    found[:, 5] = 99.0  # unknown, so without effect
    weights = torch.tensor([[1.0, 0.5, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    boxes = torch.tensor([[0.0, 0.0, 0.2, 0.2], [0.0, 0.0, 0.2, 0.2]])
    assert keypoint_loss(found, expected, weights, boxes, 0.05).tolist() == pytest.approx([0.075 / 2, 0])


def test_a_picture_without_a_face_still_teaches() -> None:
    loss = DetectionLoss(FRONT_128, LossRecipe())
    batch = make_batch([[[0.0] * 4]], [[False]], [[False]])
    logits = torch.zeros(1, 896, requires_grad=True)
    losses = loss(logits, torch.zeros(1, 896, 16), batch)
    losses.total.backward()
    assert losses.box.item() == 0
    assert losses.keypoint.item() == 0
    assert losses.positives.item() == 0
    assert logits.grad is not None
    assert (logits.grad > 0).all()  # every anchor is pushed down


def test_anchors_in_an_ignore_region_are_left_alone() -> None:
    loss = DetectionLoss(FRONT_128, LossRecipe())
    batch = make_batch([[[0.0, 0.0, 0.5, 0.5]]], [[False]], [[True]])
    logits = torch.zeros(1, 896, requires_grad=True)
    loss(logits, torch.zeros(1, 896, 16), batch).total.backward()
    assert logits.grad is not None
    centers = torch.from_numpy(anchor_centers(FRONT_128.anchor_maps))
    small = torch.arange(896) < 512
    inside = ((centers < 0.45) & (centers > 0.05)).all(dim=1) & small
    outside = (centers > 0.6).any(dim=1)
    assert (logits.grad[0, inside] == 0).all()
    assert (logits.grad[0, outside] > 0).all()


def test_perfect_regressions_cost_nothing() -> None:
    loss = DetectionLoss(FRONT_128, LossRecipe())
    box = [0.3, 0.2, 0.6, 0.5]
    batch = make_batch([[box]], [[True]], [[False]])
    centers = anchor_centers(FRONT_128.anchor_maps)
    boxes = np.tile(np.array(box, np.float32), (896, 1))
    points = np.tile(np.array([0.45, 0.35], np.float32), (896, 6, 1))
    perfect = torch.from_numpy(encode(boxes, points, centers, 128.0))[None]
    losses = loss(torch.zeros(1, 896), perfect, batch)
    assert losses.positives.item() >= 3
    assert losses.box.item() == pytest.approx(0, abs=1e-4)
    assert losses.keypoint.item() == pytest.approx(0, abs=1e-4)


def test_the_loss_decodes_as_the_detector_does() -> None:
    loss = DetectionLoss(FRONT_128, LossRecipe())
    values = torch.randn(896, 16) * 30
    boxes, keypoints = loss._decode(values, loss.anchors(128, 128)[0])
    expected = decode(values.numpy(), anchor_centers(FRONT_128.anchor_maps), 128.0)
    assert np.abs(boxes.numpy() - expected[0]).max() < 1e-6
    assert np.abs(keypoints.numpy() - expected[1]).max() < 1e-6
