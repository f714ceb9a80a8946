"""What the networks look like inside, as tables of numbers. One number changes in one place.

The input size, the anchors and all that the detection side needs stand in `blazeface.spec`.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass
from typing import Any

from blazeface.errors import BlazeFaceError


@dataclass(frozen=True)
class Block:
    """One block of the backbone.

    channels: width of the output. stride: 1 or 2. bottleneck: 0 for a single BlazeBlock, else the
    narrow width inside a double one. kernel: side of the depthwise filters. tap: whether the output
    feeds the head (taps are matched with the spec's anchor maps in order).
    """

    channels: int
    stride: int = 1
    bottleneck: int = 0
    kernel: int = 5
    tap: bool = False


@dataclass(frozen=True)
class Layout:
    """A whole network: the stem (a dense convolution of stride 2) and its blocks."""

    stem_channels: int
    stem_kernel: int
    blocks: tuple[Block, ...]

    @property
    def taps(self) -> list[tuple[int, int]]:
        """(channels, total stride) of each map that feeds the head."""
        stride, taps = 2, []
        for block in self.blocks:
            stride *= block.stride
            if block.tap:
                taps.append((block.channels, stride))
        return taps

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, source: str = "model") -> Layout:
        """Read what `to_json` wrote; a text that is no layout is an error that names `source`."""
        try:
            data: Any = json.loads(text)
            layout = cls(
                stem_channels=data["stem_channels"],
                stem_kernel=data["stem_kernel"],
                blocks=tuple(Block(**block) for block in data["blocks"]),
            )
            layout._check()
            return layout
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BlazeFaceError(f"{source}: its layout metadata cannot be read: {error}") from error

    def _check(self) -> None:
        """Refuse numbers that would build an impossible or a gigantic network."""
        widths = [self.stem_channels, *(block.channels for block in self.blocks)]
        whole = [self.stem_kernel, *widths]
        for block in self.blocks:
            whole += [block.kernel, block.stride]
            if type(block.bottleneck) is not int or not 0 <= block.bottleneck <= 4096:
                raise ValueError(f"impossible bottleneck {block.bottleneck!r}")
        if any(type(number) is not int or not 1 <= number <= 4096 for number in whole):
            raise ValueError("a width, kernel or stride is not a whole number from 1 to 4096")
        if any(after < before for before, after in itertools.pairwise(widths)):
            raise ValueError("the widths of the blocks must not fall")


# arXiv 1907.05047, table 4: five single blocks, then six double ones.
PAPER = Layout(
    stem_channels=24,
    stem_kernel=5,
    blocks=(
        Block(24),
        Block(24),
        Block(48, stride=2),
        Block(48),
        Block(48),
        Block(96, stride=2, bottleneck=24),
        Block(96, bottleneck=24),
        Block(96, bottleneck=24, tap=True),
        Block(96, stride=2, bottleneck=24),
        Block(96, bottleneck=24),
        Block(96, bottleneck=24, tap=True),
    ),
)

NAMED_LAYOUTS = {"front-128": PAPER, "back-256": PAPER}
"""Layout of each named model of `blazeface.spec`."""
