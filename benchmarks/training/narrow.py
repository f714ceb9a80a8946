"""A narrower network's first weights: the channels of a trained one that matter most.

    python -m benchmarks.training.narrow --from front-128 --model tiny-96 --out runs/tiny-start.safetensors
    python train.py --data ROOT --out runs/tiny --init runs/tiny-start.safetensors --learning-rate 0.002 --warmup 200 ...

The narrow network has the blocks of the wide one, or some of them. Shortcuts add channel to channel, so all blocks of one
width keep the same channels, and a block that adds channels keeps what was kept before and chooses among its new ones.
Channels are ranked by the batch norms that write them (arXiv 1708.06519). What is left finds no face yet: it is to be trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from blazeface.detector import WEIGHTS
from blazeface.models.network import BlazeFace, build
from blazeface.models.weights import load_weights, save_weights

PAIRS = {("front-128", "tiny-96"): (0, 1, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13)}
"""For each block of the narrow network the one of the wide network that it comes from."""


@torch.no_grad()
def narrowed(wide: BlazeFace, narrow: BlazeFace, blocks: tuple[int, ...]) -> None:
    """Fill `narrow` with the chosen channels of `wide`; blocks: see PAIRS."""
    old, new = wide.state_dict(), narrow.state_dict()
    kept = best(old["stem.1.weight"].abs(), narrow.layout.stem_channels)
    colours = old["stem.0.weight"]
    if narrow.layout.grey:  # a grey picture has three equal colours
        colours = colours.sum(1, keepdim=True)
    _copy(new, "stem", old | {"stem.0.weight": colours}, "stem", kept, torch.arange(colours.shape[1]))
    outputs: dict[int, Tensor] = {}
    for index, source in enumerate(blocks):
        block, inputs, count = wide.layout.blocks[source], kept, narrow.layout.blocks[index].channels
        ranks = importance(wide, source)
        shortcut = block.kind == "blaze" and block.skip_from is None
        if not shortcut:
            kept = best(ranks, count)
        elif len(inputs) < count:  # what the shortcut brings stays in its place
            before = wide.layout.blocks[source - 1].channels
            kept = torch.cat([inputs, before + best(ranks[before:], count - len(inputs))])
        outputs[source] = kept
        to, of = f"blocks.{index}", f"blocks.{source}"
        if shortcut:
            for name in ("weight", "bias"):
                new[f"{to}.depthwise.{name}"].copy_(old[f"{of}.depthwise.{name}"][inputs])
            _copy(new, f"{to}.pointwise", old, f"{of}.pointwise", kept, inputs)
        elif block.kind == "dense":
            _copy(new, f"{to}.conv", old, f"{of}.conv", kept, inputs)
        else:
            assert block.skip_from is not None
            _copy(new, f"{to}.coarse", old, f"{of}.coarse", kept, inputs)
            _copy(new, f"{to}.fine", old, f"{of}.fine", kept, outputs[block.skip_from])
    for place, fed in enumerate(wide.layout.feeding):
        for head in (f"score_heads.{place}", f"regression_heads.{place}"):
            rows = len(new[f"{head}.weight"])  # the first anchors' where the narrow one has fewer
            new[f"{head}.weight"].copy_(old[f"{head}.weight"][:rows][:, outputs[fed]])
            new[f"{head}.bias"].copy_(old[f"{head}.bias"][:rows])


def importance(wide: BlazeFace, source: int) -> Tensor:
    """For each channel of a block's output the scales of the batch norms, of all blocks whose outputs are added channel to channel
    with it, that write it."""
    state, total = wide.state_dict(), torch.zeros(wide.layout.blocks[source].channels)
    for index in next(stream for stream in _streams(wide) if source in stream):
        for name in ("pointwise", "conv", "coarse", "fine"):
            scales = state.get(f"blocks.{index}.{name}.1.weight")
            if scales is not None:
                shared = min(len(scales), len(total))
                total[:shared] += scales[:shared].abs()
    return total


def best(ranks: Tensor, count: int) -> Tensor:
    """Indices of the `count` largest, in their order."""
    return ranks.topk(count).indices.sort().values


def _streams(wide: BlazeFace) -> list[list[int]]:
    """Blocks whose outputs are added channel to channel: a block without a shortcut begins a stream."""
    streams: list[list[int]] = []
    for index, block in enumerate(wide.layout.blocks):
        if block.kind == "blaze" and block.skip_from is None and streams:
            streams[-1].append(index)
        else:
            streams.append([index])
    return streams


def _copy(
    new: Mapping[str, Tensor], to: str, old: Mapping[str, Tensor], of: str, outputs: Tensor, inputs: Tensor
) -> None:
    """A convolution and its batch norm."""
    new[f"{to}.0.weight"].copy_(old[f"{of}.0.weight"][outputs][:, inputs])
    for name in ("0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"):
        new[f"{to}.{name}"].copy_(old[f"{of}.{name}"][outputs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="wide", default="front-128", choices=sorted({wide for wide, _ in PAIRS}))
    parser.add_argument("--model", default="tiny-96", choices=sorted({narrow for _, narrow in PAIRS}))
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    args = parser.parse_args()
    wide, narrow = load_weights(WEIGHTS / f"{args.wide}.safetensors"), build(args.model)
    narrowed(wide, narrow, PAIRS[args.wide, args.model])
    save_weights(narrow, args.out)


if __name__ == "__main__":
    main()
