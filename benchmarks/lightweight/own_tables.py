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
    times_of = found["own"]["latency"]["milliseconds"]
    for row in found["own"]["rows"]:
        name = row["network"].partition(":")[2]
        ((figure, before),) = row["figures"]["before"].items()
        stages = [before, *(row["figures"][stage][figure] for stage in ("after", "fine-tuned"))]
        run = f"{name}-{row['rule']}"
        times = [
            " to ".join(f"{times_of[f'{run}-{form}.{suffix}']['median']:.2f}" for form in ("dense", "light"))
            for suffix in ("onnx", "tflite")
        ]
        sizes = [" to ".join(f"{n:,}" for n in row[column]) for column in ("parameters", "macs")]
        cells = [name, row["rule"], str(row["layers"]), *sizes, f"{row['median_error']:.2f}", figure]
        lines.append(f"| {' | '.join([*cells, *(f'{value:.3f}' for value in stages), *times])} |")
    steps, pictures = ({row[column] for row in found["own"]["rows"]} for column in ("steps", "pictures"))
    about = (
        f"Fine-tuned from the nearest kernels for {' or '.join(map(str, sorted(steps)))} steps each on"
        f" {' or '.join(f'{n:,}' for n in sorted(pictures))} training pictures, scored on as many of val. {_load(found['own'])}"
    )
    return "\n".join([*lines, "", about])


def _load(found: Found) -> str:
    about = found["latency"]
    return f"Times on one thread, the files taking turns, load average before: {about['load_average_before']:.1f}."


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
    return "\n".join([*lines, "", _load(found["residual"])])
