"""A deeper network's first weights: those of a trained one with fewer blocks, and new blocks that change little.

    python -m benchmarks.training.deepen --from runs/front/best.safetensors --model front-128 --new 10 --out runs/deeper.safetensors
    python train.py --data ROOT --out runs/deeper --init runs/deeper.safetensors --learning-rate 0.001 ...

A block with a shortcut passes on what it is fed, plus what it computes, and what it is fed is never negative. So with the
scale of its last batch norm at zero it changes nothing ("Net2Net", arXiv 1511.05641, section 2.3), and near zero it is
where training can take it from.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path

import torch
from torch import nn

from blazeface.errors import BlazeFaceError
from blazeface.models.blocks import BlazeBlock
from blazeface.models.network import BlazeFace, build
from blazeface.models.weights import load_weights, save_weights

SCALE = 0.1
"""Of the new blocks' batch norms: enough for a gradient to reach their convolutions."""


@torch.no_grad()
def deepened(shallow: BlazeFace, deep: BlazeFace, new: Collection[int], scale: float = SCALE) -> None:
    """Fill `deep` with the weights of `shallow`, which has all of its blocks but the `new` ones (indices in `deep`).

    Raises BlazeFaceError where the two do not fit so.
    """
    old = [index for index in range(len(deep.blocks)) if index not in new]
    state, given = deep.state_dict(), shallow.state_dict()
    for name, tensor in given.items():
        part, _, rest = name.partition(".")
        if part == "blocks":
            number, _, rest = rest.partition(".")
            name = f"blocks.{old[int(number)]}.{rest}" if int(number) < len(old) else name
        if name not in state or state[name].shape != tensor.shape:
            raise BlazeFaceError(f"no network with its blocks {sorted(new)} left out: {name} does not fit")
        state[name].copy_(tensor)
    for index in new:
        block = deep.blocks[index]
        if not isinstance(block, BlazeBlock) or block.shortcut is None:
            raise BlazeFaceError(f"block {index} is no single BlazeBlock with a shortcut")
        norm = block.pointwise[1]
        assert isinstance(norm, nn.BatchNorm2d)
        norm.weight.fill_(scale)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="shallow", type=Path, required=True, metavar="FILE")
    parser.add_argument("--model", required=True, help="the deeper network")
    parser.add_argument("--new", type=int, nargs="+", required=True, metavar="INDEX", help="its new blocks")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    args = parser.parse_args()
    deep = build(args.model)
    deepened(load_weights(args.shallow), deep, args.new)
    save_weights(deep, args.out)


if __name__ == "__main__":
    main()
