"""Tables of docs/lightweight.md for what is made light, and for the second stage and the segmenters."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.lightweight.figures import MISSING, Found, time_cells
from blazeface.cli.lighten.record import stage_table

LIGHTENED = {"residual": "refine-residual", "unet": "segment-dense"}
"""The networks of own_networks.py by function, and the timed file that each is before it is made light."""


def lighten(found: Found) -> str:
    story = found.get("lighten")
    if not story:
        return MISSING
    parameters, macs = story["parameters"], story["macs"]
    rows = [
        f"{story['model']}, as it came out of the comparison above (seed 0), by the rule {story['rule']} (init"
        f" {story['init']}): {parameters[0]:,} parameters become {parameters[1]:,}, {macs[0]:,} MACs {macs[1]:,}."
        f" Fine-tuned on {story['train_pictures']:,} pictures, scored on {story['val_pictures']:,} pictures of val.",
        "",
        stage_table(story["figures"]),
    ]
    return "\n".join(rows)


def own(found: Found) -> str:
    """One row a network and rule: what was saved, lost and regained, and the time of before and after in each runtime."""
    if not found.get("own"):
        return MISSING
    lines = [
        "| network | rule | layers | parameters | MACs | kernel lost | figure | before | after | fine-tuned | onnxruntime ms | LiteRT ms |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found["own"]["rows"]:
        name = row["network"].partition(":")[2]
        ((figure, before),) = row["figures"]["before"].items()
        stages = [before, *(row["figures"][stage][figure] for stage in ("after", "fine-tuned"))]
        forms = (LIGHTENED[name], f"{name}-{row['rule']}")
        times = [_from_to(pair) for pair in zip(*(time_cells(found, form) for form in forms), strict=True)]
        sizes = [" to ".join(f"{n:,}" for n in row[column]) for column in ("parameters", "macs")]
        cells = [name, row["rule"], str(row["layers"]), *sizes, f"{row['median_error']:.2f}", figure]
        lines.append(f"| {' | '.join([*cells, *(f'{value:.3f}' for value in stages), *times])} |")
    steps, pictures = ({row[column] for row in found["own"]["rows"]} for column in ("steps", "pictures"))
    about = (
        f"Fine-tuned from the nearest kernels for {' or '.join(map(str, sorted(steps)))} steps each on"
        f" {' or '.join(f'{n:,}' for n in sorted(pictures))} training pictures, scored on as many of val."
    )
    return "\n".join([*lines, "", about])


def residual(found: Found) -> str:
    """The residual keypoint network dense and separable, on the faces that front-128 finds in val."""
    if not found.get("residual"):
        return MISSING
    lines = [
        "| kind | epochs | parameters | MACs | faces | front-128 | refined | less | onnxruntime ms | LiteRT ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found["residual"]["rows"]:
        cells = [
            row["kind"],
            str(row["epochs"]),
            f"{row['parameters']:,}",
            f"{row['macs']:,}",
            f"{row['faces']:,}",
            f"{row['before']:.4f}",
            f"{row['after']:.4f}",
            f"{row['gain']:.1%}",
            *time_cells(found, f"refine-{row['kind']}"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def segment(found: Found) -> str:
    if not found.get("segment"):
        return MISSING
    rows = [
        "| kind | epochs | parameters | MACs | IoU of face pixels | onnxruntime ms | LiteRT ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found["segment"]:
        times = " | ".join(time_cells(found, f"segment-{row['kind']}"))
        rows.append(
            f"| {row['kind']} | {row['epochs']} | {row['parameters']:,} | {row['macs']:,} | {row['iou']:.3f} | {times} |"
        )
    return "\n".join(rows)


def segment_trial(found: Found) -> str:
    """One short run of `blazeface segment --kind xception`, whose report was kept."""
    if "segment_trial" not in found:
        return MISSING
    row = found["segment_trial"]
    return (
        f"{row['parameters']:,} parameters, {row['macs']:,} MACs. {row['epochs']} epochs of {row['train_pictures']:,} pictures:"
        f" IoU {row['iou']:.3f} on {row['val_pictures']:,} pictures of val; the ONNX file is {row['onnx_difference']:.1e} off."
    )


def refine(found: Found) -> str:
    if not found.get("refine"):
        return MISSING
    rows = [
        "| kind | epochs | parameters | MACs | front-128 | refined | less | back-256 | refined | less | onnxruntime ms | LiteRT ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found["refine"]:
        times = " | ".join(time_cells(found, f"refine-{row['kind']}"))
        gains = " | ".join(
            f"{r['before']:.4f} | {r['after']:.4f} | {r['gain']:.1%}" if r else " | | "
            for r in (row, row.get("back-256"))
        )
        rows.append(
            f"| {row['kind']} | {row['epochs']} | {row['parameters']:,} | {row['macs']:,} | {gains} | {times} |"
        )
    return "\n".join(rows)


def _from_to(times: Sequence[str]) -> str:
    return " to ".join(times) if all(times) else ""
