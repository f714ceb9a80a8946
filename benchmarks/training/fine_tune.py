"""What fine-tuning on a few of one's own pictures gives, and what it costs elsewhere.

    python -m benchmarks.training.fine_tune --data ROOT --work FOLDER [--recipe NAME ...]

The kind is one source of the data set, `facemask` by default (people with masks): an even choice of 200 of its train pictures
that show a face stands for the user's own, and its val pictures for what the user wants to find. From the shipped front-128 each
recipe is trained by `train.py`, one thread. Before and after, recall is measured at 10 false positives in 1,000 houses: on
the kind's val, and on an even choice of val's other pictures, on which nothing shall be lost. Weights and data stay in FOLDER. Writes
benchmarks/results/fine_tuning.json and .md; recipes that are there already and are not named stay.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks import RESULTS
from blazeface.cli.main import run_command
from blazeface.data.even_choice import chosen_evenly
from blazeface.data.pictures import PictureCache
from blazeface.data.samples import Sample, load_split
from blazeface.detector import model_path
from blazeface.evaluation.headline import headline_figures
from blazeface.evaluation.report import figures
from blazeface.files.staged import staged_file
from blazeface.models.weights import load_weights
from blazeface.training.finish import score_network

RESULT = RESULTS / "fine_tuning.json"
START = "front-128"
PICTURES = 200
OTHERS = 700
"""Pictures of val's other sources on which it is measured what is lost; all houses besides."""

HOUSES = "neg_houses"
MACHINE = ["--threads", "1", "--workers", "0", "--quiet", "--checkpoint-minutes", "60", "--evaluate-every", "5"]
RECIPES: dict[str, tuple[str, ...]] = {
    "advised": ("--epochs", "20", "--init-share", "0.6"),
    "tuned weights alone": ("--epochs", "20"),
    "heads alone": ("--epochs", "20", "--freeze"),
    "README of before": ("--epochs", "5", "--learning-rate", "0.002", "--warmup", "500"),
}
"""Flags of `train.py` beside --init front-128."""

SHOWN = ("recall >=.1 at houses", "recall >=.05 at houses", "AP >=.05")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder in the WIDER FACE layout")
    parser.add_argument("--work", type=Path, required=True, help="where data and runs go")
    parser.add_argument("--kind", default="facemask", help="source that stands for the user's pictures")
    parser.add_argument("--recipe", nargs="*", default=list(RECIPES), choices=RECIPES)
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    torch.set_num_threads(1)
    own = make_data(args.data, args.kind, args.work / "data")
    val = load_split(args.data, "val")
    parts = {
        "kind": [sample for sample in val if sample.source in (args.kind, HOUSES)],
        "others": [sample for sample in val if sample.source == HOUSES]
        + chosen_evenly([sample for sample in val if sample.source not in (args.kind, HOUSES)], OTHERS),
    }
    result: dict[str, Any] = json.loads(args.out.read_text("utf-8")) if args.out.is_file() else {}
    result |= {"kind": args.kind, "start": START, "train": own, "others": OTHERS}
    result["before"] = measured(model_path(START, "torch"), parts)
    rows = result.setdefault("recipes", {})
    for name in args.recipe:
        out = args.work / name.replace(" ", "-")
        start = time.process_time()
        flags = ["--data", str(args.work / "data"), "--out", str(out), "--init", START, *RECIPES[name], *MACHINE]
        if not (out / "model.safetensors").is_file() and run_command("train", flags) != 0:
            raise SystemExit(f"the run {name!r} failed")
        seconds = round(time.process_time() - start)
        rows[name] = {
            "flags": " ".join(RECIPES[name]),
            "cpu_seconds": seconds,
            **measured(out / "model.safetensors", parts),
        }
        with staged_file(args.out) as part:
            part.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        with staged_file(args.out.with_suffix(".md")) as part:
            part.write_text(markdown(result), encoding="utf-8")
    print(markdown(result))


def make_data(root: Path, kind: str, out: Path) -> dict[str, int]:
    """A data folder of the kind alone, its pictures those of `root`; how many pictures and faces train has."""
    (out / "keypoints").mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    for split in ("val", "train"):
        data = json.loads((root / "keypoints" / f"{split}.json").read_text("utf-8"))
        with_face = {entry["image_id"] for entry in data["annotations"] if not entry.get("iscrowd")}
        images = [i for i in data["images"] if i["file_name"].startswith(f"{kind}/") and i["id"] in with_face]
        images = chosen_evenly(images, PICTURES if split == "train" else None)
        ids = {image["id"] for image in images}
        faces = [entry for entry in data["annotations"] if entry["image_id"] in ids]
        text = json.dumps({**data, "images": images, "annotations": faces})
        (out / "keypoints" / f"{split}.json").write_text(text, "utf-8")
        counts = {"pictures": len(images), "faces": sum(not entry.get("iscrowd") for entry in faces)}
        link = out / f"WIDER_{split}"
        if not link.exists():
            os.symlink((root / f"WIDER_{split}").resolve(), link)
    return counts


def measured(weights: Path, parts: dict[str, list[Sample]]) -> dict[str, dict[str, float]]:
    """SHOWN figures of a network on each part of val."""
    network = load_weights(weights)
    rows = {}
    for name, samples in parts.items():
        pictures = PictureCache([sample.path for sample in samples], 0, quiet=True)
        found = score_network(network, samples, pictures)
        row = figures(found) | headline_figures(found)
        rows[name] = {key: round(row[key], 4) for key in SHOWN}
    return rows


def markdown(result: dict[str, Any]) -> str:
    """Before, and each recipe, one row each: recalls on the kind's val and on val's others."""
    train, kind = result["train"], result["kind"]
    head = [f"{kind}: {name}" for name in SHOWN] + [f"others: {name}" for name in SHOWN]
    lines = [
        f"`{result['start']}` fine-tuned on {train['pictures']} pictures of `{kind}` ({train['faces']} faces), measured on its val and on"
        f" {result['others']} other pictures of val.",
        "",
        "| recipe | flags | " + " | ".join(head) + " | CPU s |",
        "| --- | --- |" + " ---: |" * (len(head) + 1),
    ]
    rows = {"before": {"flags": "", "cpu_seconds": "", **result["before"]}, **result["recipes"]}
    for name, row in rows.items():
        values = [f"{row[part][key]:.3f}".lstrip("0") for part in ("kind", "others") for key in SHOWN]
        lines.append(f"| {name} | {row['flags']} | " + " | ".join(values) + f" | {row['cpu_seconds']} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
