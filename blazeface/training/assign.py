"""Assignment: which anchor learns which face."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Targets:
    """What each of A anchors in a batch of B should say.

    positive: (B, A) bool, the anchor is assigned to a face. face: (B, A) int64, which one (zero where not
    positive). neutral: (B, A) bool, neither positive nor negative: no classification loss.
    """

    positive: Tensor
    face: Tensor
    neutral: Tensor


def assign(
    anchor_boxes: Tensor, boxes: Tensor, face: Tensor, ignore: Tensor, iou_threshold: float, best: int
) -> Targets:
    """Assign anchors by overlap: all over the threshold, and for each face at least its `best` ones.

    anchor_boxes: (A, 4). boxes: (B, N, 4), units of the input side. face, ignore: (B, N) bool. Without the
    second rule small faces, which no anchor overlaps well, would go unlearnt; an anchor expected by several
    faces goes to the one it overlaps most. Anchors that lie more than half in one ignore region are
    neutral, which is how detections are treated when a model is scored.
    """
    shared = intersection(anchor_boxes, boxes)  # (B, A, N)
    area = box_area(anchor_boxes)[None, :, None]
    iou = shared / (area + box_area(boxes)[:, None, :] - shared).clamp(min=1e-9)
    iou = torch.where(face[:, None, :], iou, torch.zeros(()))
    best_of_face = iou.topk(min(best, iou.shape[1]), dim=1).values[:, -1:, :]
    expected = (iou >= torch.minimum(best_of_face, torch.tensor(iou_threshold))) & (iou > 0)
    overlap, owner = torch.where(expected, iou, torch.zeros(())).max(dim=2)
    positive = overlap > 0
    inside = torch.where(ignore[:, None, :], shared / area, torch.zeros(())).amax(dim=2)
    return Targets(positive, torch.where(positive, owner, 0), (inside > 0.5) & ~positive)


def box_area(boxes: Tensor) -> Tensor:
    """Area of boxes (..., 4), zero where a side is negative."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1)


def intersection(a: Tensor, b: Tensor) -> Tensor:
    """Shared area of boxes (A, 4) and (B, N, 4): (B, A, N)."""
    a, b = a[None, :, None], b[:, None]
    sides = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    return sides.clamp(min=0).prod(dim=-1)
