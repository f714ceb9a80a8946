"""The layouts of the named models: widths, strides, kernels and heads, one table a network. One number changes in one place."""

from __future__ import annotations

from functools import partial

from blazeface.errors import BlazeFaceError
from blazeface.models.layouts import Block, Layout

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
        Block(128),
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
        *2 * [Block(128)],
        Block(128, feeds_head=True),
        Block(96, skip_from=9, feeds_head=True),
        Block(96, skip_from=5),
        Block(96, kernel=3),
        Block(96, kernel=3, feeds_head=True),
    ),
)

# For microcontrollers: grey, at most 5 million multiply-accumulates, and few channels where maps are large, since what a
# layer reads and writes must lie in memory beside the weights. FRONT at about half its widths and with two blocks less, so
# that it can start from the channels of FRONT that matter most (benchmarks/training/narrow.py).
TINY = Layout(
    stem_channels=8,
    stem_kernel=3,
    blocks=(
        dense(16, stride=2),
        Block(24, kernel=3),
        Block(48, stride=2),
        *2 * [Block(48)],
        Block(80, stride=2),
        *2 * [Block(80)],
        Block(80, feeds_head=True),
        Block(40, skip_from=4),
        Block(40, kernel=3),
        Block(40, kernel=3, feeds_head=True),
    ),
    grey=True,
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

ALIGNED_CHANNELS = (32, 64, 128, 256, 728, 1024, 1536, 2048)
"""Channels of Aligned Xception (`light.xception_aligned`) at its full width, from the stem to the last separable convolution."""

MIDDLE_BLOCKS = 16


def aligned_widths(width: float) -> tuple[int, ...]:
    """ALIGNED_CHANNELS times a width multiplier in (0, 2], in steps of 8, down to 16. Raises BlazeFaceError for another one."""
    if not 0 < width <= 2:
        raise BlazeFaceError(f"the width multiplier of Aligned Xception must lie in (0, 2], not {width}")
    # Not below 16: in PyTorch 2.13 the backward pass of a strided 1 x 1 convolution in channels_last format writes
    # beyond its memory for 8 and 12 input channels.
    return tuple(max(16, round(channels * width / 8) * 8) for channels in ALIGNED_CHANNELS)


def aligned_layout(width: float) -> Layout:
    """Aligned Xception at output stride 16 as a detector's backbone, at any width multiplier in (0, 2].

    The block of stride 8 and the last convolution feed the head. Every block begins with ReLU; where the one before ends with
    one that changes nothing, so that this is the network of `light.xception_aligned`, weight for weight.
    """
    w32, w64, w128, w256, w728, w1024, w1536, w2048 = aligned_widths(width)
    block = partial(Block, kind="aligned", kernel=3, repeats=3)
    last = partial(Block, kind="aligned-exit", kernel=3, dilation=2)
    return Layout(
        stem_channels=w32,
        stem_kernel=3,
        blocks=(
            dense(w64),
            block(w128, stride=2, activated=True),
            block(w256, stride=2, feeds_head=True),
            block(w728, stride=2),
            *MIDDLE_BLOCKS * [block(w728)],
            block(w1024, repeats=2, activated=True),
            last(w1536),
            last(w1536),
            last(w2048, feeds_head=True),
        ),
    )


ALIGNED_WIDTH = 0.08
"""Width multiplier of the named detector: the one whose multiply-accumulates come nearest to those of paper-128."""

NAMED_LAYOUTS = {
    "front-128": FRONT,
    "back-256": BACK,
    "tiny-96": TINY,
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
    "xception-aligned-128": aligned_layout(ALIGNED_WIDTH),
}
"""Layout of each named model of `blazeface.spec`."""
