"""What the networks look like inside, as tables of numbers. One number changes in one place.

The input size, the anchors and all that the detection side needs stand in `blazeface.spec`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from blazeface.errors import BlazeFaceError


@dataclass(frozen=True)
class Block:
    """One block of the backbone.

    channels: width of the output. stride: 1 or 2. bottleneck: 0 for a single BlazeBlock, else the
    narrow width inside a double one. kernel: side of the depthwise filters. tap: whether the output
    feeds the head (taps are matched with the spec's anchor maps in order). join: index of an earlier
    block with maps twice as large; this block is then an UpBlock that goes back up to their size and
    adds them (stride, bottleneck and kernel do not matter to it). residual: False for a single block
    without a shortcut.
    """

    channels: int
    stride: int = 1
    bottleneck: int = 0
    kernel: int = 5
    tap: bool = False
    join: int | None = None
    residual: bool = True


@dataclass(frozen=True)
class Layout:
    """A whole network: the stem (a dense convolution of stride 2) and its blocks."""

    stem_channels: int
    stem_kernel: int
    blocks: tuple[Block, ...]

    @property
    def strides(self) -> list[int]:
        """Total stride of each block's output."""
        strides = [2]
        for block in self.blocks:
            strides.append(strides[-1] * block.stride if block.join is None else strides[block.join + 1])
        return strides[1:]

    @property
    def taps(self) -> list[tuple[int, int]]:
        """(channels, total stride) of each map that feeds the head."""
        return [
            (block.channels, stride) for block, stride in zip(self.blocks, self.strides, strict=True) if block.tap
        ]

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
        if len(self.blocks) > 256:
            raise ValueError(f"{len(self.blocks)} blocks are more than 256")
        whole = [self.stem_kernel, self.stem_channels]
        for index, block in enumerate(self.blocks):
            whole += [block.channels, block.kernel, block.stride]
            if type(block.bottleneck) is not int or not 0 <= block.bottleneck <= 4096:
                raise ValueError(f"impossible bottleneck {block.bottleneck!r}")
            if block.join is not None and (type(block.join) is not int or not 0 <= block.join < index):
                raise ValueError(f"block {index} joins {block.join!r}, which is no earlier block")
        if any(type(number) is not int or not 1 <= number <= 4096 for number in whole):
            raise ValueError("a width, kernel or stride is not a whole number from 1 to 4096")
        widths = [self.stem_channels, *(block.channels for block in self.blocks)]
        strides = [2, *self.strides]
        for index, block in enumerate(self.blocks):
            if not block.residual and (block.bottleneck or block.join is not None):
                raise ValueError(f"block {index} must be a single one to go without a shortcut")
            if block.join is None and block.residual and block.channels < widths[index]:
                raise ValueError("the widths of the blocks must not fall")
            if block.join is not None and strides[index] != 2 * strides[block.join + 1]:
                raise ValueError(f"block {index} joins block {block.join}, whose maps are not twice as large")


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

# The next three are Google's released networks, as their .tflite files hold them.
SHORT_RANGE = Layout(
    stem_channels=24,
    stem_kernel=5,
    blocks=(
        Block(24, kernel=3),
        Block(28, kernel=3),
        Block(32, stride=2, kernel=3),
        Block(36, kernel=3),
        Block(42, kernel=3),
        Block(48, stride=2, kernel=3),
        Block(56, kernel=3),
        Block(64, kernel=3),
        Block(72, kernel=3),
        Block(80, kernel=3),
        Block(88, kernel=3, tap=True),
        Block(96, stride=2, kernel=3),
        *3 * [Block(96, kernel=3)],
        Block(96, kernel=3, tap=True),
    ),
)

BACK_CAMERA = Layout(
    stem_channels=24,
    stem_kernel=5,
    blocks=(
        *7 * [Block(24, kernel=3)],
        Block(24, stride=2, kernel=3),
        *7 * [Block(24, kernel=3)],
        Block(48, stride=2, kernel=3),
        *7 * [Block(48, kernel=3)],
        Block(96, stride=2, kernel=3),
        *6 * [Block(96, kernel=3)],
        Block(96, kernel=3, tap=True),
        Block(96, stride=2, kernel=3, tap=True, residual=False),
    ),
)

FULL_RANGE_DENSE = Layout(
    stem_channels=32,
    stem_kernel=3,
    blocks=(
        Block(32, bottleneck=8, kernel=3),
        Block(32, bottleneck=8, kernel=3),
        Block(48, stride=2, bottleneck=12, kernel=3),
        Block(48, bottleneck=12, kernel=3),
        Block(64, bottleneck=16, kernel=3),
        Block(96, stride=2, bottleneck=24, kernel=3),
        Block(128, bottleneck=32, kernel=3),
        Block(128, bottleneck=32, kernel=3),
        Block(144, stride=2, bottleneck=36, kernel=3),
        Block(192, bottleneck=48, kernel=3),
        Block(256, bottleneck=64, kernel=3),
        Block(384, stride=2, bottleneck=96, kernel=3),
        *3 * [Block(384, bottleneck=96, kernel=3)],
        Block(96, join=10),  # back up to 12 x 12
        *2 * [Block(96, bottleneck=48, kernel=3)],
        Block(64, join=7),  # to 24 x 24
        *2 * [Block(64, bottleneck=32, kernel=3)],
        Block(48, join=4),  # to 48 x 48
        Block(48, bottleneck=24, kernel=3, tap=True),
    ),
)

NAMED_LAYOUTS = {
    "front-128": PAPER,
    "back-256": PAPER,
    "short-range": SHORT_RANGE,
    "back-camera": BACK_CAMERA,
    "full-range-dense": FULL_RANGE_DENSE,
}
"""Layout of each named model of `blazeface.spec`."""
