"""Layouts of the networks (widths, strides, bottlenecks, heads) as tables of numbers.

The input size, the anchors and all that the detection side needs stand in `blazeface.spec`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable

KINDS = ("blaze", "dense", "fire", "separable", "inverted", "shuffle", "xception")
"""Families of blocks: BlazeFace's own and a plain dense convolution (`models.blocks`), and those of the networks around it
(`models.light.blocks`)."""


@dataclass(frozen=True)
class Block:
    """One block of the backbone.

    channels: width of the output. stride: 1 or 2. bottleneck: the inner width; for BlazeFace's own blocks 0
    makes a single BlazeBlock and another number the narrow width of a double one; for a Fire module it is
    the squeezed width, for an inverted residual the expanded one, for a shuffle unit that of its 3 x 3; the
    others have none. kernel: side of the filters. feeds_head: whether the output feeds the head. skip_from: index of an
    earlier block with maps twice as large; this block is then an UpBlock that goes back up to their size and adds
    them (stride, bottleneck and kernel do not matter to it). residual: False for a single block without a shortcut.
    kind: one of KINDS. groups: of a shuffle unit's pointwise convolutions.

    Three options of BlazeFace's own blocks, for networks that other texts describe. projected: max pool and a 1 x 1
    convolution with batch norm are the shortcut. depthwise_norm: a batch norm follows the k x k convolutions, too.
    dense_middle: the second k x k convolution of a double block is dense.
    """

    channels: int
    stride: int = 1
    bottleneck: int = 0
    kernel: int = 5
    feeds_head: bool = False
    skip_from: int | None = None
    residual: bool = True
    kind: str = "blaze"
    groups: int = 1
    projected: bool = False
    depthwise_norm: bool = False
    dense_middle: bool = False


BLOCK_OPTIONS = ("projected", "depthwise_norm", "dense_middle")
"""Fields that are written only where they are set, so that layouts without them read and compare as they always did."""

RULES = ("separable", "grouped", "factorized", "depthwise")
"""What `models.light.lighten` can make of a dense convolution."""

BETWEEN = ("nothing", "norm", "norm-relu")
"""What may stand between the two parts of a separable or factorized one: nothing, batch norm, or batch norm and ReLU."""


@dataclass(frozen=True)
class Lightened:
    """Layers, by name, that `models.light.lighten` has exchanged by one rule, one of RULES.

    groups: of the rule "grouped". between: what stands between the two parts of "separable" and "factorized", one of BETWEEN.
    """

    rule: str
    layers: tuple[str, ...]
    groups: int = 4
    between: str = "nothing"


@dataclass(frozen=True)
class Layout:
    """A whole network: the stem (a dense convolution of stride 2) and its blocks, and what was made light in them."""

    stem_channels: int
    stem_kernel: int
    blocks: tuple[Block, ...]
    lightened: tuple[Lightened, ...] = ()

    @property
    def strides(self) -> list[int]:
        """Total stride of each block's output."""
        strides = [2]
        for block in self.blocks:
            strides.append(strides[-1] * block.stride if block.skip_from is None else strides[block.skip_from + 1])
        return strides[1:]

    @property
    def feeding(self) -> list[int]:
        """Indices of the blocks that feed the head, the finest maps first, as a spec lists its anchor maps."""
        return sorted(
            (i for i, block in enumerate(self.blocks) if block.feeds_head), key=lambda i: self.strides[i]
        )

    @property
    def head_inputs(self) -> list[tuple[int, int]]:
        """(channels, total stride) of each map that feeds the head, in that order."""
        return [(self.blocks[i].channels, self.strides[i]) for i in self.feeding]

    def to_json(self) -> str:
        data = asdict(self)
        for block in data["blocks"]:
            for option in BLOCK_OPTIONS:
                if not block[option]:
                    del block[option]
        for change in data["lightened"]:
            if change["between"] == "nothing":
                del change["between"]
        return json.dumps(data, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, source: str = "model") -> Layout:
        """Read what `to_json` wrote; a text that is no layout is an error that names `source`."""
        try:
            data: Any = json.loads(text)
            layout = cls(
                stem_channels=data["stem_channels"],
                stem_kernel=data["stem_kernel"],
                blocks=tuple(Block(**_current_names(block)) for block in data["blocks"]),
                lightened=tuple(
                    Lightened(
                        change["rule"],
                        tuple(map(str, change["layers"])),
                        change["groups"],
                        change.get("between", "nothing"),
                    )
                    for change in data.get("lightened", [])
                ),
            )
            layout._check()
            return layout
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BlazeFaceError(
                f"{source}: its layout metadata cannot be read: {printable(str(error))}"
            ) from error

    def _check(self) -> None:
        """Refuse numbers that would build an impossible or a gigantic network."""
        if len(self.blocks) > 256:
            raise ValueError(f"{len(self.blocks)} blocks are more than 256")
        for change in self.lightened:
            if change.rule not in RULES or type(change.groups) is not int or not 1 <= change.groups <= 4096:
                raise ValueError(f"impossible rule {change.rule!r} in {change.groups!r} groups")
            if change.between not in BETWEEN:
                raise ValueError(f"between two parts stands {', '.join(BETWEEN)}, not {change.between!r}")
        whole = [self.stem_kernel, self.stem_channels]
        for index, block in enumerate(self.blocks):
            whole += [block.channels, block.kernel, block.stride, block.groups]
            if type(block.bottleneck) is not int or not 0 <= block.bottleneck <= 4096:
                raise ValueError(f"impossible bottleneck {block.bottleneck!r}")
            if block.skip_from is not None and (
                type(block.skip_from) is not int or not 0 <= block.skip_from < index
            ):
                raise ValueError(f"block {index} joins {block.skip_from!r}, which is no earlier block")
        if any(type(number) is not int or not 1 <= number <= 4096 for number in whole):
            raise ValueError("a width, kernel or stride is not a whole number from 1 to 4096")
        widths = [self.stem_channels, *(block.channels for block in self.blocks)]
        strides = [2, *self.strides]
        fed = [stride for _, stride in self.head_inputs]
        if len(set(fed)) != len(fed):
            raise ValueError("two blocks of one stride feed the head")
        for index, block in enumerate(self.blocks):
            if block.kind not in KINDS:
                raise ValueError(f"block {index} is of unknown kind {block.kind!r}")
            _check_options(index, block)
            if block.kind not in ("blaze", "dense"):
                _check_light(index, widths[index], block)
                continue
            if block.kind == "dense":
                if block.skip_from is not None or block.bottleneck:
                    raise ValueError(
                        f"block {index} is a plain convolution: it has neither skip_from nor bottleneck"
                    )
                continue
            if not block.residual and (block.bottleneck or block.skip_from is not None):
                raise ValueError(f"block {index} must be a single one to go without a shortcut")
            if block.skip_from is None and block.residual and block.channels < widths[index]:
                raise ValueError("the widths of the blocks must not fall")
            if block.skip_from is not None and strides[index] != 2 * strides[block.skip_from + 1]:
                raise ValueError(f"block {index} joins block {block.skip_from}, whose maps are not twice as large")


def _check_options(index: int, block: Block) -> None:
    """Refuse options of a block that has no place for them."""
    options = [option for option in BLOCK_OPTIONS if getattr(block, option) is not False]
    if any(getattr(block, option) is not True for option in options):
        raise ValueError(f"the options of block {index} must be true or false")
    if options and (block.kind != "blaze" or block.skip_from is not None):
        raise ValueError(f"block {index} of kind {block.kind!r} does not know {options[0]}")
    if block.projected and not block.residual:
        raise ValueError(f"block {index} has no shortcut to be projected")
    if block.dense_middle and not block.bottleneck:
        raise ValueError(f"block {index} must be a double one to have a dense middle")


def _check_light(index: int, width: int, block: Block) -> None:
    """Refuse impossible numbers of the blocks around BlazeFace; width: what the block is fed."""
    if block.skip_from is not None or not block.residual:
        raise ValueError(f"block {index} of kind {block.kind!r} knows neither skip_from nor residual")
    if (block.kind in ("fire", "inverted", "shuffle")) != bool(block.bottleneck):
        raise ValueError(f"block {index} of kind {block.kind!r} cannot have a bottleneck of {block.bottleneck}")
    if block.kind == "fire" and block.channels % 2:
        raise ValueError(f"block {index} must have an even width, half from 1 x 1 and half from 3 x 3")
    if block.kind == "shuffle":
        grown = block.channels - (width if block.stride > 1 else 0)
        if any(part % block.groups for part in (width, block.bottleneck, grown)) or grown <= 0:
            raise ValueError(f"the widths of block {index} cannot be split into {block.groups} groups")
        if block.stride == 1 and block.channels != width:
            raise ValueError(f"block {index} can change its width only where it strides")


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
        Block(96, bottleneck=24, feeds_head=True),
        Block(96, stride=2, bottleneck=24),
        Block(96, bottleneck=24),
        Block(96, bottleneck=24, feeds_head=True),
    ),
)

# As a well-known PyTorch text writes the paper's network: the same widths and depths, a 3 x 3 stem, and the options below.
option = partial(Block, depthwise_norm=True)
middle = partial(option, bottleneck=24, dense_middle=True)
_DOUBLES = (middle(96, stride=2, projected=True), middle(96), middle(96, feeds_head=True))
DENSE_MIDDLE = Layout(
    stem_channels=24,
    stem_kernel=3,
    blocks=(
        *2 * [option(24)],
        option(48, stride=2, projected=True),
        *2 * [option(48)],
        *_DOUBLES,
        *_DOUBLES,
    ),
)

# Chosen by a race at equal time (docs/training.md): dense 3 x 3 convolutions at the top, where depthwise ones are bound by
# memory, widths in steps of 16, and the finer maps joined by what the coarser ones know. The blocks of stride 16 feed
# the head first and then go back up to stride 8.
dense = partial(Block, kind="dense", kernel=3)
_TRUNK = (
    dense(32, stride=2),
    *2 * [Block(48, kernel=3)],
    Block(96, stride=2),
    *2 * [Block(96)],
    Block(128, stride=2),
    *2 * [Block(128)],
)
FRONT = Layout(
    stem_channels=16,
    stem_kernel=3,
    blocks=(
        *_TRUNK,
        Block(128, feeds_head=True),
        Block(96, skip_from=5),
        Block(96, kernel=3),
        Block(96, kernel=3, feeds_head=True),
    ),
)
# The same trunk with a third stage, so that it can start from the smaller network's weights.
BACK = Layout(
    stem_channels=16,
    stem_kernel=3,
    blocks=(
        *_TRUNK,
        Block(128),
        Block(128, stride=2),
        Block(128),
        Block(128, feeds_head=True),
        Block(96, skip_from=9, feeds_head=True),
        Block(96, skip_from=5),
        Block(96, kernel=3),
        Block(96, kernel=3, feeds_head=True),
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
        Block(88, kernel=3, feeds_head=True),
        Block(96, stride=2, kernel=3),
        *3 * [Block(96, kernel=3)],
        Block(96, kernel=3, feeds_head=True),
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
        Block(96, kernel=3, feeds_head=True),
        Block(96, stride=2, kernel=3, feeds_head=True, residual=False),
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
        Block(96, skip_from=10),  # back up to 12 x 12
        *2 * [Block(96, bottleneck=48, kernel=3)],
        Block(64, skip_from=7),  # to 24 x 24
        *2 * [Block(64, bottleneck=32, kernel=3)],
        Block(48, skip_from=4),  # to 48 x 48
        Block(48, bottleneck=24, kernel=3, feeds_head=True),
    ),
)

# The networks around BlazeFace, scaled to the multiply-accumulates of front-128 (34.1 million) with head_inputs at the same
# strides. Each keeps what its family is made of; widths are round numbers and were chosen by cost alone.
fire = partial(Block, kind="fire", kernel=3)
separable = partial(Block, kind="separable", kernel=3)
inverted = partial(Block, kind="inverted", kernel=3)
shuffle = partial(Block, kind="shuffle", kernel=3, groups=3)
xception = partial(Block, kind="xception", kernel=3)

SQUEEZENET = Layout(
    stem_channels=24,
    stem_kernel=3,
    blocks=(
        fire(48, stride=2, bottleneck=16),
        fire(48, bottleneck=16),
        fire(128, stride=2, bottleneck=24),
        fire(128, bottleneck=24),
        fire(128, bottleneck=24, feeds_head=True),
        fire(192, stride=2, bottleneck=32),
        fire(192, bottleneck=32),
        fire(192, bottleneck=32, feeds_head=True),
    ),
)

MOBILENET_V1 = Layout(
    stem_channels=16,
    stem_kernel=3,
    blocks=(
        separable(24),
        separable(48, stride=2),
        separable(48),
        separable(96, stride=2),
        *5 * [separable(96)],
        separable(96, feeds_head=True),
        separable(192, stride=2),
        separable(192),
        separable(192, feeds_head=True),
    ),
)

MOBILENET_V2 = Layout(
    stem_channels=16,
    stem_kernel=3,
    blocks=(
        inverted(8, bottleneck=16),
        inverted(16, stride=2, bottleneck=32),
        inverted(16, bottleneck=64),
        inverted(24, stride=2, bottleneck=64),
        *3 * [inverted(24, bottleneck=144)],
        inverted(32, bottleneck=144),
        inverted(32, bottleneck=192),
        inverted(32, bottleneck=192, feeds_head=True),
        inverted(56, stride=2, bottleneck=192),
        inverted(56, bottleneck=336),
        inverted(56, bottleneck=336, feeds_head=True),
    ),
)

SHUFFLENET = Layout(
    stem_channels=24,
    stem_kernel=3,
    blocks=(
        shuffle(84, stride=2, bottleneck=21),
        *3 * [shuffle(84, bottleneck=21)],
        shuffle(192, stride=2, bottleneck=48),
        *6 * [shuffle(192, bottleneck=48)],
        shuffle(192, bottleneck=48, feeds_head=True),
        shuffle(384, stride=2, bottleneck=96),
        *2 * [shuffle(384, bottleneck=96)],
        shuffle(384, bottleneck=96, feeds_head=True),
    ),
)

XCEPTION = Layout(
    stem_channels=16,
    stem_kernel=3,
    blocks=(
        xception(32, stride=2),
        xception(64, stride=2),
        xception(64),
        xception(64, feeds_head=True),
        xception(120, stride=2),
        xception(120),
        xception(120, feeds_head=True),
    ),
)

NAMED_LAYOUTS = {
    "front-128": FRONT,
    "back-256": BACK,
    "paper-128": PAPER,
    "dense-middle-128": DENSE_MIDDLE,
    "short-range": SHORT_RANGE,
    "back-camera": BACK_CAMERA,
    "full-range-dense": FULL_RANGE_DENSE,
    "squeezenet-128": SQUEEZENET,
    "mobilenet-v1-128": MOBILENET_V1,
    "mobilenet-v2-128": MOBILENET_V2,
    "shufflenet-128": SHUFFLENET,
    "xception-128": XCEPTION,
}
"""Layout of each named model of `blazeface.spec`."""


def _current_names(block: dict[str, Any]) -> dict[str, Any]:
    """The fields of a block under its current names; weights files of version 0.1 have former ones."""
    former = {"tap": "feeds_head", "join": "skip_from"}
    return {former.get(name, name): value for name, value in block.items()}
