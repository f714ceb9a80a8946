"""What docs/lightweight.md says was learnt, in words and tables, from the figures themselves."""

from __future__ import annotations

from itertools import product
from statistics import mean

from benchmarks.lightweight.convolutions import CHANNELS, KERNELS, SIDES
from benchmarks.lightweight.figures import MISSING, RUNTIMES, Found, milliseconds, multiplications, speedup


def learnt(found: Found) -> str:
    """One point a question, those whose figures are there."""
    points = [
        point
        for point in (
            _same_cost(found),
            _dense_middle(found),
            _separable(found),
            _rates(found),
            _made_light(found),
        )
        if point
    ]
    return "\n".join(f"- {point}" for point in points) or MISSING


def _same_cost(found: Found) -> str | None:
    """Detectors of the same multiplications: how far accuracy and time lie apart."""
    times, rows = found.get("latency", {}), found.get("detectors", [])
    names = sorted({row["model"] for row in rows})
    accuracy = {n: mean(row["figures"]["AP >=.05"] for row in rows if row["model"] == n) for n in names}
    said = []
    for suffix, runtime in RUNTIMES.items():
        measured = {n: t for n in names if (t := milliseconds(times, f"{n}.{suffix}")) is not None}
        if measured:
            slow, fast = max(measured, key=measured.__getitem__), min(measured, key=measured.__getitem__)
            said.append(f"in {runtime} {slow} takes {measured[slow] / measured[fast]:.1f} times as long as {fast}")
    if not accuracy or not said:
        return None
    best, worst = max(accuracy, key=accuracy.__getitem__), min(accuracy, key=accuracy.__getitem__)
    return (
        f"**The same multiplications are neither the same time nor the same accuracy.** Of the detectors of equal MACs"
        f" {best} has an AP of {accuracy[best]:.3f} after the short schedule, {worst} {accuracy[worst]:.3f}; {', '.join(said)}."
    )


def _dense_middle(found: Found) -> str | None:
    """What the dense 5 x 5 convolutions of the PyTorch text cost and give."""
    rows = {
        name: [row["figures"] for row in found.get("written", []) if row["model"] == name]
        for name in ("paper-128", "dense-middle-128")
    }
    if "cost" not in found or not all(rows.values()):
        return None
    paper, dense = rows.values()
    one, other = (found["cost"][name] for name in rows)
    changes = "; ".join(
        f"{column} {mean(r[column] for r in paper):.3f} to {mean(r[column] for r in dense):.3f}"
        for column in ("AP >=.1", "AP >=.05", "AP .1-.2")
    )
    count = min(len(paper), len(dense))
    return (
        f"**A few dense 5 x 5 convolutions in the middle** are {other['macs'] / one['macs'] - 1:.0%} more MACs and"
        f" {other['parameters'] / one['parameters']:.1f} times the parameters of the paper's BlazeFace; after equal crops: {changes}"
        f" ({count} {'seed' if count == 1 else 'seeds'} each)."
    )


def _separable(found: Found) -> str | None:
    """Where separable convolutions pay on a CPU: by channels, the median over sides and kernels."""
    if "convolutions" not in found:
        return None
    times, said = found["convolutions"]["milliseconds"], []
    for runtime in RUNTIMES.values():
        shares = {}
        for channels in (CHANNELS[0], CHANNELS[-1]):
            gains = sorted(speedup(times, runtime, k, side, channels) for k, side in product(KERNELS, SIDES))
            shares[channels] = (gains[len(gains) // 2], gains[0])
        narrow, wide = shares.values()
        said.append(
            f"{narrow[0]:.1f} times as fast at {CHANNELS[0]} channels (at worst {narrow[1]:.1f}) and {wide[0]:.1f} at"
            f" {CHANNELS[-1]} (at worst {wide[1]:.1f}) in {runtime}"
        )
    promised = [f"{multiplications(k, c):.0f}" for k, c in product(KERNELS, (CHANNELS[0], CHANNELS[-1]))]
    return (
        f"**Separable convolutions pay where there are many channels and least where there are few.** In the median they are"
        f" {', and '.join(said)}; their multiplications are {promised[0]} to {promised[2]} and {promised[1]} to {promised[3]}"
        " times fewer."
    )


def _rates(found: Found) -> str | None:
    """Multiply-accumulates a second that the published networks reach: dense ones and depthwise ones."""
    if "cost" not in found or "latency_published" not in found:
        return None
    rates = {
        name.removesuffix(".onnx"): found["cost"][name.removesuffix(".onnx")]["macs"] / times["median"] / 1e6
        for name, times in found["latency_published"]["milliseconds"].items()
        if name.endswith(".onnx")
    }
    best, worst = max(rates, key=rates.__getitem__), min(rates, key=rates.__getitem__)
    return (
        f"**A multiplication does not always cost the same.** In onnxruntime {best} gets through {rates[best]:.0f} billion"
        f" MACs a second and {worst} through {rates[worst]:.0f}, on the same core."
    )


def _made_light(found: Found) -> str | None:
    """What the nearest separable kernels lose of trained networks, what fine-tuning regains, and what training from the start
    reaches."""
    if "own" not in found:
        return None
    said = []
    for row in found["own"]["rows"]:
        ((figure, before),) = row["figures"]["before"].items()
        after, tuned = (row["figures"][stage][figure] for stage in ("after", "fine-tuned"))
        network = row["network"].partition(":")[2]
        said.append(
            f"{figure} of {network} {before:.3f}, then {after:.3f}, after {row['steps']} steps {tuned:.3f}"
        )
    errors = [row["median_error"] for row in found["own"]["rows"]]
    text = (
        "**The nearest separable kernels are a start, not a replacement.** In the median layer they lose"
        f" {mean(errors):.2f} of the old kernel; {'; '.join(said)}."
    )
    rows = {row["kind"]: row for row in found.get("residual", {}).get("rows", [])}
    if {"residual", "residual-separable"} <= set(rows):
        dense, light = rows["residual"], rows["residual-separable"]
        text += (
            f" Trained from random weights on the same crops, the separable keypoint network brings the detector's error from"
            f" {light['before']:.4f} to {light['after']:.4f}, and the dense one, with {dense['macs'] / light['macs']:.1f} times the MACs, to"
            f" {dense['after']:.4f}."
        )
    return text


def convolutions(found: Found) -> str:
    """How many times as fast the separable layers are, onnxruntime / LiteRT, beside the ratio of the multiplications."""
    if "convolutions" not in found:
        return MISSING
    times = found["convolutions"]["milliseconds"]
    rows = [
        f"| kernel | channels | fewer MACs | {' | '.join(f'{side} x {side}' for side in SIDES)} |",
        f"| ---: | ---: | ---: |{' ---: |' * len(SIDES)}",
    ]
    for kernel in KERNELS:
        for channels in CHANNELS:
            cells = [
                " / ".join(
                    f"{speedup(times, runtime, kernel, side, channels):.1f}" for runtime in RUNTIMES.values()
                )
                for side in SIDES
            ]
            fewer = f"{multiplications(kernel, channels):.1f}"
            rows.append(f"| {kernel} | {channels} | {fewer} | {' | '.join(cells)} |")
    return "\n".join(rows)


def unpaid(found: Found) -> str:
    """Where separable layers gain least and where most, in words, from the measurement."""
    if "convolutions" not in found:
        return MISSING
    times, said = found["convolutions"]["milliseconds"], []
    for runtime in RUNTIMES.values():
        gains = {
            (kernel, side, channels): speedup(times, runtime, kernel, side, channels)
            for kernel, side, channels in product(KERNELS, SIDES, CHANNELS)
        }
        slower = sum(gain < 1 for gain in gains.values())
        less = sum(gain < multiplications(k, c) / 2 for (k, _, c), gain in gains.items())
        (k, s, c), gain = min(gains.items(), key=lambda item: item[1] / multiplications(item[0][0], item[0][2]))
        said.append(
            f"In {runtime} separable layers are slower than the dense ones in {slower} of {len(gains)} cases, and gain less than"
            f" half of what their multiplications promise in {less}; worst, {c} channels of {s} x {s} with {k} x {k}:"
            f" {multiplications(k, c):.1f} times fewer multiplications, {gain:.1f} times as fast."
        )
    about = found["convolutions"]
    said.append(
        f"(The fastest of {about['rounds']} runs, {about['date']}, {about['cpu']}, load average before:"
        f" {about['load_average_before']:.1f}.)"
    )
    return " ".join(said)
