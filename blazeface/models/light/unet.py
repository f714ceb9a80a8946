"""U-Net (arXiv 1505.04597) and how it is made light in five steps, each by a rule.

step  what changes                                                         parameters
0     the network itself                                                   31,155,586
1     encoder: 3 x 3 in its own width, 1 x 1 to the new one, 3 x 3         28,719,900
2     decoder: 1 x 1 to the new width, then 3 x 3 twice                    26,285,660
3     groups of 4: the encoder's last 3 x 3, the decoder's convolutions    11,635,292
4     each 3 x 3 of both becomes 1 x 3, batch norm, 3 x 1                   9,035,594
5     depthwise: the encoder's last pair and the decoder's pairs            5,919,434
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blazeface.errors import BlazeFaceError
from blazeface.models.light.lighten import lighten

STEPS = (31_155_586, 28_719_900, 26_285_660, 11_635_292, 9_035_594, 5_919_434)
"""Parameters of the network after each step (3 channels in, 2 classes out, batch norm)."""

WIDTHS = (64, 128, 256, 512, 1024)
GROUPS = 4


class UNet(nn.Module):
    """(B, 3, H, W) -> logits (B, classes, H', W').

    padded: 3 x 3 convolutions keep the size, H and W must be multiples of 16 (of 8 with four widths), and H' W' are H W; without, each takes
    off a pixel all round, what the encoder hands over is cropped, and 572 gives 386. The last level's logits come
    from the tail; spare: also hold a fourth decoder block, which the counts above contain and no forward pass uses.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = WIDTHS,
        classes: int = 2,
        padded: bool = False,
        spare: bool = True,
        wide_encoder: bool = False,
        narrow_decoder: bool = False,
    ):
        super().__init__()
        pad = 1 if padded else 0
        self.encoder = nn.ModuleList()
        before = 3
        for width in widths:
            kernels = [(before, before, 3), (before, width, 1), (width, width, 3)]
            self.encoder.append(_chain(kernels if wide_encoder else [(before, width, 3), (width, width, 3)], pad))
            before = width
        self.up, self.decoder = nn.ModuleList(), nn.ModuleList()
        for width in reversed(widths[:-1]):
            self.up.append(nn.ConvTranspose2d(2 * width, width, 2, stride=2))
            if width == widths[0] and not spare:
                continue
            kernels = [(2 * width, width, 1), (width, width, 3), (width, width, 3)]
            self.decoder.append(
                _chain(kernels if narrow_decoder else [(2 * width, width, 3), (width, width, 3)], pad)
            )
        first = widths[0]
        self.tail = _chain([(2 * first, first, 3), (first, first, 3)], pad)
        self.tail.append(nn.Conv2d(first, classes, 3, padding=pad))

    def forward(self, x: Tensor) -> Tensor:
        levels: list[Tensor] = []
        for index, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if index else x)
            levels.append(x)
        last = len(self.up) - 1
        for index, up in enumerate(self.up):
            x = up(x)
            x = torch.cat([_cropped(levels[last - index], x), x], dim=1)
            x = self.tail(x) if index == last else self.decoder[index](x)
        return x


def build_unet(step: int, widths: tuple[int, ...] = WIDTHS, padded: bool = False, spare: bool = True) -> UNet:
    """The network after `step` of its five steps. Raises BlazeFaceError for a step that there is not."""
    if not 0 <= step < len(STEPS):
        raise BlazeFaceError(f"U-Net is made light in steps 0 to {len(STEPS) - 1}, there is no step {step}")
    network = UNet(widths, padded=padded, spare=spare, wide_encoder=step >= 1, narrow_decoder=step >= 2)
    if step >= 3:
        lighten(network, "grouped", where=lambda name, _: _late_layers(name), groups=GROUPS)
    if step >= 4:
        lighten(
            network, "factorized", where=lambda name, _: not name.startswith("tail"), stem=True, between="norm"
        )
    if step >= 5:
        lighten(network, "depthwise", where=lambda name, _: _late_layers(name))
    return network


def _late_layers(name: str) -> bool:
    """The encoder blocks' last convolution (their layers 6 to 8) and everything in the decoder blocks."""
    parts = name.split(".")
    return parts[0] == "decoder" or (parts[0] == "encoder" and parts[2] == "6")


def _chain(kernels: list[tuple[int, int, int]], pad: int) -> nn.Sequential:
    """Convolution with bias, batch norm and ReLU for each (in, out, kernel)."""
    layers: list[nn.Module] = []
    for before, after, kernel in kernels:
        padding = pad if kernel > 1 else 0
        layers += [nn.Conv2d(before, after, kernel, padding=padding), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)


def _cropped(x: Tensor, like: Tensor) -> Tensor:
    """The middle of x, as large as `like`."""
    top, left = (x.shape[2] - like.shape[2]) // 2, (x.shape[3] - like.shape[3]) // 2
    return x[:, :, top : top + like.shape[2], left : left + like.shape[3]]
