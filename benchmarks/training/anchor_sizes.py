"""At which sizes of face each anchor of a network answers.

    python -m benchmarks.training.anchor_sizes --data ROOT --weights short-range.safetensors

Google's networks came without the anchor sizes that they were trained with (decoding does not need
them), but fine-tuning has to choose which anchor learns which face. So the networks are asked: faces of
the training pictures are shown at sizes spread log-uniformly, and each anchor of a cell notes
those that it finds (score over one half, IoU over 0.4). Prints, for each anchor of a cell, how many
those are and the 10th, 50th and 90th percentile of their size, in pixels of the network's input.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from blazeface.anchors import anchor_centers
from blazeface.data.samples import Sample, load_split
from blazeface.decode import decode, sigmoid
from blazeface.detector import prepare
from blazeface.files.pictures import read_picture
from blazeface.geometry import box_iou, network_view
from blazeface.models.network import BlazeFace
from blazeface.models.weights import load_weights
from blazeface.spec import ModelSpec

SMALLEST, LARGEST = 0.04, 0.9
"""Range of the face's size in units of the input side."""
ENLARGE = 3.0
"""Pictures are not enlarged more than this."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure at which sizes of face each anchor answers.")
    parser.add_argument("--data", type=Path, required=True, help="folder in the WIDER FACE layout")
    parser.add_argument("--weights", type=Path, required=True, help="a .safetensors file")
    parser.add_argument("--count", type=int, default=1500, help="faces shown (default 1500)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    network = load_weights(args.weights)
    rng = np.random.default_rng(args.seed)
    samples = [sample for sample in load_split(args.data, "train") if not sample.ignore.all()]
    shown = rng.choice(len(samples), min(args.count, len(samples)), replace=False)
    answers = [answer for i in shown if (answer := ask(network, samples[i], rng)) is not None]
    sizes = np.array([size for size, _ in answers])
    found = np.array([anchors for _, anchors in answers])
    print(
        f"{network.spec.name}: {len(answers)} faces, input {network.spec.input_size}\nanchor  found   10 %  50 %  90 %"
    )
    for number in range(found.shape[1]):
        own = sizes[found[:, number]]
        spread = "  ".join(f"{value:4.0f}" for value in np.percentile(own, [10, 50, 90])) if len(own) else "-"
        print(f"{number:6d}{len(own):7d}   {spread}")


def ask(network: BlazeFace, sample: Sample, rng: np.random.Generator) -> tuple[float, NDArray[np.bool_]] | None:
    """Show one face at a random size: the size in input pixels, and which anchors of a cell found it."""
    image, spec = read_picture(str(sample.path)), network.spec
    x1, y1, x2, y2 = sample.boxes[rng.choice(np.flatnonzero(~sample.ignore))]
    expected = spec.input_size * np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST)))
    scale = expected / np.sqrt((x2 - x1) * (y2 - y1))
    if scale > ENLARGE:
        return None
    place = spec.input_size * rng.uniform(0.3, 0.7, 2)
    shift = place - scale * np.array([x1 + x2, y1 + y2]) / 2
    view = network_view(image, np.array([[scale, 0, shift[0]], [0, scale, shift[1]]]), spec.input_size)
    with torch.inference_mode():
        outputs = network(torch.from_numpy(prepare(view, spec)[0][None]))
    logits, regressions = (output[0].numpy() for output in outputs)
    boxes, _ = decode(regressions, anchor_centers(spec.anchor_maps), spec.decode_scale)
    face = np.array([[x1, y1, x2, y2]]) * scale + np.tile(shift, 2)
    right = (sigmoid(logits) > 0.5) & (box_iou(boxes * spec.input_size, face)[:, 0] > 0.4)
    numbers = anchor_numbers(spec)
    return expected, np.array([right[numbers == number].any() for number in range(numbers.max() + 1)])


def anchor_numbers(spec: ModelSpec) -> NDArray[np.int_]:
    """Which anchor of its cell each of the A anchors is, counted through all maps."""
    parts, before = [], 0
    for grid in spec.anchor_maps:
        parts.append(before + np.tile(np.arange(len(grid.sizes)), grid.cells**2))
        before += len(grid.sizes)
    return np.concatenate(parts)


if __name__ == "__main__":
    main()
