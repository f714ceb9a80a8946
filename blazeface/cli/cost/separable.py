"""`blazeface cost separable`: one convolution, dense and depthwise-separable, with the formulas."""

from __future__ import annotations

import argparse
import re
from typing import Any

from blazeface.errors import BlazeFaceError

NAME = "separable"

LIMIT = 65_536
"""Largest number of channels, side of a kernel or side of a map that is counted."""

TOOLS = (
    ("torch.utils.flop_counter", 2, False),
    ("fvcore", 1, False),
    ("thop", 1, False),
    ("torchinfo", 1, True),
    ("ptflops", 1, True),
)
"""What other tools count: how much for a multiply-accumulate, and whether one more for each bias that is added. Found with
torch 2.13.0, fvcore 0.1.5, thop 0.1.1, torchinfo 1.8.0 and ptflops 0.7.5 on the two layers of `PUBLISHED`."""

PUBLISHED = {(64, 128, 3, 32, 32): ((73_856, 75_497_472), (8_960, 8_978_432))}
"""(in, out, kernel, rows, columns): published (parameters, multiply-accumulates) of the dense and of the separable form."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("of `cost separable`").add_argument
    add("--in", dest="in_channels", type=int, metavar="N", help="channels that come in")
    add("--out", dest="out_channels", type=int, metavar="N", help="channels that go out")
    add("--kernel", type=int, metavar="K", help="side of the filters (default 3)")
    add("--size", metavar="WxH", help="of the map, in cells (default 32x32); stride 1, padded to keep it")
    add("--no-bias", action="store_true", help="convolutions without biases")


def refuse_sizes(args: argparse.Namespace) -> None:
    """Raise BlazeFaceError where options of `cost separable` stand beside something else."""
    for flag, value in (
        ("--in", args.in_channels),
        ("--out", args.out_channels),
        ("--kernel", args.kernel),
        ("--size", args.size),
        ("--no-bias", args.no_bias or None),
    ):
        if value is not None:
            raise BlazeFaceError(f"{flag} belongs to `cost {NAME}`")


def figures_of(args: argparse.Namespace) -> dict[str, Any]:
    """What is to be printed or drawn. Raises BlazeFaceError for numbers that are missing or impossible."""
    if args.in_channels is None or args.out_channels is None:
        raise BlazeFaceError(f"cost {NAME} needs --in and --out: the channels of the convolution")
    kernel = 3 if args.kernel is None else args.kernel
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", args.size or "32x32")
    if found is None:
        raise BlazeFaceError(f"--size must be WIDTHxHEIGHT, like 32x32, not {args.size!r}")
    width, height = int(found[1]), int(found[2])
    numbers = (("--in", args.in_channels), ("--out", args.out_channels), ("--kernel", kernel))
    for flag, number in (*numbers, ("--size", width), ("--size", height)):
        if not 1 <= number <= LIMIT:
            raise BlazeFaceError(f"{flag} must be from 1 to {LIMIT:,}, not {number}")
    return figures(args.in_channels, args.out_channels, kernel, (height, width), not args.no_bias)


def figures(in_channels: int, out_channels: int, kernel: int, size: tuple[int, int], bias: bool) -> dict[str, Any]:
    """Counted from the layers themselves; size: (rows, columns)."""
    from blazeface.models.light.separable import compared

    costs = dict(zip(("dense", "separable"), compared(in_channels, out_channels, kernel, size, bias), strict=True))
    forms = {
        form: {
            "parameters": cost.parameters,
            "macs": cost.macs,
            "bias_additions": cost.activations if bias else 0,
        }
        for form, cost in costs.items()
    }
    return {
        "in": in_channels,
        "out": out_channels,
        "kernel": kernel,
        "rows": size[0],
        "columns": size[1],
        "bias": bias,
        **forms,
        "ratio": forms["separable"]["macs"] / forms["dense"]["macs"],
        "tools": {
            tool: {
                form: each * counts["macs"] + (counts["bias_additions"] if biases else 0)
                for form, counts in forms.items()
            }
            for tool, each, biases in TOOLS
        },
    }


def text(about: dict[str, Any]) -> str:
    wide, out, kernel, rows, columns = (about[name] for name in ("in", "out", "kernel", "rows", "columns"))
    square, cells = f"{kernel}^2", f"{columns} x {rows}"
    dense, light = about["dense"], about["separable"]
    lines = [
        f"{wide} -> {out} channels, {kernel} x {kernel}, on {cells}, {'with' if about['bias'] else 'without'} biases",
        "",
        f"{'':28}{'dense':>18}{'separable':>18}",
        f"{'parameters':28}{dense['parameters']:>18,}{light['parameters']:>18,}",
        f"{'MACs':28}{dense['macs']:>18,}{light['macs']:>18,}",
        "",
        f"dense      MACs = in x k^2 x out x W x H         = {wide} x {square} x {out} x {cells}",
        f"separable  MACs = (in x k^2 + in x out) x W x H  = ({wide} x {square} + {wide} x {out}) x {cells}",
        f"separable / dense = 1/out + 1/k^2 = 1/{out} + 1/{kernel**2} = {about['ratio']:.4f}",
    ]
    published = PUBLISHED.get((wide, out, kernel, rows, columns)) if about["bias"] else None
    if published:
        (parameters, macs), (fewer, less) = published
        same = ((dense["parameters"], dense["macs"]), (light["parameters"], light["macs"])) == published
        lines += [
            "",
            f"published for these sizes: {less:,} MACs and {fewer:,} parameters against {macs:,} and {parameters:,}"
            f" ({'the same' if same else 'others'})",
        ]
    lines += ["", f"{'what other tools print':28}{'dense':>18}{'separable':>18}"]
    for tool, each, biases in TOOLS:
        printed = about["tools"][tool]
        how = f"{each} a MAC, {'1 a bias added' if biases else 'biases free'}"
        lines.append(f"{tool:28}{printed['dense']:>18,}{printed['separable']:>18,}  {how}")
    return "\n".join([*lines, "thop tells 0 parameters where what it profiles is itself a convolution."])
