"""jitter.json as a page of tables, with what they say of the paper's claim."""

from __future__ import annotations

from typing import Any

from benchmarks.video.stills import REDUCTIONS
from blazeface.evaluation.table import markdown_table

CLAIM = 0.3
"""How much steadier the paper finds blending."""
TRACK_COLUMNS = {
    "tracks": "tracks",
    "frames": "frames",
    "blend": "blend",
    "hard_nms": "hard NMS",
    "blend_one_euro": "blend + One-Euro",
    "less_with_blending": "less by blending",
    "less_with_one_euro": "less by One-Euro",
    "lag_frames": "lag, frames",
}


def markdown(result: dict[str, Any]) -> str:
    """The page."""
    lines = [
        "# Jitter",
        "Written by `python -m benchmarks.video.jitter`. Jitter is in units of the distance between the eyes, lag in frames.",
    ]
    for name, model in result["models"].items():
        lines += ["", f"## {name}", f"SHA-256 {model['sha256'][:12]}...", "", *_stills(model["stills"])]
        if "mean" in model.get("video", {}):
            lines += ["", *_tracks(model["video"])]
    rows = [
        [rate, *(f"{lag:.2f}" for lag in lags.values())] for rate, lags in sorted(result["moving_face"].items())
    ]
    columns = list(next(iter(result["moving_face"].values())))
    lines += ["", "## Lag behind a face whose motion is known", markdown_table(["", *columns], rows)]
    return "\n".join(lines) + "\n"


def _stills(found: dict[str, Any]) -> list[str]:
    low, high = found["less_with_blending_interval"]
    rows = [[name, f"{found[name]['mean']:.4f}", f"{found[name]['median']:.4f}"] for name in REDUCTIONS]
    return [
        f"Displaced copies of {found['pictures']} pictures:",
        "",
        markdown_table(["", "mean", "median"], rows),
        "",
        f"Blending shows {found['less_with_blending']:.1%} less jitter than hard suppression"
        f" (95 % interval {low:.1%} to {high:.1%}). {_verdict(found['less_with_blending'])}",
    ]


def _tracks(video: dict[str, Any]) -> list[str]:
    mean = video["mean"]
    rows = [[name, *_cells(row)] for name, row in [*video["videos"].items(), ("mean", mean)]]
    return [
        "Tracks of videos:",
        "",
        markdown_table(["video", *TRACK_COLUMNS.values()], rows),
        "",
        f"Blending shows {mean['less_with_blending']:.1%} less jitter than hard suppression over the videos."
        f" {_verdict(mean['less_with_blending'])} The One-Euro filter takes away"
        f" {mean['less_with_one_euro']:.1%} of what blending leaves.",
    ]


def _cells(row: dict[str, Any]) -> list[str]:
    formats = {
        "tracks": "d",
        "frames": "d",
        "lag_frames": "d",
        "less_with_blending": ".1%",
        "less_with_one_euro": ".1%",
    }
    return [format(row[name], formats.get(name, ".4f")) if name in row else "" for name in TRACK_COLUMNS]


def _verdict(less: float) -> str:
    if less >= CLAIM:
        return "That is the 30 % that the paper claims, or more."
    return "That is less than the 30 % that the paper claims."
