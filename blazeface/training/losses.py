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

    iou_threshold, best_anchors: see `assign`.
    wrong_iou, right_iou: see `score_labels`. negative_weight, gamma: see `varifocal_loss`.
    anchors_per_face: faces with more assigned anchors share a weight that grows with the root of their number only, so
        that large faces do not outweigh small ones.
    box_weight, keypoint_weight: weights beside the classification's one.
    keypoint_beta: where the keypoint loss turns from quadratic to linear, in face sizes.
    predicted_weight: of keypoints that a teacher predicted, beside one for those that a person annotated.
    """

    iou_threshold: float = 0.4
    best_anchors: int = 3
    wrong_iou: float = 0.2
    right_iou: float = 0.6
    negative_weight: float = 0.75
    gamma: float = 2.0
    anchors_per_face: float = 4.0
    box_weight: float = 2.0
    keypoint_weight: float = 2.0
    keypoint_beta: float = 0.01
    predicted_weight: float = 0.5


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
    Here all anchors count, the easy ones for little. Every term is divided by the summed weight of the assigned
    anchors in the whole batch (at least one). Inputs may have any shape that the strides divide; the unit of boxes and
    keypoints is the side of the spec's square input in pixels, whatever the shape.
    """

    def __init__(
        self, spec: ModelSpec, recipe: LossRecipe, mean: Callable[[Tensor], Tensor] = lambda value: value
    ):
        """mean: of a number over all processes that train together, so that they share one divisor."""
        super().__init__()
        self.mean = mean
        self.spec, self.recipe = spec, recipe
        self._anchors: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def anchors(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Centres (A, 2) and boxes (A, 4) of the anchors of an input of height x width pixels."""
        if (height, width) not in self._anchors:
            centers = torch.from_numpy(
                anchor_centers(self.spec.anchor_maps, height / self.spec.input_size, width / self.spec.input_size)
            )
            half = (
                torch.from_numpy(
                    anchor_sizes(
                        self.spec.anchor_maps, height / self.spec.input_size, width / self.spec.input_size
                    )
                )[:, None]
                / 2
            )
            self._anchors[height, width] = centers, torch.cat([centers - half, centers + half], dim=1)
        return self._anchors[height, width]

    def forward(self, logits: Tensor, regressions: Tensor, batch: Batch) -> Losses:
        """logits (B, A), regressions (B, A, 4 + 2K), float32."""
        recipe = self.recipe
        centers, anchor_boxes = (part.to(logits.device) for part in self.anchors(*batch.images.shape[2:]))
        targets = assign(
            anchor_boxes, batch.boxes, batch.face, batch.ignore, recipe.iou_threshold, recipe.best_anchors
        )
        row, anchor = targets.positive.nonzero(as_tuple=True)
        face = targets.face[row, anchor]
        share = anchor_shares(row * batch.boxes.shape[1] + face, recipe.anchors_per_face)
        divisor = self.mean(share.sum()).clamp(min=1)
        boxes, keypoints = self._decode(regressions[row, anchor], centers[anchor])
        expected = batch.boxes[row, face]
        labels, weights = torch.zeros_like(logits), torch.ones_like(logits)
        labels[row, anchor] = score_labels(pair_iou(boxes.detach(), expected), recipe.wrong_iou, recipe.right_iou)
        weights[row, anchor] = share
        score = weights * varifocal_loss(logits, labels, targets.positive, recipe.negative_weight, recipe.gamma)
        score = torch.where(targets.neutral, 0.0, score).sum() / divisor
        known = torch.tensor([0.0, recipe.predicted_weight, 1.0], device=logits.device)[
            batch.visibility[row, face].long()
        ]
        points = keypoint_loss(keypoints, batch.keypoints[row, face], known, expected, recipe.keypoint_beta)
        box = (share * eiou_loss(boxes, expected)).sum() * recipe.box_weight / divisor
        keypoint = (share * points).sum() * recipe.keypoint_weight / divisor
        return Losses(score + box + keypoint, score, box, keypoint, targets.positive.sum())

    def _decode(self, regressions: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
        """`blazeface.decode.decode` for tensors (a test holds them together)."""
        values = regressions / self.spec.decode_scale
        middle, half = values[:, :2] + centers, values[:, 2:4] / 2
        keypoints = values[:, 4:].reshape(len(values), values.shape[1] // 2 - 2, 2) + centers[:, None]
        return torch.cat([middle - half, middle + half], dim=1), keypoints


def anchor_shares(owner: Tensor, anchors_per_face: float) -> Tensor:
    """Weights (M,) of assigned anchors: 1 for a face with up to `anchors_per_face` of them, else less with the root.

    owner: (M,) int64, a number for each face, the same for all of its anchors.
    """
    _, index, counts = torch.unique(owner, return_inverse=True, return_counts=True)
    shares: Tensor = (anchors_per_face / counts.float()).clamp(max=1).sqrt()[index]
    return shares


def score_labels(iou: Tensor, wrong: float, right: float) -> Tensor:
    """What assigned anchors' scores learn, from the IoU of their boxes with the face: (M,), in [0.1, 1].

    0.1 up to the IoU `wrong`, 1 from `right` on, a straight line between: nearly the probability that the detection
    counts as right at the usual IoU of 0.5. The IoU itself as the label (arXiv 2006.04388) keeps sure faces at .7.
    """
    return ((iou - wrong) / (right - wrong)).clamp(0.1, 1.0)


def varifocal_loss(
    logits: Tensor, labels: Tensor, positive: Tensor, negative_weight: float, gamma: float
) -> Tensor:
    """Varifocal loss per anchor (arXiv 2008.13367, equation 2): same shape as logits.

    Cross entropy with the label. An assigned anchor weighs 0.25 + its label (the paper: its label, with which boxes that
    are still wrong would teach nothing), another one negative_weight * score ** gamma, without a slope.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return entropy * torch.where(positive, 0.25 + labels, negative_weight * logits.detach().sigmoid() ** gamma)


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


def keypoint_loss(keypoints: Tensor, expected: Tensor, weights: Tensor, boxes: Tensor, beta: float) -> Tensor:
    """Smooth L1 in units of the face's size, averaged over the known keypoints: (M,).

    keypoints, expected: (M, K, 2); weights: (M, K), zero means unknown; boxes: (M, 4) of the faces. A
    face without a known keypoint gives zero.
    """
    size = box_area(boxes).sqrt().clamp(min=1e-6)[:, None, None]
    error = F.smooth_l1_loss(keypoints / size, expected / size, reduction="none", beta=beta).sum(dim=2)
    return (error * weights).sum(dim=1) / (weights > 0).sum(dim=1).clamp(min=1)
