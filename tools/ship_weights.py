"""Ship the result of a training run: weights, export, report and model card into blazeface/weights.

    python -m tools.ship_weights runs/front --report out/report.json --note "70 minutes on 2 CPU cores"

The report is what `blazeface evaluate` writes for the exported file, unedited; the card's tables are
made from it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path

from blazeface.training.config import TrainConfig

WEIGHTS = Path(__file__).parents[1] / "blazeface" / "weights"

CARD = """# {name}

A BlazeFace network for {size} x {size} pixels: {parameters:,} parameters, {macs:.1f} million
multiply-accumulates, {anchors} anchors, six keypoints.

## What it is for
Finding faces that take {smallest} or more of the picture's long side, in pictures and live video, on phones
and small computers. It gives a box, a score and six keypoints for each face.

## What it cannot do
Faces below {smallest} of the long side are found less and less surely (see the first rows below), crowds such as
`widerval200` worst of all. Training knew rolls up to 45 degrees: faces upside down are not among what it learnt. Its boxes hold the face from brow to chin, not the whole head. It does not tell people apart, and says
nothing about age, sex or mood. It was measured on the photographs named below and on nothing else: measure it
on yours (`blazeface evaluate`) before you rely on it.

## Data and licence
Trained on 15,000 photographs with 17,925 labelled faces from Caltech 10k Web Faces, Labeled Faces in the Wild,
YouTube Faces, a collection of photographs with face masks, and house pictures without faces. These sources
allow research use only, or state no licence: the code of this project is Apache-2.0, but **these weights are
for research**. For a product, train on pictures you have the rights to. The validation split (2,462 pictures)
was never trained on; duplicates and people do not cross the split.

## Measured
AP at IoU 0.5 by relative face size (root of the box's area over the picture's long side), whole pictures
scaled into the input, score cut 0.02; 95 % intervals by bootstrap over pictures.

{overall}

By source of the pictures:

{sources}

## How it was made
{command}

{epochs} epochs of {batch} crops a step, seed {seed}; {note}

SHA-256:

{hashes}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--report", type=Path, required=True, help="report.json of `blazeface evaluate`")
    parser.add_argument("--name", default="front-128")
    parser.add_argument("--note", required=True, help="time and machine of the run")
    args = parser.parse_args()
    for suffix in (".safetensors", ".onnx"):
        shutil.copyfile(args.run / f"model{suffix}", WEIGHTS / f"{args.name}{suffix}")
    shutil.copyfile(args.report, WEIGHTS / f"{args.name}.report.json")
    (WEIGHTS / f"{args.name}.md").write_text(card(args.run, args.name, args.note), encoding="utf-8")


def card(run: Path, name: str, note: str) -> str:
    """The model card, its figures from the shipped files."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from blazeface.models.weights import load_weights

    config = TrainConfig.from_json((run / "config.json").read_text(encoding="utf-8"), str(run))
    report = json.loads((WEIGHTS / f"{name}.report.json").read_text(encoding="utf-8"))
    network = load_weights(WEIGHTS / f"{name}.safetensors").folded()
    size = network.spec.input_size
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, size, size))
    flags = {
        "model": name,
        "epochs": config.epochs,
        "batch": config.batch,
        "learning-rate": config.learning_rate,
        "warmup": config.warmup,
        "ema": config.ema,
        "seed": config.seed,
    }
    command = "python train.py --data ROOT --out runs/" + name
    hashes = [
        f"    {hashlib.sha256((WEIGHTS / f'{name}{suffix}').read_bytes()).hexdigest()}  {name}{suffix}"
        for suffix in (".onnx", ".safetensors")
    ]
    return CARD.format(
        name=name,
        size=size,
        smallest="a tenth" if size < 200 else "a twentieth",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        macs=counter.get_total_flops() / 2e6,
        anchors=network.spec.num_anchors,
        overall=overall_table(report),
        sources=source_table(report),
        command="    " + command + "".join(f" --{flag} {value}" for flag, value in flags.items()),
        epochs=config.epochs,
        batch=config.batch,
        seed=config.seed,
        note=note,
        hashes="\n".join(hashes),
    )


def overall_table(report: dict) -> str:  # type: ignore[type-arg]
    rows = ["| figure | value | 95 % interval |", "| --- | --- | --- |"]
    for figure, value in report["figures"].items():
        low, high = report["intervals"][figure]
        rows.append(f"| {figure} | {value:.3f} | {low:.3f} to {high:.3f} |")
    return "\n".join(rows)


def source_table(report: dict) -> str:  # type: ignore[type-arg]
    names = list(report["figures"])
    rows = ["| source | pictures | " + " | ".join(names) + " |", "| --- " * (len(names) + 2) + "|"]
    for source, part in report["by_source"].items():
        values = [part["figures"][name] for name in names]
        shown = ["-" if value is None else f"{value:.3f}" for value in values]
        rows.append(f"| {source} | {part['pictures']} | " + " | ".join(shown) + " |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
