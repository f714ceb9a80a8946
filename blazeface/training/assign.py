"""Assignment of ground-truth faces to anchors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

EQUAL = 0.85
"""Share of a face's limit from which an anchor is assigned: anchors that overlap a face equally well, as four do where
its centre lies on the corner of their cells, must not be told apart by rounding."""

NEAR = 0.6
"""Share of a face's limit from which an anchor is neutral: too good to learn that the face is background."""

AT_ONCE = 2**20
"""Overlaps computed at once. A mosaic of a crowd may have 30,000 labels: with 896 anchors, 110 MB in each of ten tensors."""

AT_ONCE_ON_GPU = 2**27
"""The same on a GPU, which is asked seldom and for much: half a gigabyte in each of ten tensors."""


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
    """Assign anchors by overlap: the limit of a face is `iou_threshold`, or the IoU of its `best`-th anchor if lower.

    anchor_boxes: (A, 4). boxes: (B, N, 4), units of the input side. face, ignore: (B, N) bool. The lower limit is for
    small faces, which no anchor overlaps well. Anchors from EQUAL of the limit up are assigned, each to the face it
    overlaps most, and those from NEAR up are neutral. So are anchors that would be assigned to an ignore region, come
    NEAR it, or lie more than half inside it, which is how detections are treated when a model is scored.

    On a CPU picture by picture, over its own boxes alone: over padded boxes a batch with one crowd takes ten times as long.
    And over AT_ONCE overlaps at a time, so that memory does not grow with the number of faces. On a GPU many pictures at
    once, over padded boxes.
    """
    if boxes.is_cuda and anchor_boxes.shape[0] * boxes.shape[1] <= AT_ONCE_ON_GPU:
        return assign_padded(anchor_boxes, boxes, face, ignore, iou_threshold, best)
    positive = torch.zeros(len(boxes), len(anchor_boxes), dtype=torch.bool, device=boxes.device)
    owner = torch.zeros_like(positive, dtype=torch.long)
    neutral = torch.zeros_like(positive)
    for row in range(len(boxes)):
        known = (face[row] | ignore[row]).nonzero()[:, 0]
        if not len(known):
            continue
        overlap = torch.zeros(len(anchor_boxes), device=boxes.device)
        either = torch.zeros(len(anchor_boxes), dtype=torch.bool, device=boxes.device)
        for part in torch.split(known, max(1, AT_ONCE // len(anchor_boxes))):
            most, which, near = best_faces(anchor_boxes, boxes[row, part], face[row, part], iou_threshold, best)
            owner[row] = torch.where(most > overlap, part[which], owner[row])
            overlap = torch.maximum(most, overlap)
            either |= near
        positive[row] = overlap > 0
        neutral[row] = either & ~positive[row]
    return Targets(positive, owner, neutral)


def assign_padded(
    anchor_boxes: Tensor, boxes: Tensor, face: Tensor, ignore: Tensor, iou_threshold: float, best: int
) -> Targets:
    """`assign`, over as many pictures at once as AT_ONCE_ON_GPU overlaps hold."""
    # A box of no area overlaps nothing, so that what pads a picture's labels is without effect.
    boxes = torch.where((face | ignore)[..., None], boxes, 0.0)
    rows = max(1, AT_ONCE_ON_GPU // max(1, len(anchor_boxes) * boxes.shape[1]))
    parts = []
    for own, counted in zip(torch.split(boxes, rows), torch.split(face, rows), strict=True):
        most, which, near = best_faces(anchor_boxes, own, counted, iou_threshold, best)
        positive = most > 0
        parts.append(Targets(positive, torch.where(positive, which, 0), near & ~positive))
    return Targets(
        positive=torch.cat([part.positive for part in parts]),
        face=torch.cat([part.face for part in parts]),
        neutral=torch.cat([part.neutral for part in parts]),
    )


def best_faces(
    anchor_boxes: Tensor, boxes: Tensor, counted: Tensor, iou_threshold: float, best: int
) -> tuple[Tensor, Tensor, Tensor]:
    """For each of A anchors what `assign` asks of labels (..., N, 4), of which `counted` (..., N) are faces and the others ignore
    regions: its overlap with the face that it is to be assigned to, zero for none; the number of that face; and whether it
    comes near any label or lies inside an ignore region; each (..., A)."""
    area = box_area(anchor_boxes)[:, None]
    shared = intersection(anchor_boxes, boxes)
    iou = shared / (area + box_area(boxes)[..., None, :] - shared).clamp(min=1e-9)
    limit = iou.topk(min(best, len(anchor_boxes)), dim=-2).values[..., -1:, :].clamp(max=iou_threshold)
    counted = counted[..., None, :]
    most, which = torch.where((iou >= EQUAL * limit) & counted, iou, 0.0).max(dim=-1)
    near = ((iou >= NEAR * limit) & (iou > 0)).any(dim=-1)
    inside = torch.where(counted, 0.0, shared / area).amax(dim=-1) > 0.5
    return most, which, near | inside


def box_area(boxes: Tensor) -> Tensor:
    """Area of boxes (..., 4), zero where a side is negative."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1)


def intersection(a: Tensor, b: Tensor) -> Tensor:
    """Shared area of boxes (A, 4) and (..., N, 4): (..., A, N)."""
    b = b[..., None, :, :]
    sides = torch.minimum(a[:, None, 2:], b[..., 2:]) - torch.maximum(a[:, None, :2], b[..., :2])
    return sides.clamp(min=0).prod(dim=-1)
