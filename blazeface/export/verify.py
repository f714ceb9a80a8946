"""The same pictures through PyTorch and through an exported file, compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blazeface.decode import sigmoid
from blazeface.detector import prepare
from blazeface.errors import BlazeFaceError
from blazeface.files.whole import beside, cannot_write
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace

Run = Callable[[NDArray[np.float32]], tuple[NDArray[Any], NDArray[Any]]]

LIMIT = 1e-4
"""Largest difference of a score, or of a coordinate in units of the input side, that passes."""

LIMITS = {"float32": LIMIT, "float16": 1e-2}
"""The same for each precision of the weights in a file."""


@dataclass(frozen=True)
class Differences:
    """Largest absolute differences between two runtimes, over all anchors of all pictures.

    scores: after the sigmoid. coordinates: regressions over the decode scale, in units of the input side.
    logits, regressions: as they leave the network. A runtime that gives values that are not finite
    differs infinitely.
    """

    scores: float
    coordinates: float
    logits: float
    regressions: float
    pictures: int

    @property
    def largest(self) -> float:
        """What is held against the limit: the worse of scores and coordinates."""
        return max(self.scores, self.coordinates)

    def __str__(self) -> str:
        return (
            f"largest difference {self.largest:.1e} on {self.pictures} pictures, one by one and in one batch"
            f" (scores {self.scores:.1e}, coordinates {self.coordinates:.1e} of the input side;"
            f" raw: logits {self.logits:.1e}, regressions {self.regressions:.1e})"
        )


def plain_copy(network: BlazeFace) -> BlazeFace:
    """The network on the CPU in float32 and in eval mode, made anew from its tables of numbers.

    Made anew, so that whatever training has put around the layers stays behind. Batch norm is not folded:
    an export is held against the network as it was trained, so that a mistake in folding shows as well.
    """
    state = network.state_dict()
    copy = BlazeFace(network.spec, network.layout, norm="stem.1.weight" in state)
    copy.load_state_dict(state)
    return copy.eval()


def write_verified(
    path: Path,
    data: bytes,
    network: BlazeFace,
    load: Callable[[Path], Run],
    pictures: Sequence[Image],
    limit: float,
    runtime: str,
) -> Differences:
    """Write a model file, once its runtime has given the same answers as `network` on `pictures`.

    load: opens a file in that runtime. The file appears whole or not at all. Raises BlazeFaceError, and
    leaves what was there before, when the answers differ by more than `limit` or it cannot be written.
    """
    try:
        with beside(path) as part:
            part.write_bytes(data)
            differences = compare(network, load(part), pictures)
            if not differences.largest <= limit:
                raise BlazeFaceError(
                    f"{path}: not written: {runtime} and PyTorch differ by more than {limit:.0e}: {differences}"
                )
    except OSError as error:
        raise cannot_write(path, error) from error
    return differences


@torch.inference_mode()
def compare(network: BlazeFace, run: Run, pictures: Sequence[Image]) -> Differences:
    """How far `run` (see `backends.Backend.run`) is from `network` on BGR uint8 pictures of any sizes.

    Both see each picture alone and all pictures as one batch. Raises ValueError without a picture.
    """
    if not pictures:
        raise ValueError("at least one picture is needed to compare on")
    spec = network.spec
    network = network.eval()
    whole = np.stack([prepare(picture, spec)[0] for picture in pictures])
    batches = [whole[i : i + 1] for i in range(len(whole))] + [whole]
    worst = np.zeros(4)
    for batch in batches:
        wanted = [tensor.numpy() for tensor in network(torch.from_numpy(batch))]
        found = run(batch)
        pairs = [
            (sigmoid(wanted[0]), sigmoid(found[0])),
            (wanted[1] / spec.decode_scale, found[1] / spec.decode_scale),
            (wanted[0], found[0]),
            (wanted[1], found[1]),
        ]
        worst = np.maximum(worst, [_difference(a, b) for a, b in pairs])
    scores, coordinates, logits, regressions = map(float, worst)
    return Differences(scores, coordinates, logits, regressions, len(pictures))


def _difference(a: NDArray[Any], b: NDArray[Any]) -> float:
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    return float(np.abs(a.astype(np.float64) - b).max())
