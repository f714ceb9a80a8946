"""What `cost` prints: one line a layer, one line a network, or the same as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blazeface.models.cost import Cost


def as_dict(cost: Cost, layers: bool) -> dict[str, Any]:
    """JSON-ready: the totals, and the layers where asked for."""
    totals: dict[str, Any] = {
        "parameters": cost.parameters,
        "macs": cost.macs,
        "activations": cost.activations,
        "bytes": cost.bytes,
    }
    return {**totals, "layers": [asdict(layer) for layer in cost.layers]} if layers else totals


def layer_table(cost: Cost) -> str:
    """One line a layer, and the whole network at the end."""
    rows = [("layer", "kind", "output", "parameters", "MACs", "activations")]
    for layer in cost.layers:
        shape = "x".join(map(str, layer.shape))
        rows.append((layer.name, layer.kind, shape, *_numbers(layer.parameters, layer.macs, layer.activations)))
    rows.append(("whole network", "", "", *_numbers(cost.parameters, cost.macs, cost.activations)))
    where = "of parameters in float32" if cost.file_bytes is None else "on disk"
    return f"{_aligned(rows, left=3)}\n\n{cost.bytes / 1e6:,.3f} MB {where}"


def comparison(costs: dict[str, Cost]) -> str:
    """One line a network; of two, also how many times the second the first is."""
    rows = [("network", "parameters", "MACs", "activations", "MB")]
    for name, cost in costs.items():
        rows.append((name, *_numbers(cost.parameters, cost.macs, cost.activations), f"{cost.bytes / 1e6:,.3f}"))
    if len(costs) == 2:
        one, other = costs.values()
        pairs = [(one.parameters, other.parameters), (one.macs, other.macs), (one.activations, other.activations)]
        ratios = [f"{a / b:.2f}x" for a, b in [*pairs, (one.bytes, other.bytes)]]
        rows.append(("first / second", ratios[0], ratios[1], ratios[2], ratios[3]))
    return _aligned(rows, left=1)


def _numbers(parameters: int, macs: int, activations: int) -> tuple[str, str, str]:
    return f"{parameters:,}", f"{macs:,}", f"{activations:,}"


def _aligned(rows: list[Any], left: int) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
