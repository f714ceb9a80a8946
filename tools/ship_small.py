"""Ship a second stage or a segmenter: weights, ONNX file, report and card into blazeface/weights.

    python -m tools.ship_small refine runs/lightweight/refine-separable --note "8 minutes of one thread"
    python -m tools.ship_small segment runs/lightweight/segment-light --note "4 minutes of one thread"

The card's figures are those of the run's own report.json; of a second stage, those of front-128.json and back-256.json
where they are there, which `benchmarks/lightweight/measure.py` measures with the detectors as they are now.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

WEIGHTS = Path(__file__).parents[1] / "blazeface" / "weights"

LICENCE = """## Data and licence
Trained on the {count} of the training split of the photographs that the detectors were trained on: Caltech 10k Web
Faces, Labeled Faces in the Wild, YouTube Faces, a collection of photographs with face masks{houses}. These sources
allow research use only, or state no licence: the code of this project is Apache-2.0, but **these weights are for
research**. For a product, train on pictures you have the rights to. The validation split was never trained on;
duplicates and people do not cross the split.
"""

REFINE = """# refine

The second stage ({kind}): {parameters:,} parameters, {macs:.1f} million multiply-accumulates a face. It sharpens the six
keypoints of a face that a detector has found.

## What it is for
    python detect.py PICTURE --refine

A square of 1.5 box sides around each face, level with the eyes that the detector saw, goes in at 64 x 64; six points
come out. It runs once per face, after front-128 or back-256.

## What it cannot do
It mends the places of keypoints, not boxes or scores, and it cannot tell that a detection is no face. It knows faces as
upright as the detector's eyes make them. The ears were learnt from another network's answers, not from people's.
It was measured on the photographs named below and on nothing else.

{licence}
## Measured
Mean distance of eyes, nose and mouth from where people put them, over the distance between the eyes; median over the
faces of val that the detector finds (docs/evaluation.md).

| detector | faces | its own error | refined | less |
| --- | ---: | ---: | ---: | ---: |
{overall}

By source of the pictures:

| detector | source | faces | its own error | refined |
| --- | --- | ---: | ---: | ---: |
{sources}
"""

SEGMENT = """# segment

A small U-Net ({kind}): {parameters:,} parameters, {macs:.1f} million multiply-accumulates at 96 x 96. It says for each
pixel how surely it belongs to a face.

## What it is for
    python detect.py VIDEO --background-blur --output COPY.mp4

One or a few people before a camera: faces stay sharp, all else is blurred. A demonstration of a small network.

## What it cannot do
It learnt from soft ellipses made from keypoints, from hairline to chin and from ear to ear, since the data holds no
outlines. So it knows face *regions*: hair, neck and shoulders are background to it, a hand before a face is face, and the
rim follows no contour. In the pictures that were looked at it missed small faces and those in crowds, and took a bright
collar, hands and a print on a shirt for faces. Frames are looked at one by one, so the rim may flicker. Nobody's privacy may hang on it.

{licence}
## Measured
IoU of face pixels over the {val_pictures:,} pictures of val together, against ellipses made in the same way: {iou:.3f}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("refine", "segment"))
    parser.add_argument("run", type=Path)
    parser.add_argument("--note", required=True, help="time and machine of the run")
    args = parser.parse_args()
    ship(args.task, args.run, args.note, WEIGHTS)


def ship(task: str, run: Path, note: str, folder: Path) -> None:
    """Copy the run's files and write the card and the report beside them."""
    shutil.copyfile(run / f"{task}.onnx", folder / f"{task}.onnx")
    shutil.copyfile(run / "model.safetensors", folder / f"{task}.safetensors")
    report = (
        refine_report(run) if task == "refine" else json.loads((run / "report.json").read_text(encoding="utf-8"))
    )
    (folder / f"{task}.report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    text = (refine_card if task == "refine" else segment_card)(report)
    hashes = [
        f"    {hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}"
        for name in (f"{task}.onnx", f"{task}.safetensors")
    ]
    made = f"## How it was made\n{commands(task, report)}\n\nSeed {report['seed']}; {note}.\n\nSHA-256:\n\n"
    (folder / f"{task}.md").write_text(f"{text}\n{made}{chr(10).join(hashes)}\n", encoding="utf-8")


def refine_report(run: Path) -> dict[str, Any]:
    """What training wrote, and the figures with both detectors as they were measured last."""
    report: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    for model in ("front-128", "back-256"):
        path = run / f"{model}.json"
        if path.is_file():
            figures = json.loads(path.read_text(encoding="utf-8"))
            report |= figures if model == "front-128" else {model: figures}
    return report


def refine_card(report: dict[str, Any]) -> str:
    overall, sources = [], []
    for name, part in (("front-128", report), ("back-256", report.get("back-256"))):
        if part is None:
            continue
        overall.append(
            f"| {name} | {part['faces']:,} | {part['before']:.4f} | {part['after']:.4f} | {part['gain']:.1%} |"
        )
        for source, (faces, before, after) in part["by_source"].items():
            sources.append(f"| {name} | {source} | {faces:,} | {before:.3f} | {after:.3f} |")
    return REFINE.format(
        **{**report, "macs": report["macs"] / 1e6},
        licence=LICENCE.format(count=f"{report['train_faces']:,} faces with known keypoints", houses=""),
        overall="\n".join(overall),
        sources="\n".join(sources),
    )


def segment_card(report: dict[str, Any]) -> str:
    houses = ", and house pictures without faces"
    return SEGMENT.format(
        **{**report, "macs": report["macs"] / 1e6},
        licence=LICENCE.format(count=f"{report['train_pictures']:,} pictures (an even choice)", houses=houses),
    )


def commands(task: str, report: dict[str, Any]) -> str:
    kind, epochs = report["kind"], report["epochs"]
    start = f"    python -m blazeface {task} --data ROOT --out runs/{task}-"
    if task == "segment":
        return f"{start}{kind} --kind {kind} --epochs {epochs} --limit {report['train_pictures']}"
    if not report.get("init"):
        return f"{start}{kind} --kind {kind} --epochs {epochs}"
    # What `lightweight.py` calls the dense run with.
    first = f"{start}dense --kind dense --epochs 16"
    return f"{first}\n{start}{kind} --kind {kind} --epochs {epochs} --init runs/refine-dense/model.safetensors"


if __name__ == "__main__":
    main()
