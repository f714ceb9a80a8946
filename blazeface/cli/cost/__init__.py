"""`blazeface cost`: parameters, multiply-accumulates and activations of a network, layer by layer, printed and drawn."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from blazeface.cli.cost import separable
from blazeface.cli.cost.networks import MISSING, cost_of, named
from blazeface.cli.cost.tables import as_dict, comparison, layer_table
from blazeface.cli.shared_flags import add_overwrite, refuse_unless
from blazeface.errors import BlazeFaceError, install_command

__all__ = ["add_arguments", "cost_of", "named", "run"]

CHART_SUFFIXES = (".png", ".svg", ".pdf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "model",
        nargs="?",
        metavar="MODEL|FILE",
        help="a network's name (--list shows them), a weights file, or `separable` for one convolution in both forms",
    )
    add("--compare", nargs=2, metavar=("A", "B"), help="two of them, side by side")
    add("--list", action="store_true", help="what every named network costs")
    add("--json", action="store_true", help="print JSON instead of a table")
    add(
        "--chart",
        type=Path,
        metavar="FILE",
        help="also draw it (.png, .svg or .pdf): a network layer by layer, several against each other, or of `separable`"
        " what is left of the multiplications by width and kernel",
    )
    add_overwrite(parser)
    separable.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print tables or JSON, draw a chart. Detectors and the second stage are counted as they are deployed, batch norm folded."""
    if [args.model is not None, args.compare is not None, args.list].count(True) != 1:
        raise BlazeFaceError("name one model or file, or two with --compare, or use --list")
    if args.chart and args.chart.suffix not in CHART_SUFFIXES:
        raise BlazeFaceError(f"--chart {args.chart}: its name must end in {', '.join(CHART_SUFFIXES)}")
    refuse_unless(args.overwrite, "--chart", [args.chart] if args.chart else [])
    if args.model == separable.NAME:
        try:
            about = separable.figures_of(args)
        except ImportError as error:
            raise BlazeFaceError(f"{MISSING} ({error})") from error
        print(json.dumps(about, indent=2) if args.json else separable.text(about))
        _draw(args.chart, "draw_separable", about)
        return 0
    separable.refuse_sizes(args)
    try:
        names = sorted(named()) if args.list else args.compare or [args.model]
    except ImportError as error:
        raise BlazeFaceError(f"{MISSING} ({error})") from error
    costs = {name: cost_of(name) for name in names}
    if args.json:
        print(json.dumps({name: as_dict(cost, layers=not args.list) for name, cost in costs.items()}, indent=2))
    elif args.model:
        print(layer_table(costs[args.model]))
    else:
        print(comparison(costs))
    if args.model:
        _draw(args.chart, "draw_layers", costs[args.model], args.model)
    else:
        _draw(args.chart, "draw_networks", costs)
    return 0


def _draw(path: Path | None, name: str, *given: Any) -> None:
    if path is None:
        return
    try:
        from blazeface.cli.cost import chart
    except ImportError as error:
        raise BlazeFaceError(f"--chart needs matplotlib: {install_command('train')} ({error})") from error
    chart.write_chart(getattr(chart, name)(*given), path)
