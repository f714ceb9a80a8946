"""Ship the result of a training run: weights, exports, report and model card into blazeface/weights.

    python -m tools.ship_weights runs/front --trained 2026-11-26 --history "..." --note
    python -m tools.ship_weights runs/front --trained 2026-11-26 --history "..." --report out/report.json

The first writes origin, licence and training data into model.safetensors and model.onnx of the run; what is exported from
the former afterwards carries them too. The second ships, and refuses files without them. The report is what `blazeface
evaluate` writes for the exported file, unedited; the card's tables are made from it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import textwrap
from pathlib import Path
from typing import Any

from blazeface.models.origin import Origin
from blazeface.version import __version__

LICENCE = (
    "For research: the sources of the training pictures allow research use only, or state no licence. The code around the"
    " weights is Apache-2.0."
)
"""What the files say; the card says it at more length."""

WEIGHTS = Path(__file__).parents[1] / "blazeface" / "weights"
SUFFIXES = (".onnx", ".safetensors", ".tflite", "-int8.tflite", "-micro.tflite")

CARD = """# {name}

A BlazeFace network for {size} x {size} {grey}pixels{shapes}: {parameters:,} parameters, {macs:.1f} million
multiply-accumulates, {anchors} anchors, six keypoints.

## What it is for
Finding faces that take {smallest} or more of the picture's long side, in pictures and live video, on {where}. It gives a box, a score and six keypoints for each face.

## What it cannot do
Faces below {smallest} of the long side are found less and less surely (see the first rows below), crowds such as
`widerval200` worst of all. {roll} Its boxes hold the face from brow to chin, not the whole head. It does not tell people
apart, and says nothing about age, sex or mood. It was measured on the photographs named below and on nothing else:
measure it on yours (`blazeface evaluate`) before you rely on it.

## Data and licence
{data} The sources allow research use only, or state no licence: the code of this project is Apache-2.0, but **these weights
are for research**. For a product, train on pictures you have the rights to. The validation split (2,810 pictures) was never
trained on; duplicates and people do not cross the split.

## Measured
Recall at an IoU of 0.5, by relative face size (root of the box's area over the picture's long side), at the score that leaves
10 false positives in 1,000 pictures without a face; whole pictures scaled into the input; 95 % intervals by bootstrap over
pictures.

{headline}

AP at IoU 0.5 over all pictures, score cut 0.02:

{overall}

By source of the pictures:

{sources}

## How it was made
{history}

SHA-256:

{hashes}
"""

PICTURES = (
    "Trained on 12,091 photographs with 22,525 labelled faces: Caltech 10k Web Faces, Labeled Faces in the Wild, YouTube"
    " Faces, photographs with face masks, classrooms, streets, sports and building sites (labelled by YuNet_n and CenterFace),"
    " and pictures without faces of houses, clothes, waste, textures and animals."
)
ANY_ROLL = "A third of the training views were rolled by any angle: turned faces are found, less surely than upright ones."

TRAINED = {
    "2026-11-26": (
        f"{PICTURES} The run began from weights"
        " whose training pictures held 27 that show the same moments as pictures of the crowd sources of val: figures of the crowds"
        " may be flattered slightly by them.",
        ANY_ROLL,
    ),
    "2026-11-26 from 2026-11-23": (
        f"{PICTURES} The run began from weights trained on 15,000 photographs, an earlier form of the same sources without crowds.",
        ANY_ROLL,
    ),
    "2026-11-23": (
        "Trained on 15,000 photographs with 17,925 labelled faces from Caltech 10k Web Faces, Labeled Faces in the Wild,"
        " YouTube Faces, a collection of photographs with face masks, and house pictures without faces.",
        "Training knew rolls up to 45 degrees: faces upside down are not among what it learnt.",
    ),
}
"""By the date of the training data: what the card says of it, and of turned faces."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "run", type=Path, help="a folder with model.safetensors, model.onnx and, if any, model.tflite"
    )
    parser.add_argument("--report", type=Path, help="report.json of `blazeface evaluate`")
    parser.add_argument("--note", action="store_true", help="only write the note into the run's files")
    parser.add_argument("--name", default="front-128")
    parser.add_argument("--trained", choices=TRAINED, required=True, help="date of the training data")
    parser.add_argument("--history", required=True, help="how it was trained, in a sentence or two")
    args = parser.parse_args()
    origin = origin_of(args.name, args.trained, args.history)
    if args.note:
        write_note(args.run, origin)
        return
    if args.report is None:
        parser.error("--report is needed: the figures of the card")
    require_note(args.run, origin)
    for suffix in SUFFIXES:
        if (args.run / f"model{suffix}").is_file():
            shutil.copyfile(args.run / f"model{suffix}", WEIGHTS / f"{args.name}{suffix}")
    shutil.copyfile(args.report, WEIGHTS / f"{args.name}.report.json")
    text = filled(card(args.name, args.trained, args.history))
    (WEIGHTS / f"{args.name}.md").write_text(text, encoding="utf-8")


def origin_of(name: str, trained: str, history: str) -> Origin:
    """What every file of the weights says of where they come from."""
    return Origin(f"{name} of blazeface {__version__}. {history}", LICENCE, TRAINED[trained][0])


def write_note(run: Path, origin: Origin) -> None:
    """Give model.safetensors the note, and make model.onnx anew from it."""
    from blazeface.cli.export import choose_pictures
    from blazeface.export.formats.onnx import export_onnx
    from blazeface.models.weights import load_weights, save_weights

    network = load_weights(run / "model.safetensors")
    network.origin = origin
    save_weights(network, run / "model.safetensors")
    export_onnx(network, run / "model.onnx", choose_pictures(None)[0])


def require_note(run: Path, origin: Origin) -> None:
    """End where a file that is to be shipped does not carry the note as it is: JSON, in safetensors within JSON once more."""
    text = origin.to_json()
    for suffix in SUFFIXES:
        path = run / f"model{suffix}"
        if path.is_file() and not any(
            form.encode() in path.read_bytes() for form in (text, json.dumps(text)[1:-1])
        ):
            raise SystemExit(
                f"{path}: it lacks the note: give it with --note, and export what is made of model.safetensors anew"
            )


def card(name: str, trained: str, history: str) -> str:
    """The model card, its figures from the shipped files."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from blazeface.models.weights import load_weights

    report = json.loads((WEIGHTS / f"{name}.report.json").read_text(encoding="utf-8"))
    network = load_weights(WEIGHTS / f"{name}.safetensors").folded()
    size = network.spec.input_size
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, size, size))
    data, roll = TRAINED[trained]
    hashes = [
        f"    {hashlib.sha256((WEIGHTS / f'{name}{suffix}').read_bytes()).hexdigest()}  {name}{suffix}"
        for suffix in SUFFIXES
        if (WEIGHTS / f"{name}{suffix}").is_file()
    ]
    return CARD.format(
        name=name,
        size=size,
        grey="grey " if network.luminance is not None else "",
        where="microcontrollers" if size < 128 else "phones and small computers",
        # Another shape is whole eighths of the square, which the strides must divide: see training.faces.
        shapes="" if trained == "2026-11-23" or size < 128 else ", or as many of another shape",
        smallest="a sixth" if size < 128 else "a tenth" if size < 200 else "a twentieth",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        macs=counter.get_total_flops() / 2e6,
        anchors=network.spec.num_anchors,
        data=data,
        roll=roll,
        headline=headline_table(report),
        overall=overall_table(report),
        sources=source_table(report),
        history=history,
        hashes="\n".join(hashes),
    )


def filled(text: str) -> str:
    """Markdown with its paragraphs broken at 115 characters."""
    blocks = text.strip().split("\n\n")
    parts = [
        block if block.startswith(("|", "    ")) else "\n".join(_paragraph(part) for part in _lines(block))
        for block in blocks
    ]
    return "\n\n".join(parts) + "\n"


def _lines(block: str) -> list[str]:
    """A heading by itself, and the paragraph below it."""
    head, _, rest = block.partition("\n")
    return [head, *([rest] if rest else [])] if head.startswith("#") else [block]


def _paragraph(text: str) -> str:
    return text if text.startswith(("|", "#")) else textwrap.fill(" ".join(text.split()), 115)


def headline_table(report: dict[str, Any]) -> str:
    rows = ["| faces | pictures without a face | recall >= .1 | recall >= .05 |", "| --- | --- | --- | --- |"]
    for faces, group in report["headline"]["recall"].items():
        for faceless, recall in group["recall"].items():
            intervals = group["intervals"][faceless]
            cells = [f"{recall[size]:.3f} ({low:.3f} to {high:.3f})" for size, (low, high) in intervals.items()]
            rows.append(f"| {faces} | {faceless} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def overall_table(report: dict[str, Any]) -> str:
    rows = ["| figure | value | 95 % interval |", "| --- | --- | --- |"]
    for figure, value in report["figures"].items():
        low, high = report["intervals"][figure]
        rows.append(f"| {figure} | {value:.3f} | {low:.3f} to {high:.3f} |")
    return "\n".join(rows)


def source_table(report: dict[str, Any]) -> str:
    names = list(report["figures"])
    rows = ["| source | pictures | " + " | ".join(names) + " |", "| --- " * (len(names) + 2) + "|"]
    for source, part in report["by_source"].items():
        values = [part["figures"][name] for name in names]
        shown = ["-" if value is None else f"{value:.3f}" for value in values]
        rows.append(f"| {source} | {part['pictures']} | " + " | ".join(shown) + " |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
