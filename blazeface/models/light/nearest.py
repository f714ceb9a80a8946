"""The cheap convolutions nearest to a dense one, in the sum of squared differences of their kernels.

Each function takes a kernel (O, I / groups, h, w) and gives the kernels of the new layers, in the order in which they
run, and the kernel that these make together, to be held against the old one.
"""

from __future__ import annotations

import torch
from torch import Tensor


def nearest_separable(kernel: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Depthwise (I, 1, h, w) and pointwise (O, I, 1, 1): for each input channel the best outer product.

    What one input channel gives to all outputs is a matrix (O, h w); a separable convolution has one filter for it
    times one number per output, a matrix of rank 1. The best is the first term of its singular value decomposition
    (Eckart and Young, 1936), its weight shared evenly between the two layers.
    """
    out, wide, height, width = kernel.shape
    u, s, v = torch.linalg.svd(
        kernel.permute(1, 0, 2, 3).reshape(wide, out, height * width).float(), full_matrices=False
    )
    weight = s[:, 0].sqrt()
    pointwise = (u[:, :, 0] * weight[:, None]).T.reshape(out, wide, 1, 1).to(kernel.dtype)
    depthwise = (v[:, 0] * weight[:, None]).reshape(wide, 1, height, width).to(kernel.dtype)
    return (depthwise, pointwise), pointwise * depthwise.permute(1, 0, 2, 3)


def nearest_factors(kernel: Tensor, groups: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """1 x w (O, I / groups, 1, w) and h x 1 (O, O / groups, h, 1): per group the decomposition of arXiv 1405.3866.

    A group's kernel is a matrix (o h, i w); its first o singular terms are what fits through the o channels between.
    """
    out, each, height, width = kernel.shape
    count = out // groups
    across = kernel.new_zeros(out, each, 1, width)
    down = kernel.new_zeros(out, count, height, 1)
    rebuilt = torch.empty_like(kernel)
    for group in range(groups):
        rows = slice(group * count, (group + 1) * count)
        matrix = kernel[rows].permute(0, 2, 1, 3).reshape(count * height, each * width).float()
        u, s, v = torch.linalg.svd(matrix, full_matrices=False)
        rank = min(count, len(s))
        weight = s[:rank].sqrt()
        left, right = u[:, :rank] * weight, v[:rank] * weight[:, None]
        down[rows, :rank, :, 0] = left.reshape(count, height, rank).permute(0, 2, 1).to(kernel.dtype)
        across[rows][:rank, :, 0] = right.reshape(rank, each, width).to(kernel.dtype)
        whole = (left @ right).reshape(count, height, each, width).permute(0, 2, 1, 3)
        rebuilt[rows] = whole.to(kernel.dtype)
    return (across, down), rebuilt


def nearest_groups(kernel: Tensor, groups: int) -> tuple[tuple[Tensor], Tensor]:
    """The blocks on the diagonal (O, I / groups, h, w) of a dense kernel: the others are cut off."""
    out, wide = kernel.shape[:2]
    rows, columns = out // groups, wide // groups
    rebuilt = torch.zeros_like(kernel)
    blocks = []
    for group in range(groups):
        place = slice(group * rows, (group + 1) * rows), slice(group * columns, (group + 1) * columns)
        rebuilt[place] = kernel[place]
        blocks.append(kernel[place])
    return (torch.cat(blocks),), rebuilt


def nearest_depthwise(kernel: Tensor, groups: int) -> tuple[tuple[Tensor], Tensor]:
    """The diagonal (C, 1, h, w) of a kernel of as many outputs as inputs; rebuilt is written out dense, (C, C, h, w)."""
    channels, each = kernel.shape[:2]
    index = torch.arange(channels, device=kernel.device)
    diagonal = kernel[index, index % each][:, None]
    rebuilt = kernel.new_zeros(channels, channels, *kernel.shape[2:])
    rebuilt[index, index] = diagonal[:, 0]
    return (diagonal,), rebuilt
