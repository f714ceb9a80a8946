"""Calibration of scores: an affine map of the logits, fitted on train and folded into the last layer.

The score of a detection is to be the probability that it is right (IoU of 0.5 or more with a face). Platt's scaling,
p = sigmoid(scale * logit + shift) (J. Platt: "Probabilistic outputs for support vector machines", 1999), is
monotone, so that the order of the detections and every figure that rests on it stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from blazeface.evaluation.record import Record
from blazeface.geometry import Floats
from blazeface.models.network import BlazeFace

LEAST = 50
"""Right and wrong detections, each, below which nothing is fitted."""


def calibrate(network: BlazeFace, records: Iterable[Record]) -> tuple[float, float]:
    """Fit the map on records of the network on training pictures and fold it in, in place; (scale, shift)."""
    logits, right = outcomes(records)
    if min(right.sum(), (~right).sum()) < LEAST:
        return 1.0, 0.0
    scale, shift = fit_platt(logits, right)
    with torch.no_grad():
        for head in network.score_heads:
            assert isinstance(head, nn.Conv2d) and head.bias is not None
            head.weight.mul_(scale)
            head.bias.mul_(scale).add_(shift)
    return scale, shift


def outcomes(records: Iterable[Record]) -> tuple[Floats, NDArray[np.bool_]]:
    """Logits of all detections that count, (N,), and whether each is right; those on ignore regions are left out."""
    scores, right = [np.zeros(0)], [np.zeros(0, bool)]
    for record in records:
        counts = record.wrong | (record.face >= 0)
        scores.append(record.detections.scores[counts].astype(np.float64))
        right.append(record.face[counts] >= 0)
    values = np.clip(np.concatenate(scores), 1e-6, 1 - 1e-6)
    return np.log(values / (1 - values)), np.concatenate(right)


def fit_platt(logits: Floats, right: NDArray[np.bool_]) -> tuple[float, float]:
    """scale and shift of the highest likelihood, from logits (N,) and outcomes (N,).

    A weak prior (about one detection's worth) at scale 1 and shift 0 keeps separable data finite.
    """
    from scipy.optimize import minimize

    sign = np.where(right, -1.0, 1.0)

    def cost(map_: Floats) -> tuple[float, Floats]:
        signed = sign * (map_[0] * logits + map_[1])
        slope = sign / (1 + np.exp(-np.clip(signed, -500, 500)))
        prior = map_ - (1.0, 0.0)
        value = np.logaddexp(0, signed).sum() + prior @ prior / 2
        return float(value), np.array([slope @ logits, slope.sum()]) + prior

    found = minimize(cost, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    return float(found[0]), float(found[1])
