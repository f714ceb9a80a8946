"""Layout: a network as a table of numbers (widths, strides, bottlenecks, heads), and its JSON in files of weights.

The tables of the named models are in `named_layouts`. The input size, the anchors and all that the detection side needs
stand in `blazeface.spec`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable

KINDS = ("blaze", "dense", "fire", "separable", "inverted", "shuffle", "xception", "aligned", "aligned-exit")
"""Families of blocks: BlazeFace's own and a plain dense convolution (`models.blocks`), and those of the networks around it
(`models.light.blocks`, `models.light.xception_aligned`)."""


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

    Three of Aligned Xception's. repeats: separable convolutions of an "aligned" block, 3, or 2 that change the width in the
    second. activated: it ends with ReLU. dilation: of the depthwise convolutions of both kinds, at stride 1.
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
    repeats: int = 0
    activated: bool = False
    dilation: int = 1


BLOCK_OPTIONS = ("projected", "depthwise_norm", "dense_middle")
"""Of BlazeFace's own blocks."""

ALIGNED_OPTIONS = {"repeats": 0, "activated": False, "dilation": 1}
"""Of Aligned Xception's, and what they are where they are not set."""

UNSET = dict.fromkeys(BLOCK_OPTIONS, False) | ALIGNED_OPTIONS
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
    """A whole network: the stem (a dense convolution of stride 2) and its blocks, and what was made light in them.

    grey: the stem sees the luminance alone (`models.blocks.Luminance`), for cameras that give nothing else.
    """

    stem_channels: int
    stem_kernel: int
    blocks: tuple[Block, ...]
    lightened: tuple[Lightened, ...] = ()
    grey: bool = False

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
            for option, value in UNSET.items():
                if block[option] == value:
                    del block[option]
        for change in data["lightened"]:
            if change["between"] == "nothing":
                del change["between"]
        if not self.grey:  # files of before compare equal
            del data["grey"]
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
                grey=data.get("grey", False),
            )
            layout._check()
            return layout
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BlazeFaceError(
                f"{source}: its layout metadata cannot be read: {printable(str(error))}"
            ) from error

    def _check(self) -> None:
        """Refuse numbers that would build an impossible or a gigantic network."""
        if type(self.grey) is not bool:
            raise ValueError(f"grey must be true or false, not {self.grey!r}")
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
    aligned = {name: getattr(block, name) for name in ALIGNED_OPTIONS}
    if block.kind == "aligned":
        if type(block.repeats) is not int or block.repeats not in (2, 3) or type(block.activated) is not bool:
            raise ValueError(f"block {index} has impossible options {aligned}")
    elif block.kind != "aligned-exit" and aligned != ALIGNED_OPTIONS:
        raise ValueError(f"block {index} of kind {block.kind!r} knows no options of Aligned Xception")
    if (
        type(block.dilation) is not int
        or not 1 <= block.dilation <= 64
        or (block.dilation > 1 and block.stride > 1)
    ):
        raise ValueError(f"block {index} has an impossible dilation {block.dilation!r}")
    if block.kind == "aligned-exit" and (block.stride > 1 or block.repeats or block.activated):
        raise ValueError(f"block {index} of kind 'aligned-exit' has a dilation only")
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


def _current_names(block: dict[str, Any]) -> dict[str, Any]:
    """The fields of a block under its current names; weights files of version 0.1 have former ones."""
    former = {"tap": "feeds_head", "join": "skip_from"}
    return {former.get(name, name): value for name, value in block.items()}
