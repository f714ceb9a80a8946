"""Faster training on a CPU: own kernels for what the library does slowly.

A training step of a small network is depthwise convolutions, which the library runs far below the processor's
speed, and passes over memory between them. `depthwise` and `joints` hold kernels for both; 1 x 1 convolutions
stay the library's. They are compiled once for the machine at hand, with the C compiler that the system has.
Without a compiler, or for maps they are not made for, everything is as before.

    network = accelerate(network)      # parameters, names, answers: unchanged

`benchmarks/training_speed.py` measures what it brings.
"""

from __future__ import annotations

from typing import TypeVar

from torch import nn

from blazeface.models.blocks import ConvNorm, SameConv2d
from blazeface.training import depthwise, joints
from blazeface.training.kernels import load_kernels

Network = TypeVar("Network", bound=nn.Module)


def accelerate(network: Network) -> Network:
    """Train `network` with the kernels, in place; returns the network.

    Call it before training, on a network in channels_last memory format (others stay with the library).
    State dict, copies, export and the answers in eval mode do not change; a copy is accelerated too.
    """
    convolutions, between = load_kernels(depthwise.SOURCE) is not None, load_kernels(joints.SOURCE) is not None
    for module in network.modules():
        if convolutions and type(module) is SameConv2d and depthwise.is_built_in(module):
            module.__class__ = depthwise.KernelConv2d
        elif between and type(module) is ConvNorm:
            module.__class__ = joints.KernelConvNorm
        elif between and type(module) is nn.MaxPool2d and joints.is_built_in(module):
            module.__class__ = joints.KernelMaxPool2d
    return network
