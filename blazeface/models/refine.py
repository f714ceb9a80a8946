"""The network of the second stage: keypoints in a face crop, after HRNet (arXiv 1902.09212), much smaller."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blazeface.crop import CROP_KEY, CropSpec
from blazeface.errors import BlazeFaceError
from blazeface.models.blocks import fold_norm
from blazeface.models.light.blocks import conv_norm
from blazeface.models.light.lighten import lighten
from blazeface.models.tensor_file import fill, read_tensors, write_tensors
from blazeface.spec import KEYPOINT_NAMES

FINE, COARSE = 24, 48
"""Widths of the branch at a quarter and of the branch at an eighth of the crop's side."""

EXCHANGES = 2

KINDS = ("dense", "separable")
KIND_KEY = "blazeface.refine.kind"


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut (arXiv 1512.03385, figure 5 left); (B, C, H, W) -> the same."""

    def __init__(self, channels: int, norm: bool = True):
        super().__init__()
        self.first = conv_norm(channels, channels, 3, norm)
        self.second = conv_norm(channels, channels, 3, norm)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class Exchange(nn.Module):
    """A BasicBlock on each branch, then each branch takes in the other, scaled to its own size."""

    def __init__(self, norm: bool = True):
        super().__init__()
        self.fine, self.coarse = BasicBlock(FINE, norm), BasicBlock(COARSE, norm)
        self.up = conv_norm(COARSE, FINE, 1, norm)
        self.down = conv_norm(FINE, COARSE, 3, norm, stride=2)

    def forward(self, fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        fine, coarse = self.fine(fine), self.coarse(coarse)
        return F.relu(fine + _twice(self.up(coarse))), F.relu(coarse + self.down(fine))


class RefineNet(nn.Module):
    """(B, 3, S, S) float RGB, normalised as the spec says -> keypoints (B, 6, 2), x y in units of the crop's side.

    Each keypoint is the mean place of a heat map at a quarter of the crop's side (integral regression,
    arXiv 1711.08229), which is finer than its cells and needs no search.
    """

    grid: Tensor

    def __init__(self, spec: CropSpec | None = None, norm: bool = True):
        super().__init__()
        self.spec = spec or CropSpec()
        self.kind = "dense"
        self.stem = conv_norm(3, 16, 3, norm, stride=2)
        self.enter = conv_norm(16, FINE, 3, norm, stride=2)
        self.split = conv_norm(FINE, COARSE, 3, norm, stride=2)
        self.exchanges = nn.ModuleList(Exchange(norm) for _ in range(EXCHANGES))
        self.join = conv_norm(FINE + COARSE, COARSE, 1, norm)
        self.heat = nn.Conv2d(COARSE, len(KEYPOINT_NAMES), 1)
        centers = (torch.arange(self.spec.size // 4) + 0.5) / (self.spec.size // 4)
        y, x = torch.meshgrid(centers, centers, indexing="ij")
        self.register_buffer("grid", torch.stack([x.flatten(), y.flatten()], dim=1), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        fine = F.relu(self.enter(F.relu(self.stem(x))))
        coarse = F.relu(self.split(fine))
        for exchange in self.exchanges:
            fine, coarse = exchange(fine, coarse)
        heat = self.heat(F.relu(self.join(torch.cat([fine, _twice(coarse)], dim=1))))
        answer: Tensor = heat.flatten(2).softmax(dim=2) @ self.grid
        return answer

    def folded(self) -> RefineNet:
        """A copy for inference: batch norm folded into the convolutions, same answers in eval mode."""
        network = copy.deepcopy(self).eval()
        fold_all(network)
        return network


def build_refine(kind: str, spec: CropSpec | None = None, norm: bool = True) -> RefineNet:
    """A fresh network: "dense", or "separable", which is the dense one made light."""
    if kind not in KINDS:
        raise BlazeFaceError(f"unknown kind {kind!r} of second stage: there are {', '.join(KINDS)}")
    network = RefineNet(spec, norm)
    if kind == "separable":
        lighten(network, "separable", between="norm" if norm else "nothing")
        network.kind = kind
    return network


def lightened_refine(dense: RefineNet) -> RefineNet:
    """The separable form of a trained dense network, its layers as near to the old ones as they can be, to train on."""
    if dense.kind != "dense":
        raise BlazeFaceError(f"a {dense.kind} second stage cannot be made light once more")
    network = copy.deepcopy(dense)
    lighten(network, "separable", between="norm", init="svd")
    network.kind = "separable"
    return network


def save_refine(network: RefineNet, path: Path) -> None:
    """Write a network with its crop spec. The file appears whole or not at all."""
    write_tensors(network, path, {CROP_KEY: network.spec.to_json(), KIND_KEY: network.kind})


def load_refine(path: Path) -> RefineNet:
    """The network of a file that `save_refine` wrote, in eval mode. Raises BlazeFaceError naming the file."""
    metadata, tensors = read_tensors(path)
    if CROP_KEY not in metadata or metadata.get(KIND_KEY) not in KINDS:
        raise BlazeFaceError(f"{path}: it holds no second stage of blazeface")
    network = build_refine(metadata[KIND_KEY], CropSpec.from_json(metadata[CROP_KEY], str(path)))
    fill(network, tensors, path)
    return network.eval()


def fold_all(network: nn.Module) -> None:
    """Fold every pair of convolution and batch norm of a network in eval mode, in place."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Sequential) and len(child) == 2 and isinstance(child[1], nn.BatchNorm2d):
                setattr(module, name, fold_norm(child))


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
