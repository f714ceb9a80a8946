"""Replace dense convolutions by cheaper ones, anywhere in any module.

    report = lighten(network, "separable", init="svd", example=torch.zeros(1, 3, 128, 128))
    print(report.markdown())

The rules:

    separable    k x k becomes a depthwise k x k and a pointwise convolution (arXiv 1704.04861)
    grouped      any dense convolution gets groups (arXiv 1707.01083)
    factorized   k x k becomes 1 x k and k x 1 (arXiv 1512.00567, section 3.2)
    depthwise    a k x k, 1 x k or k x 1 with as many outputs as inputs gets one filter per channel

What a rule has made it does not change again, so that a second call does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from blazeface.errors import BlazeFaceError
from blazeface.models.blocks import SameConv2d
from blazeface.models.cost import count
from blazeface.models.layouts import BETWEEN, RULES, Lightened
from blazeface.models.light.nearest import nearest_depthwise, nearest_factors, nearest_groups, nearest_separable
from blazeface.models.light.separable import followed

Predicate = Callable[[str, nn.Conv2d], bool]


@dataclass(frozen=True)
class Change:
    """One layer before and after. macs are None without an example. error: norm of the difference of the kernels
    over that of the old one, as the new layer starts; None for a random start."""

    layer: str
    rule: str
    parameters: tuple[int, int]
    macs: tuple[int, int] | None
    error: float | None


@dataclass(frozen=True)
class Report:
    """What `lighten` did. parameters and macs: of the whole network, before and after."""

    changes: tuple[Change, ...]
    parameters: tuple[int, int]
    macs: tuple[int, int] | None

    def markdown(self) -> str:
        """A table, one row a layer and one for the whole network."""
        lines = [
            "| layer | rule | parameters | after | MACs | after | error |",
            "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        for change in self.changes:
            error = "" if change.error is None else f"{change.error:.3f}"
            lines.append(_row(change.layer, change.rule, change.parameters, change.macs, error))
        return "\n".join([*lines, _row("whole network", "", self.parameters, self.macs, "")])


def lighten(
    model: nn.Module,
    rule: str,
    *,
    where: Predicate | None = None,
    stem: bool = False,
    last: bool = False,
    groups: int = 4,
    between: str = "nothing",
    init: str = "random",
    example: Tensor | tuple[Tensor, ...] | None = None,
) -> Report:
    """Exchange the dense convolutions of a model by `rule`, in place.

    where: takes a layer's name and the layer, and says whether it may be changed. stem, last: also change the first
    convolution, and the last one where no linear layer comes after it (first and last as the model names them).
    groups: of the rule "grouped"; layers whose widths they do not divide stay. between: what stands between the two
    parts of "separable" and "factorized": "nothing", "norm" for batch norm, or "norm-relu" for batch norm and ReLU. init:
    "random", or "svd" for the new layers that come nearest to the old kernels (see `nearest`; a norm in between starts as
    the identity, and ReLU, which would cut half of every answer off, cannot be had with it). example: inputs of the model, to count
    multiply-accumulates with.

    A module that stands in several places is exchanged once, for one new module in all of them. Stride, padding and
    its mode, dilation, the bias (which both parts get), device, dtype, training mode and requires_grad are kept.
    Convolutions of classes other than nn.Conv2d and SameConv2d are left alone. Raises ValueError for an unknown
    rule, between or init, for "svd" with ReLU in between, and for a model that is itself a convolution.
    """
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}: there are {', '.join(RULES)}")
    if init not in ("random", "svd"):
        raise ValueError(f'init must be "random" or "svd", not {init!r}')
    if between not in BETWEEN:
        raise ValueError(f"between must be one of {', '.join(BETWEEN)}, not {between!r}")
    if init == "svd" and between == "norm-relu":
        raise ValueError('init="svd" comes near to a linear map, which no ReLU may interrupt: use between="norm"')
    if isinstance(model, nn.Conv2d):
        raise ValueError("a single convolution cannot be exchanged in place: wrap it in nn.Sequential")
    names = chosen(model, rule, where, stem, last, groups)
    before = None if example is None else count(model, example)
    parameters = sum(p.numel() for p in model.parameters())
    exchanged = exchange(model, names, rule, groups, between, init)
    after = None if example is None else count(model, example)
    changes = []
    for name, (old, new, error) in exchanged.items():
        macs = None
        if before and after:
            macs = (
                sum(layer.macs for layer in before.layers if layer.name == name),
                sum(layer.macs for layer in after.layers if f"{layer.name}.".startswith(f"{name}.")),
            )
        sizes = (sum(p.numel() for p in old.parameters()), sum(p.numel() for p in new.parameters()))
        changes.append(Change(name, rule, sizes, macs, error))
    total = (parameters, sum(p.numel() for p in model.parameters()))
    return Report(tuple(changes), total, (before.macs, after.macs) if before and after else None)


def chosen(
    model: nn.Module,
    rule: str,
    where: Predicate | None = None,
    stem: bool = False,
    last: bool = False,
    groups: int = 4,
) -> list[str]:
    """Names of the layers that `lighten` would exchange; a shared one under its first name."""
    weighted = [
        (n, m) for n, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear))
    ]
    convolutions = [(n, m) for n, m in weighted if isinstance(m, nn.Conv2d)]
    spared = set()
    if convolutions and not stem:
        spared.add(convolutions[0][0])
    if convolutions and not last and weighted[-1] == convolutions[-1]:
        spared.add(convolutions[-1][0])
    return [
        name
        for name, layer in convolutions
        if name not in spared and fits(layer, rule, groups) and (where is None or where(name, layer))
    ]


def fits(layer: nn.Module, rule: str, groups: int) -> bool:
    """Whether a rule has something to do at a layer, and can."""
    if not isinstance(layer, nn.Conv2d) or type(layer) not in (nn.Conv2d, SameConv2d):
        return False
    kernel, width = layer.kernel_size, (layer.in_channels, layer.out_channels)
    if rule == "separable":
        return min(kernel) > 1 and layer.groups == 1 and layer.in_channels > 1
    if rule == "grouped":
        return groups > 1 and layer.groups == 1 and not any(channels % groups for channels in width)
    if rule == "factorized":
        return min(kernel) > 1
    return max(kernel) > 1 and width[0] == width[1] and layer.groups < width[0]


def exchange(
    model: nn.Module,
    names: list[str],
    rule: str,
    groups: int,
    between: str = "nothing",
    init: str = "random",
    norm: bool = True,
) -> dict[str, tuple[nn.Conv2d, nn.Module, float | None]]:
    """Put new layers in the places of the named modules and of their aliases.

    norm: as in `separable.followed`. By name: the old layer, the new one, and the relative error of the approximation (None unless init is "svd").
    """
    done: dict[str, tuple[nn.Conv2d, nn.Module, float | None]] = {}
    replacement: dict[nn.Module, nn.Module] = {}
    for name in names:
        old = model.get_submodule(name)
        assert isinstance(old, nn.Conv2d)
        new = _build(old, rule, groups, between, norm)
        new.to(old.weight.device, old.weight.dtype).train(old.training)
        error = _start_nearest(old, new, rule) if init == "svd" else None
        new.requires_grad_(old.weight.requires_grad)
        replacement[old] = new
        done[name] = (old, new, error)
    for module in list(model.modules()):
        for name, child in list(module._modules.items()):
            if child in replacement:
                module._modules[name] = replacement[child]
    return done


def exchange_again(model: nn.Module, change: Lightened, named: str, norm: bool = True) -> None:
    """Repeat a recorded change in a network that is as it was before it, with new weights at random.

    named: what the network is called in the BlazeFaceError where one of the layers is missing or cannot be changed so.
    norm: as in `exchange`.
    """
    for name in change.layers:
        try:
            able = fits(model.get_submodule(name), change.rule, change.groups)
        except AttributeError:
            able = False
        if not able:
            raise BlazeFaceError(f"{named}: layer {name!r} of this network cannot be made {change.rule}")
    exchange(model, list(change.layers), change.rule, change.groups, change.between, norm=norm)


def _build(old: nn.Conv2d, rule: str, groups: int, between: str, norm: bool) -> nn.Module:
    wide, out = old.in_channels, old.out_channels
    if rule == "grouped":
        return _like(old, wide, out, groups, (True, True))
    if rule == "depthwise":
        return _like(old, wide, out, wide, (True, True))
    if rule == "separable":
        first = _like(old, wide, wide, wide, (True, True))
        second = _like(old, wide, out, 1, (False, False))
        channels = wide
    else:
        first = _like(old, wide, out, old.groups, (False, True))
        second = _like(old, out, out, old.groups, (True, False))
        channels = out
    return nn.Sequential(followed(first, channels, between, norm), second)


def _like(old: nn.Conv2d, wide: int, out: int, groups: int, axes: tuple[bool, bool]) -> nn.Conv2d:
    """A convolution that does what the old one did along the axes (rows, columns) named, and nothing along others."""

    def along(values: tuple[int, ...], plain: int) -> tuple[int, int]:
        return (values[0] if axes[0] else plain, values[1] if axes[1] else plain)

    kernel, stride = along(old.kernel_size, 1), along(old.stride, 1)
    bias = old.bias is not None
    if isinstance(old, SameConv2d):
        return SameConv2d(wide, out, kernel, stride, groups, bias, along(old.dilation, 1))
    padding = old.padding if isinstance(old.padding, str) else along(old.padding, 0)
    dilation = along(old.dilation, 1)
    mode = old.padding_mode if any(axes) else "zeros"
    return nn.Conv2d(wide, out, kernel, stride, padding, dilation, groups, bias, mode)


@torch.no_grad()
def _start_nearest(old: nn.Conv2d, new: nn.Module, rule: str) -> float:
    """Give the new layer the weights nearest to the old kernel; what is left over, relative to the old."""
    layers = [m for m in new.modules() if isinstance(m, nn.Conv2d)]
    for layer in layers:
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    if old.bias is not None and layers[-1].bias is not None:
        layers[-1].bias.copy_(old.bias)
    kernel = old.weight.detach()
    parts: tuple[Tensor, ...]
    if rule == "separable":
        parts, rebuilt = nearest_separable(kernel)
    elif rule == "factorized":
        parts, rebuilt = nearest_factors(kernel, old.groups)
    elif rule == "grouped":
        parts, rebuilt = nearest_groups(kernel, layers[0].groups)
    else:
        parts, rebuilt = nearest_depthwise(kernel, old.groups)
        kernel = _dense(kernel, old.groups)
    for layer, part in zip(layers, parts, strict=True):
        layer.weight.copy_(part)
    return float((kernel - rebuilt).norm() / kernel.norm().clamp(min=1e-12))


def _dense(kernel: Tensor, groups: int) -> Tensor:
    """A grouped kernel (O, I / groups, h, w) written out with its zeros, (O, I, h, w)."""
    out, each = kernel.shape[0] // groups, kernel.shape[1]
    dense = kernel.new_zeros(kernel.shape[0], each * groups, *kernel.shape[2:])
    for group in range(groups):
        rows = slice(group * out, (group + 1) * out)
        dense[rows, group * each : (group + 1) * each] = kernel[rows]
    return dense


def _row(layer: str, rule: str, parameters: tuple[int, int], macs: tuple[int, int] | None, error: str) -> str:
    counted = [f"{n:,}" for n in parameters] + (["", ""] if macs is None else [f"{n:,}" for n in macs])
    return f"| {layer} | {rule} | {' | '.join(counted)} | {error} |"
