"""The loss: classification over all anchors, boxes and keypoints over the assigned ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blazeface.anchors import anchor_centers, anchor_sizes
from blazeface.data.dataset import Batch
from blazeface.spec import ModelSpec
from blazeface.training.assign import assign, box_area


@dataclass(frozen=True)
class LossRecipe:
    """Numbers of the loss.

    iou_threshold, best_anchors: see `assign`. focal_alpha, focal_gamma: see `focal_loss`.
    quality: an assigned anchor's score learns the IoU of its box, so that a box a little off ranks lower;
        else it learns one.
    box_weight, keypoint_weight: weights beside the classification's one.
    keypoint_beta: where the keypoint loss turns from quadratic to linear, in face sizes.
    """

    iou_threshold: float = 0.4
    best_anchors: int = 3
    focal_alpha: float = 0.4
    focal_gamma: float = 2.0
    quality: bool = True
    box_weight: float = 2.0
    keypoint_weight: float = 10.0
    keypoint_beta: float = 0.01


@dataclass
class Losses:
    """Scalars: what the optimizer sees (total) and its parts, weighted; positives: anchors assigned."""

    total: Tensor
    score: Tensor
    box: Tensor
    keypoint: Tensor
    positives: Tensor


class DetectionLoss(nn.Module):
    """SSD-style loss (arXiv 1512.02325) with a focal classification term.

    SSD mines negatives in proportion to the positives, which trains nothing on a picture without a face.
    Here all anchors count, the easy ones for little. Every term is divided by the number of assigned
    anchors in the whole batch (at least one).
    """

    anchor_boxes: Tensor
    centers: Tensor

    def __init__(
        self, spec: ModelSpec, recipe: LossRecipe, mean: Callable[[Tensor], Tensor] = lambda value: value
    ):
        """mean: of a number over all processes that train together, so that they share one divisor."""
        super().__init__()
        self.mean = mean
        centers = torch.from_numpy(anchor_centers(spec.anchor_maps))
        half = torch.from_numpy(anchor_sizes(spec.anchor_maps))[:, None] / 2
        self.register_buffer("centers", centers)
        self.register_buffer("anchor_boxes", torch.cat([centers - half, centers + half], dim=1))
        self.scale, self.recipe = spec.decode_scale, recipe

    def forward(self, logits: Tensor, regressions: Tensor, batch: Batch) -> Losses:
        """logits (B, A), regressions (B, A, 4 + 2K), float32."""
        recipe = self.recipe
        targets = assign(
            self.anchor_boxes, batch.boxes, batch.face, batch.ignore, recipe.iou_threshold, recipe.best_anchors
        )
        count = targets.positive.sum()
        divisor = self.mean(count.float()).clamp(min=1)
        row, anchor = targets.positive.nonzero(as_tuple=True)
        face = targets.face[row, anchor]
        boxes, keypoints = self._decode(regressions[row, anchor], anchor)
        expected = batch.boxes[row, face]
        labels = targets.positive.float()
        if recipe.quality:
            labels[row, anchor] = pair_iou(boxes.detach(), expected)
        score = focal_loss(logits, labels, targets.positive, recipe.focal_alpha, recipe.focal_gamma)
        score = torch.where(targets.neutral, torch.zeros(()), score).sum()
        points = keypoint_loss(
            keypoints, batch.keypoints[row, face], batch.visibility[row, face], expected, recipe.keypoint_beta
        )
        score = score / divisor
        box = eiou_loss(boxes, expected).sum() * recipe.box_weight / divisor
        keypoint = points.sum() * recipe.keypoint_weight / divisor
        return Losses(score + box + keypoint, score, box, keypoint, count)

    def _decode(self, regressions: Tensor, anchor: Tensor) -> tuple[Tensor, Tensor]:
        """`blazeface.decode.decode` for tensors (a test holds them together)."""
        values, centers = regressions / self.scale, self.centers[anchor]
        middle, half = values[:, :2] + centers, values[:, 2:4] / 2
        keypoints = values[:, 4:].reshape(len(values), values.shape[1] // 2 - 2, 2) + centers[:, None]
        return torch.cat([middle - half, middle + half], dim=1), keypoints


def focal_loss(logits: Tensor, labels: Tensor, positive: Tensor, alpha: float, gamma: float) -> Tensor:
    """Focal loss per anchor, for labels anywhere in [0, 1]: same shape as logits.

    Cross entropy times |label - score| ** gamma (quality focal loss, arXiv 2006.04388, equation 3), which with
    labels of 0 and 1 is focal loss (arXiv 1708.02002, equation 5). alpha: weight of positive anchors, the
    others have 1 - alpha.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    weight = torch.where(positive, alpha, 1 - alpha)
    return weight * (labels - logits.sigmoid()).abs() ** gamma * entropy


def pair_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of boxes (M, 4) with boxes (M, 4), pair by pair: (M,). A box of no area gives zero."""
    shared = torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])
    area = shared.clamp(min=0).prod(dim=1)
    return area / (box_area(a) + box_area(b) - area).clamp(min=1e-9)


def eiou_loss(boxes: Tensor, expected: Tensor) -> Tensor:
    """Efficient IoU loss per pair of boxes (M, 4): (M,), in [0, 4) (arXiv 2101.08158, equation 8).

    1 - IoU, plus the distance of the centres and the differences of the sides, each relative to the
    smallest box around both. It has a slope also where the boxes do not touch.
    """
    sides, expected_sides = boxes[:, 2:] - boxes[:, :2], expected[:, 2:] - expected[:, :2]
    around = torch.maximum(boxes, expected)[:, 2:] - torch.minimum(boxes, expected)[:, :2]
    around = around.clamp(min=1e-6)
    apart = (boxes[:, :2] + boxes[:, 2:] - expected[:, :2] - expected[:, 2:]) / 2
    distance = apart.pow(2).sum(dim=1) / around.pow(2).sum(dim=1)
    stretch = ((sides - expected_sides) / around).pow(2).sum(dim=1)
    return 1 - pair_iou(boxes, expected) + distance + stretch


def keypoint_loss(keypoints: Tensor, expected: Tensor, visibility: Tensor, boxes: Tensor, beta: float) -> Tensor:
    """Smooth L1 in units of the face's size, averaged over the known keypoints: (M,).

    keypoints, expected: (M, K, 2); visibility: (M, K), zero means unknown; boxes: (M, 4) of the faces. A
    face without a known keypoint gives zero.
    """
    size = box_area(boxes).sqrt().clamp(min=1e-6)[:, None, None]
    error = F.smooth_l1_loss(keypoints / size, expected / size, reduction="none", beta=beta).sum(dim=2)
    known = (visibility > 0).float()
    return (error * known).sum(dim=1) / known.sum(dim=1).clamp(min=1)
