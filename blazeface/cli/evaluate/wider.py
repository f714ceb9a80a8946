"""`blazeface evaluate --protocol wider`: easy, medium and hard AP as WIDER FACE's own code computes them."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from blazeface.cli.shared_flags import refuse_unless
from blazeface.detections import Detections
from blazeface.detector import FaceDetector
from blazeface.errors import BlazeFaceError
from blazeface.evaluation.record import score_cut
from blazeface.evaluation.wider.files import prediction_path, read_predictions, read_truth, write_prediction
from blazeface.evaluation.wider.protocol import SUBSETS, WiderTruth, wider_ap
from blazeface.files.names import printable
from blazeface.files.pictures import read_picture
from blazeface.geometry import Floats

MAX_PREDICTIONS = 750
"""Most predictions written for one picture, best first."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--protocol",
        choices=("sizes", "wider"),
        default="sizes",
        help="AP by relative size (default), or WIDER's own",
    )
    add("--predictions", type=Path, metavar="DIR", help="wider: score DIR/EVENT/NAME.txt instead of a model")
    add(
        "--truth",
        type=Path,
        metavar="DIR",
        help="wider: folder of the .mat files (default: ROOT/wider_face_split)",
    )


def run(args: argparse.Namespace) -> int:
    """Print easy, medium and hard AP. With a model, what it found is written to --out first, and scored from there."""
    if args.predictions is None and args.out is None:
        raise BlazeFaceError(
            "--protocol wider needs --predictions DIR, or --out DIR for the predictions of the model"
        )
    if args.split != "val" or args.limit:
        raise BlazeFaceError("--protocol wider scores the whole of val: leave out --split and --limit")
    truths = read_truth(args.truth or args.data / "wider_face_split")
    folder = args.predictions
    if folder is None:
        folder = args.out
        _detect(args, truths, folder)
    predictions = read_predictions(folder, truths)
    scores = wider_ap(truths, predictions)
    count = sum(map(len, predictions))
    print(f"{printable(str(folder))}: {count:,} predictions in {len(truths):,} pictures of WIDER FACE val\n")
    for subset in SUBSETS:
        faces = sum(int(truth.counted[subset].sum()) for truth in truths)
        print(f"{subset:8s}AP {scores[subset]:.4f}  ({faces:,} faces)")
    return 0


def _detect(args: argparse.Namespace, truths: list[WiderTruth], folder: Path) -> None:
    made = (prediction_path(folder, truth.event, truth.name) for truth in truths)
    refuse_unless(args.overwrite, "--out", made)
    detector = FaceDetector(
        args.model,
        score_cut(args.min_face),
        args.backend,
        args.threads,
        min_face=args.min_face,
        trust=args.trust_model,
    )
    images = args.data / "WIDER_val" / "images"
    paths = [images / truth.event / f"{truth.name}.jpg" for truth in truths]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise BlazeFaceError(
            f"{printable(str(missing[0]))}: no such picture; {len(missing):,} of {len(paths):,} are missing"
        )
    pairs = zip(truths, paths, strict=True)
    for truth, path in tqdm(pairs, "detecting", len(paths), leave=False, disable=None, unit="picture"):
        found = detector.detect(read_picture(str(path)))[:MAX_PREDICTIONS]
        write_prediction(folder, truth.event, truth.name, to_rows(found))


def to_rows(found: Detections) -> Floats:
    """Detections as (N, 5), `x y width height score`."""
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    return np.concatenate([found.boxes[:, :2], sides, found.scores[:, None]], axis=1).astype(np.float64)
