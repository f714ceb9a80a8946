"""`blazeface evaluate`: a model and labelled pictures in, the table, plots and contact sheets out."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from blazeface.backends import BACKENDS, TRUST_HELP, backend_for
from blazeface.cli.data.flags import add_label_flags
from blazeface.cli.evaluate import robustness
from blazeface.cli.evaluate import wider as evaluate_wider
from blazeface.cli.shared_flags import add_min_face, add_overwrite, refuse_unless
from blazeface.data.even_choice import chosen_evenly
from blazeface.data.samples import SPLITS, load_split
from blazeface.detector import FaceDetector, model_path
from blazeface.errors import BlazeFaceError, install_command
from blazeface.evaluation.calibration import calibration
from blazeface.evaluation.matching import IOU_THRESHOLD
from blazeface.evaluation.record import Read, Record, records, score_cut, with_points_of_labels
from blazeface.evaluation.report import make_report
from blazeface.evaluation.robustness.table import hardness_markdown, hardness_text
from blazeface.evaluation.sheet import contact_sheet
from blazeface.evaluation.table import markdown, table_text
from blazeface.evaluation.worst import false_positives, missed_faces
from blazeface.files.pictures import read_picture, write_picture
from blazeface.files.staged import staged_file, write_errors
from blazeface.geometry import Image
from blazeface.spec import NAMED_SPECS

WRITTEN = ("report.json", "report.md", "precision_recall.png", "reliability.png", "misses.png", "false_alarms.png")
"""What --out names the folder of."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="ROOT", help="folder of pictures and labels")
    add_label_flags(parser)
    add("--split", choices=SPLITS, default="val", help="default: val")
    add(
        "--model",
        default="front-128",
        help="a shipped model, a model file, or the folder of a training run (default: front-128)",
    )
    add("--trust-model", action="store_true", help=TRUST_HELP)
    add_min_face(parser)
    add("--backend", choices=BACKENDS, help="default: by the model's suffix")
    add("--threads", type=int, default=0, metavar="N", help="CPU threads of the network (default: it chooses)")
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"write {', '.join(WRITTEN)}",
    )
    add_overwrite(parser)
    add("--limit", type=int, metavar="N", help="an even choice of N pictures instead of all")
    add(
        "--resamples", type=int, default=1000, metavar="N", help="for the 95 %% intervals; 0: none (default: 1000)"
    )
    robustness.add_arguments(parser)
    evaluate_wider.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the table. Status 1 when some pictures or clips could not be read, since the tables lack them."""
    for name, low, high in (("limit", 1, 10**9), ("resamples", 0, 10**6), ("threads", 0, 1024)):
        value = getattr(args, name)
        if value is not None and not low <= value <= high:
            raise BlazeFaceError(f"--{name} must be a number from {low:,} to {high:,}, not {value}")
    if args.protocol == "wider":
        if args.robustness or args.clips:
            raise BlazeFaceError("--robustness and --clips go without --protocol wider")
        return evaluate_wider.run(args)
    robustness.check_clips(args.clips)
    for name in ("predictions", "truth"):
        if getattr(args, name) is not None:
            raise BlazeFaceError(f"--{name} goes with --protocol wider")
    refuse_unless(args.overwrite, "--out", [args.out / name for name in WRITTEN] if args.out else [])
    draw = _prepare_output(args.out) if args.out else None
    detector, file, backend = _open(args)
    samples = chosen_evenly(load_split(args.data, args.split, args.format, args.category or ()), args.limit)
    broken: list[Path] = []
    read = _reader(broken)
    progress = tqdm(samples, desc="scoring", unit="picture", leave=False, disable=None)
    detect = with_points_of_labels(detector.detect_batch, detector.spec.keypoint_names)
    found = list(records(progress, read, detect))
    if not found:
        raise BlazeFaceError(f"{args.data}: none of its {len(samples):,} {args.split} pictures can be read")
    report = make_report(found, args.resamples)
    print(f"{args.model} on {len(found):,} pictures of {args.split}, score cut {detector.score_threshold:.2g}\n")
    print(table_text(report))
    hardness, unread = None, 0
    if args.robustness or args.clips:
        hardness, unread = robustness.measure_hardness(
            found, read, detect, args.split, args.robustness, args.clips, args.resamples
        )
        print(hardness_text(hardness))
    if args.out and draw:
        about = {
            "model": _describe(detector, file, backend),
            "split": args.split,
            "score_cut": detector.score_threshold,
            "min_face": args.min_face,
            "iou_threshold": IOU_THRESHOLD,
            "resamples": args.resamples,
            "left_out": sorted(os.path.relpath(path, args.data) for path in broken),
        }
        with _new(args.out / "report.json") as part:
            part.write_text(json.dumps({**about, **report, **(hardness or {})}, indent=2) + "\n", encoding="utf-8")
        with _new(args.out / "report.md") as part:
            text = markdown(report, f"{Path(args.model).stem} on {args.split}")
            part.write_text(text + (hardness_markdown(hardness) if hardness else ""), encoding="utf-8")
        draw(found, detector, Path(args.model).stem)
        print(f"\nwritten to {args.out}: {', '.join(WRITTEN)}")
    if broken:
        print(
            f"{len(samples) - len(found):,} of {len(samples):,} listed pictures could not be read and are not in the table",
            file=sys.stderr,
        )
    return 1 if broken or unread else 0


def _open(args: argparse.Namespace) -> tuple[FaceDetector, Path, str]:
    """The detector under test, its file and its backend."""
    if not Path(args.model).is_dir() or args.model in NAMED_SPECS:
        backend = args.backend or backend_for(args.model)
        detector = FaceDetector(
            args.model,
            score_cut(args.min_face),
            backend,
            args.threads,
            min_face=args.min_face,
            trust=args.trust_model,
        )
        return detector, model_path(args.model, backend), backend
    try:
        import torch

        from blazeface.training.checkpoint import FILE, load_checkpoint
        from blazeface.training.faces import averaged
        from blazeface.training.finish import NetworkBackend
    except ImportError as error:
        raise BlazeFaceError(
            f"a training run is opened with PyTorch: pip install 'blazeface[train]' ({error})"
        ) from error
    run_folder = Path(args.model)
    if args.backend not in (None, "torch"):
        raise BlazeFaceError(f"--backend {args.backend}: a training run is evaluated with torch")
    if not (run_folder / FILE).is_file():
        raise BlazeFaceError(f"{run_folder}: a folder without {FILE} is no training run")
    if args.threads:
        torch.set_num_threads(args.threads)
    backend = NetworkBackend(averaged(load_checkpoint(run_folder)))
    cut = score_cut(args.min_face)
    return FaceDetector.from_backend(backend, cut, min_face=args.min_face), run_folder / FILE, "torch"


def _reader(broken: list[Path]) -> Read:
    """Reads a picture; one that cannot be read is named on stderr once and added to `broken`."""

    def read(path: Path) -> Image | None:
        try:
            return read_picture(str(path))
        except BlazeFaceError as error:
            if path not in broken:
                tqdm.write(f"{error}; left out", file=sys.stderr)
                broken.append(path)
            return None

    return read


def _describe(detector: FaceDetector, path: Path, backend: str) -> dict[str, Any]:
    return {
        "name": detector.spec.name,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "input_size": detector.spec.input_size,
        "backend": backend,
    }


def _prepare_output(out: Path) -> Callable[[list[Record], FaceDetector, str], None]:
    """Make the folder and load what draws, so that nothing is missing when the scoring is done."""
    try:
        from blazeface.evaluation.curves import draw_precision_recall, draw_reliability
    except ImportError as error:
        raise BlazeFaceError(f"--out draws with matplotlib: {install_command('train')} ({error})") from error
    with write_errors(out):
        out.mkdir(parents=True, exist_ok=True)

    def draw(found: list[Record], detector: FaceDetector, name: str) -> None:
        threshold = detector.spec.score_threshold
        with _new(out / "precision_recall.png") as part:
            draw_precision_recall(found, part, name, threshold)
        with _new(out / "reliability.png") as part:
            draw_reliability(calibration(found), part, name)
        reread = lambda path: read_picture(str(path))  # noqa: E731
        misses = contact_sheet(missed_faces(found, threshold), reread, f"Missed by {name} at score {threshold:g}")
        wrong_faces = contact_sheet(
            false_positives(found, threshold), reread, f"False positives of {name} from score {threshold:g}"
        )
        write_picture(out / "misses.png", misses)
        write_picture(out / "false_alarms.png", wrong_faces)

    return draw


@contextmanager
def _new(path: Path) -> Iterator[Path]:
    """A file that appears whole or not at all; a full disk is one sentence."""
    with write_errors(path), staged_file(path) as part:
        yield part
