"""The tables of docs/lightweight.md, from the JSON files that benchmarks/lightweight/measure.py wrote.
A table stands between `<!-- table NAME -->` and `<!-- end -->`; what lies between is replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from statistics import mean

from benchmarks.lightweight.charts import draw_charts
from benchmarks.lightweight.classifiers import CLASSIFIED, PUBLISHED, label
from benchmarks.lightweight.figures import MISSING, RUNTIMES, Found, milliseconds, time_cells
from benchmarks.lightweight.lessons import convolutions, learnt, unpaid
from benchmarks.lightweight.task_tables import lighten, own, refine, residual, segment, segment_trial
from blazeface.models.light.classifiers import CLASSIFIERS
from blazeface.models.light.segmenters import SEGMENTERS
from blazeface.models.refine import KINDS

FAMILY = ("paper-128", "squeezenet-128", "mobilenet-v1-128", "mobilenet-v2-128", "shufflenet-128", "xception-128")
ALIGNED = ("xception-aligned-16", "xception-aligned-8")
SMALL_PICTURES = ("shufflenet-32-g2", "shufflenet-32-g3")
WRITTEN = ("paper-128", "dense-middle-128")
MINUTES: dict[str, tuple[str, ...]] = {
    "detector": (*FAMILY, "dense-middle-128", "xception-aligned-128"),
    "segment": SEGMENTERS,
    "refine": KINDS,
    "classify": tuple(CLASSIFIERS),
}
"""By task: the networks that train for a minute each."""


def write_tables(results: Path, doc: Path) -> None:
    """Fill the page; the charts go to the folder images beside it."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))}
    text = doc.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        block = re.compile(rf"(<!-- table {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        found_block = block.search(text)
        if found_block is None:
            raise SystemExit(f"{doc}: it has no place for the table {name!r}")
        head, tail = found_block[1], found_block[2]
        text = f"{text[: found_block.start()]}{head}{table(found)}\n{tail}{text[found_block.end() :]}"
    doc.write_text(text, encoding="utf-8")
    draw_charts(found, doc.parent / "images", FAMILY)


def family(found: Found) -> str:
    return _costs(found, FAMILY)


def published(found: Found) -> str:
    """Cost and time, and how many multiply-accumulates a second that is."""
    if "cost" not in found:
        return MISSING
    measured = found.get("latency_published", {})
    rows = [
        "| network | parameters | MACs | activations | onnxruntime ms | LiteRT ms | billion MACs a second |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in PUBLISHED:
        cost, times = found["cost"][name], [milliseconds(measured, f"{name}.{suffix}") for suffix in RUNTIMES]
        rate = f"{cost['macs'] / times[0] / 1e6:.1f}" if times[0] else ""
        numbers = f"{cost['parameters']:,} | {cost['macs']:,} | {cost['activations']:,}"
        rows.append(
            f"| {name} | {numbers} | {' | '.join('' if t is None else f'{t:.1f}' for t in times)} | {rate} |"
        )
    return "\n".join(rows)


def aligned(found: Found) -> str:
    return _costs(found, ALIGNED)


def aligned_detector(found: Found) -> str:
    return _costs(found, ("paper-128", "xception-aligned-128"))


def small_pictures(found: Found) -> str:
    return _costs(found, SMALL_PICTURES)


def written(found: Found) -> str:
    """Both ways to write BlazeFace: cost, accuracy after equal crops, time."""
    if "cost" not in found:
        return MISSING
    rows = [
        "| network | parameters | MACs | seeds | AP >=.1 | AP >=.05 | AP .1-.2 | keypoints | onnxruntime ms | LiteRT ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in WRITTEN:
        runs = [row for row in found.get("written", []) if row["model"] == name]
        cost = found["cost"][name]
        cells = [_spread(runs, column) for column in ("AP >=.1", "AP >=.05", "AP .1-.2", "keypoint error")]
        times = time_cells(found, name)
        rows.append(
            f"| {name} | {cost['parameters']:,} | {cost['macs']:,} | {len(runs)} | {' | '.join([*cells, *times])} |"
        )
    return "\n".join(rows)


def classifiers(found: Found) -> str:
    """On the digits: accuracy of PyTorch and of the files, cost, time."""
    if not found.get("classifiers"):
        return MISSING
    rows = [
        "| network | parameters | MACs | epochs | accuracy | its ONNX file | its TFLite file | onnxruntime ms | LiteRT ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in sorted(found["classifiers"], key=lambda row: row["macs"]):
        name, file = label(row["network"], row["width"]), f"classify-{row['network']}-{row['width']:g}"
        accuracies = [f"{row[key]:.1%}" for key in ("accuracy", "onnx_accuracy", "tflite_accuracy")]
        times = time_cells(found, file)
        numbers = f"{row['parameters']:,} | {row['macs']:,} | {row['epochs']}"
        rows.append(f"| {name} | {numbers} | {' | '.join([*accuracies, *times])} |")
    first = found["classifiers"][0]
    rows += [
        "",
        f"{first['train_pictures']:,} pictures to learn from, {first['val_pictures']:,} to score on, {first['size']} x"
        f" {first['size']}, seed {first['seed']}.",
    ]
    there = {(row["network"], row["width"]) for row in found["classifiers"]}
    missing = [label(name, width) for name, width in CLASSIFIED if (name, width) not in there]
    return "\n".join([*rows, *_not_yet(missing)])


def minute(found: Found) -> str:
    """What each network did in a minute, and how far its exported files are from PyTorch."""
    if not found.get("minute"):
        return MISSING
    rows = [
        "| task | network | seconds | steps | loss, first and last | ONNX off by | TFLite off by |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found["minute"]:
        first, last = row["loss"]
        gaps = [f"{row['differences'][suffix]:.0e}" if suffix in row["differences"] else "" for suffix in RUNTIMES]
        rows.append(
            f"| {row['task']} | {row['network']} | {row['seconds']:.0f} | {row['steps']:,} | {first:.3g}, {last:.3g} |"
            f" {' | '.join(gaps)} |"
        )
    there = {(row["task"], row["network"]) for row in found["minute"]}
    missing = [f"{task} {name}" for task, names in MINUTES.items() for name in names if (task, name) not in there]
    return "\n".join([*rows, *_not_yet(missing)])


def separable(found: Found) -> str:
    """What one convolution costs in both forms, and what other tools print for it."""
    if "separable" not in found:
        return MISSING
    about = found["separable"]
    forms = [about[form] for form in ("dense", "separable")]
    rows = ["| | dense | separable |", "| --- | ---: | ---: |"]
    for name, column in (("parameters", "parameters"), ("MACs", "macs")):
        rows.append(f"| {name} | {' | '.join(f'{form[column]:,}' for form in forms)} |")
    for tool, printed in about["tools"].items():
        rows.append(f"| {tool} prints | {printed['dense']:,} | {printed['separable']:,} |")
    return "\n".join(rows)


def ladder(found: Found) -> str:
    return _costs(found, tuple(f"unet-{step}" for step in range(6)))


def _costs(found: Found, names: tuple[str, ...]) -> str:
    if "cost" not in found:
        return MISSING
    rows = ["| network | parameters | MACs | activations |", "| --- | ---: | ---: | ---: |"]
    for name in names:
        cost = found["cost"][name]
        rows.append(f"| {name} | {cost['parameters']:,} | {cost['macs']:,} | {cost['activations']:,} |")
    return "\n".join(rows)


def detectors(found: Found) -> str:
    """Means over the seeds; behind them half the difference between the best and the worst."""
    if not found.get("detectors"):
        return MISSING
    rows = [
        "| network | seeds | parameters | MACs | AP >=.1 | AP >=.05 | AP .1-.2 | keypoints | onnxruntime ms | LiteRT ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in FAMILY:
        runs = [row for row in found["detectors"] if row["model"] == name]
        cost = found["cost"][name]
        size = f"{name} | {len(runs)} | {cost['parameters']:,} | {cost['macs'] / 1e6:.1f} M"
        cells = [_spread(runs, column) for column in ("AP >=.1", "AP >=.05", "AP .1-.2", "keypoint error")]
        times = time_cells(found, name)
        rows.append(f"| {size} | {' | '.join([*cells, *times])} |")
    return "\n".join(rows)


def schedule(found: Found) -> str:
    """What each of the six saw, in words, from the rows themselves."""
    if not found.get("detectors"):
        return MISSING
    rows = found["detectors"]
    first, seeds = rows[0], sorted({row["seed"] for row in rows})
    return (
        f"Each run: {first['crops']:,} crops of the same {first['train_pictures']:,} training pictures in the same order,"
        f" batch {first['batch']}, AdamW with a peak of {first['learning_rate']:g} and a cosine, EMA, from random weights,"
        f" scored on all {first['val_pictures']:,} pictures of val. Seeds: {', '.join(map(str, seeds))};"
        f" {len(rows)} runs of {2 * len(FAMILY)} are in the table."
    )


def answer(found: Found) -> str:
    """BlazeFace against MobileNetV2 under the same head: the paper's question, in figures."""
    runs = {
        n: [r for r in found.get("detectors", []) if r["model"] == n] for n in ("paper-128", "mobilenet-v2-128")
    }
    ours, theirs = runs.values()
    if not ours or not theirs:
        return MISSING
    points, verdicts = [], []
    for column, what in (("AP >=.1", "AP of faces of a tenth or more"), ("AP >=.05", "of a twentieth or more")):
        values = [[run["figures"][column] for run in part] for part in (ours, theirs)]
        points.append(f"{what} {_spread(ours, column)} against {_spread(theirs, column)}")
        verdicts.append(1 if min(values[0]) > max(values[1]) else -1 if max(values[0]) < min(values[1]) else 0)
    for runtime, *times in zip(RUNTIMES.values(), *(time_cells(found, name) for name in runs), strict=True):
        if all(times):
            points.append(f"{times[0]} ms against {times[1]} in {runtime}")
            verdicts.append(1 if float(times[0]) < float(times[1]) else -1)
    words = {1: "more accurate", -1: "less accurate", 0: "neither more nor less accurate beyond what seeds change"}
    text = f"BlazeFace against MobileNetV2 at the same cost: {'; '.join(points)}. "
    if verdicts[0] != verdicts[1]:
        text += f"At a tenth BlazeFace is {words[verdicts[0]]}, at a twentieth {words[verdicts[1]]}"
    else:
        text += f"BlazeFace is {words[verdicts[0]]}"
    speed = verdicts[2:]
    if speed:
        faster = {
            1: "faster in both runtimes",
            -1: "slower in both runtimes",
            0: "faster in one runtime, slower in the other",
        }
        text += f", and {faster[max(-1, min(1, sum(speed)))]}"
    few = min(len(ours), len(theirs))
    return f"{text} ({few} {'seed' if few == 1 else 'seeds'} each)."


def _spread(runs: list[Found], column: str) -> str:
    values = [row["figures"][column] for row in runs if row["figures"][column] is not None]
    if not values:
        return ""
    return f"{mean(values):.3f}" + (f" ± {(max(values) - min(values)) / 2:.3f}" if len(values) > 1 else "")


def _not_yet(names: list[str]) -> list[str]:
    """What a table says below its rows of networks that it should have and has not."""
    return ["", f"Not trained yet: {', '.join(names)}."] if names else []


def machine(found: Found) -> str:
    if "latency" not in found:
        return "*Latency was not measured yet.*"
    about = found["latency"]
    turns = f"The {len(about['milliseconds'])} files take turns"
    turns += ", each running once unmeasured first" if about.get("unmeasured_before_each") else ""
    return (
        f"Times: medians of {about['rounds']} runs on one thread ({about['clock']}), {about['date']}, {about['cpu']},"
        f" {about['cores']} cores, load average before: {about['load_average_before']:.1f}. {turns}."
    )


TABLES: dict[str, Callable[[Found], str]] = {
    "classifiers": classifiers,
    "convolutions": convolutions,
    "unpaid": unpaid,
    "learnt": learnt,
    "minute": minute,
    "family": family,
    "published": published,
    "aligned": aligned,
    "aligned_detector": aligned_detector,
    "small_pictures": small_pictures,
    "written": written,
    "separable": separable,
    "schedule": schedule,
    "detectors": detectors,
    "answer": answer,
    "lighten": lighten,
    "ladder": ladder,
    "segment": segment,
    "segment_trial": segment_trial,
    "refine": refine,
    "own": own,
    "residual": residual,
    "machine": machine,
}
