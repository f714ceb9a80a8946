"""The networks of the second stage: keypoints in a face crop, after HRNet (arXiv 1902.09212), much smaller, or by a small
residual network (`light.residual`)."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blazeface.crop import CROP_KEY, CropSpec
from blazeface.errors import BlazeFaceError
from blazeface.models.blocks import folded_copy
from blazeface.models.light.blocks import conv_norm
from blazeface.models.light.lighten import lighten
from blazeface.models.light.residual import BasicBlock, ResidualKeypoints
from blazeface.models.tensor_file import fill, read_tensors, write_tensors
from blazeface.spec import KEYPOINT_NAMES

FINE, COARSE = 24, 48
"""Widths of the branch at a quarter and of the branch at an eighth of the crop's side."""

EXCHANGES = 2

KINDS = ("dense", "separable", "residual", "residual-separable")
"""The networks by name: RefineNet and ResidualKeypoints, each as it is and with its 3 x 3 convolutions made separable."""

KIND_KEY = "blazeface.refine.kind"


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
        return folded_copy(self)


SecondStage: TypeAlias = RefineNet | ResidualKeypoints


def build_refine(kind: str, spec: CropSpec | None = None) -> SecondStage:
    """A fresh network, one of KINDS. Raises BlazeFaceError for another name.

    Between the two parts of a separable convolution stands batch norm, and in the residual network ReLU as well.
    """
    if kind not in KINDS:
        raise BlazeFaceError(f"unknown kind {kind!r} of second stage: there are {', '.join(KINDS)}")
    network = ResidualKeypoints(spec) if kind.startswith("residual") else RefineNet(spec)
    if kind.endswith("separable"):
        lighten(network, "separable", between="norm" if kind == "separable" else "norm-relu")
    network.kind = kind
    return network


def lightened_refine(dense: SecondStage) -> SecondStage:
    """The separable form of a trained "dense" network, its layers as near to the old ones as they can be, to train on."""
    if dense.kind != "dense":
        raise BlazeFaceError(f"a {dense.kind} second stage cannot be the start of another kind")
    network = copy.deepcopy(dense)
    lighten(network, "separable", between="norm", init="svd")
    network.kind = "separable"
    return network


def save_refine(network: SecondStage, path: Path) -> None:
    """Write a network with its crop spec. The file appears whole or not at all."""
    write_tensors(network, path, {CROP_KEY: network.spec.to_json(), KIND_KEY: network.kind})


def load_refine(path: Path) -> SecondStage:
    """The network of a file that `save_refine` wrote, in eval mode. Raises BlazeFaceError naming the file."""
    metadata, tensors = read_tensors(path)
    if CROP_KEY not in metadata or metadata.get(KIND_KEY) not in KINDS:
        raise BlazeFaceError(f"{path}: it holds no second stage of blazeface")
    network = build_refine(metadata[KIND_KEY], CropSpec.from_json(metadata[CROP_KEY], str(path)))
    fill(network, tensors, path)
    return network.eval()


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
