"""Tables of docs/lightweight.md for networks that are no detectors, from own.json and residual.json (`own.py`)."""

from __future__ import annotations

from typing import Any

Found = dict[str, Any]
MISSING = "*Not measured yet: `python -m benchmarks.lightweight.own --data ROOT` fills this in.*"


def own(found: Found) -> str:
    """One row a network and rule: what was saved, lost and regained, and the time of before and after in each runtime."""
    if not found.get("own"):
        return MISSING
    lines = [
        "| network | rule | layers | parameters | MACs | kernel lost | figure | before | after | fine-tuned | onnxruntime ms | LiteRT ms |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found["own"]:
        name = row["network"].partition(":")[2]
        ((figure, before),) = row["figures"]["before"].items()
        stages = [before, *(row["figures"][stage][figure] for stage in ("after", "fine-tuned"))]
        times = [" to ".join(f"{t:.2f}" for t in row["milliseconds"].get(kind, [])) for kind in ("onnx", "tflite")]
        sizes = [" to ".join(f"{n:,}" for n in row[column]) for column in ("parameters", "macs")]
        cells = [name, row["rule"], str(row["layers"]), *sizes, f"{row['median_error']:.2f}", figure]
        lines.append(f"| {' | '.join([*cells, *(f'{value:.3f}' for value in stages), *times])} |")
    steps = sorted({row["steps"] for row in found["own"]})
    return "\n".join(
        [*lines, "", f"Fine-tuned for {' or '.join(map(str, steps))} steps each, from the nearest kernels."]
    )


def residual(found: Found) -> str:
    """The residual keypoint network dense and separable, on the faces that front-128 finds in val."""
    if not found.get("residual"):
        return MISSING
    times = found["residual"]["latency"]["milliseconds"]
    lines = [
        "| kind | epochs | parameters | MACs | faces | front-128 | refined | less | onnxruntime ms | LiteRT ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found["residual"]["rows"]:
        both = [times.get(f"{row['kind']}.{suffix}") for suffix in ("onnx", "tflite")]
        cells = [
            row["kind"],
            str(row["epochs"]),
            f"{row['parameters']:,}",
            f"{row['macs']:,}",
            f"{row['faces']:,}",
            f"{row['before']:.4f}",
            f"{row['after']:.4f}",
            f"{row['gain']:.1%}",
            *(f"{time['median']:.2f}" if time else "" for time in both),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
