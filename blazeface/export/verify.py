"""The same pictures through PyTorch and through an exported file, compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blazeface.decode import sigmoid
from blazeface.detector import prepare
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace

Run = Callable[[NDArray[np.float32]], tuple[NDArray[Any], NDArray[Any]]]


@dataclass(frozen=True)
class Differences:
    """Absolute differences between two runtimes, over all anchors of all pictures.

    scores: after the sigmoid. coordinates: regressions over the decode scale, in units of the input side.
    logits, regressions: as they leave the network. All four are the largest; mean_scores and mean_coordinates
    are means over all values. A runtime that gives values that are not finite differs infinitely.
    """

    scores: float
    coordinates: float
    logits: float
    regressions: float
    mean_scores: float
    mean_coordinates: float
    pictures: int

    @property
    def largest(self) -> float:
        """What is held against the limit: the worse of scores and coordinates."""
        return max(self.scores, self.coordinates)

    @property
    def mean(self) -> float:
        """The worse of the two means."""
        return max(self.mean_scores, self.mean_coordinates)

    def __str__(self) -> str:
        return (
            f"largest difference {self.largest:.1e}, mean {self.mean:.1e}, on {self.pictures} pictures, one by one"
            f" and in one batch (scores {self.scores:.1e}, coordinates {self.coordinates:.1e} of the input side;"
            f" raw: logits {self.logits:.1e}, regressions {self.regressions:.1e})"
        )


def inference_copy(network: BlazeFace) -> BlazeFace:
    """The network on the CPU in float32 and in eval mode, made anew from its tables of numbers.

    Built anew, so that wrappers which training puts around the layers are left out. Batch norm is not folded:
    an export is held against the network as it was trained, so that a mistake in folding shows as well.
    """
    state = network.state_dict()
    copy = BlazeFace(network.spec, network.layout, norm="stem.1.weight" in state)
    copy.load_state_dict(state)
    copy.origin = network.origin
    return copy.eval()


def torch_run(network: BlazeFace) -> Run:
    """A network in memory as the `run` of a backend."""

    @torch.inference_mode()
    def run(batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        logits, regressions = network(torch.from_numpy(batch))
        return logits.numpy(), regressions.numpy()

    return run


def compare(
    network: BlazeFace, run: Run, pictures: Sequence[Image], shapes: Sequence[tuple[int, int]] = ()
) -> Differences:
    """How far `run` (see `backends.Backend.run`) is from `network` on BGR uint8 pictures of any sizes.

    Both see each picture alone and all pictures as one batch, and the first in inputs of other shapes, (height, width).
    Raises ValueError without a picture.
    """
    if not pictures:
        raise ValueError("at least one picture is needed to compare on")
    spec = network.spec
    reference = torch_run(network.eval())
    whole = np.stack([prepare(picture, spec)[0] for picture in pictures])
    batches = [whole[i : i + 1] for i in range(len(whole))] + [whole]
    batches += [prepare(pictures[0], spec, shape)[0][None] for shape in shapes]
    worst = np.zeros(4)
    means: list[NDArray[Any]] = []
    for batch in batches:
        expected, found = reference(batch), run(batch)
        pairs = [
            (sigmoid(expected[0]), sigmoid(found[0])),
            (expected[1] / spec.decode_scale, found[1] / spec.decode_scale),
            (expected[0], found[0]),
            (expected[1], found[1]),
        ]
        each = np.array([_difference(a, b) for a, b in pairs])
        worst = np.maximum(worst, each[:, 0])
        means.append(each[:2, 1])
    mean_scores, mean_coordinates = (float(value) for value in np.mean(means, axis=0))
    scores, coordinates, logits, regressions = (float(value) for value in worst)
    return Differences(scores, coordinates, logits, regressions, mean_scores, mean_coordinates, len(pictures))


def _difference(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, float]:
    """The largest and the mean difference."""
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf"), float("inf")
    gap = np.abs(a.astype(np.float64) - b)
    return float(gap.max()), float(gap.mean())
