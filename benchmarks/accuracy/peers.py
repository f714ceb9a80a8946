"""What other people's detectors score on the pictures of val, by the rules of `blazeface evaluate`.

    make benchmark DATA=ROOT            # or, without making their environments: python -m benchmarks.accuracy.peers --data ROOT
    python -m benchmarks.accuracy.peers --data ROOT --only haar mtcnn --yunet face_detection_yunet_2023mar.onnx

Each picture goes to each peer as the same decoded array. What a peer finds is kept in out/peers/, so that a run that was
broken off goes on, and another run only scores again; --fresh asks the peers anew. Writes
benchmarks/results/peers/NAME.report.json, which tools/results_table.py makes tables from, and
benchmarks/results/peers/missing.json, the peers that could not be measured and why.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks import RESULTS, ROOT
from benchmarks.peers.contenders import PEERS_TABLE, Peer, reason
from blazeface.benchmark.contender import Contender
from blazeface.data.samples import Sample, load_split
from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.evaluation.record import SCORE_CUT, make_record
from blazeface.evaluation.report import make_report
from blazeface.evaluation.table import table_text
from blazeface.files.pictures import read_picture
from blazeface.files.staged import staged_file

PEERS = RESULTS / "peers"
KEPT = ROOT / "out" / "peers"

Row = dict[str, Any]
"""One picture: its path in the data set, height, width, and the boxes, scores and keypoints found."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Score other people's detectors on val.")
    parser.add_argument("--data", type=Path, required=True, help="folder in the WIDER FACE layout")
    parser.add_argument("--only", nargs="+", metavar="PEER", choices=[peer.name for peer in PEERS_TABLE])
    parser.add_argument("--yunet", type=Path, help="face_detection_yunet_2023mar.onnx of the OpenCV zoo")
    parser.add_argument("--limit", type=int, help="an even choice of so many pictures; nothing is written")
    parser.add_argument("--resamples", type=int, default=1000, help="for the 95 %% intervals (default: 1000)")
    parser.add_argument("--fresh", action="store_true", help="ask the peers anew, whatever is kept")
    args = parser.parse_args()
    missing: dict[str, str] = {}
    try:
        samples = load_split(args.data, "val")
        if args.limit:
            samples = [samples[i * len(samples) // args.limit] for i in range(args.limit)]
        for peer in PEERS_TABLE:
            if not peer.for_accuracy or (args.only and peer.name not in args.only):
                continue
            try:
                about, rows = ask(peer, samples, args)
            except BlazeFaceError as error:
                missing[peer.name] = reason(peer.title, error)
                print(f"{peer.title}: missing: {error}", file=sys.stderr)
                continue
            report = make_report(
                [record(sample, row) for sample, row in zip(samples, rows, strict=True)], args.resamples
            )
            print(f"\n{peer.title}, {peer.sees}\n{table_text(report)}", flush=True)
            if not args.limit:
                write(PEERS / f"{peer.name}.report.json", {**about, **report})
    except BlazeFaceError as error:
        print(f"accuracy: {error}", file=sys.stderr)
        return 1
    if not args.limit and not args.only:
        write(PEERS / "missing.json", missing)
    return 0


def ask(peer: Peer, samples: Sequence[Sample], args: argparse.Namespace) -> tuple[dict[str, Any], list[Row]]:
    """What the peer finds in each picture, kept from before or found now. Raises BlazeFaceError where it cannot run."""
    options = peer_options(peer, args.yunet)
    options = {**options, "threads": 1, **peer.accurate}
    with Contender(peer.title, peer.python, peer.file, options) as contender:
        about = {
            "title": peer.title,
            "sees": peer.sees,
            "versions": contender.about["versions"],
            "options": {name: value for name, value in options.items() if name not in ("threads", "file")},
            "score_cut": SCORE_CUT,
        }
        kept = KEPT / f"{peer.name}.jsonl"
        rows = {} if args.fresh else read_kept(kept, about)
        left = [sample for sample in samples if str(sample.path.relative_to(args.data)) not in rows]
        if left:
            kept.parent.mkdir(parents=True, exist_ok=True)
            new = not rows
            with kept.open("w" if new else "a", encoding="utf-8") as file, tempfile.TemporaryDirectory() as folder:
                if new:
                    file.write(json.dumps({**about, "date": datetime.date.today().isoformat()}) + "\n")
                for sample in tqdm(left, peer.name, unit="picture", leave=False, disable=None):
                    row = look(contender, sample, Path(folder) / "picture.npy", args.data)
                    rows[row["path"]] = row
                    file.write(json.dumps(row) + "\n")
    with kept.open(encoding="utf-8") as file:
        about["date"] = json.loads(file.readline())["date"]
    return about, [rows[str(sample.path.relative_to(args.data))] for sample in samples]


def peer_options(peer: Peer, yunet: Path | None) -> dict[str, Any]:
    """Its options, with the user's file in its place."""
    if peer.options.get("file") != "{yunet}":
        return dict(peer.options)
    if yunet is None:
        raise BlazeFaceError(
            "no Python package carries its file: name face_detection_yunet_2023mar.onnx with --yunet"
        )
    if not yunet.is_file():
        raise BlazeFaceError(f"--yunet {yunet}: no such file")
    return {**peer.options, "file": str(yunet.resolve())}


def read_kept(file: Path, about: dict[str, Any]) -> dict[str, Row]:
    """Rows of an earlier run of the very same peer; a line that was cut off is left out."""
    if not file.exists():
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    try:
        first = json.loads(lines[0])
    except (IndexError, json.JSONDecodeError):
        return {}
    if {**first, "date": None} != {**about, "date": None}:
        return {}
    rows = {}
    for line in lines[1:]:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        rows[row["path"]] = row
    return rows


def look(contender: Contender, sample: Sample, place: Path, root: Path) -> Row:
    image = read_picture(str(sample.path))
    np.save(place, image)
    found = contender.ask(do="detect", file=str(place))
    rounded = {name: np.round(np.array(values), 5).tolist() for name, values in found.items()}
    path = str(sample.path.relative_to(root))
    return {"path": path, "height": image.shape[0], "width": image.shape[1], **rounded}


def record(sample: Sample, row: Row) -> Any:
    """The peer's faces of one picture, held against its labels."""
    scores = np.clip(np.array(row["scores"], np.float32).reshape(-1), 0, 1)
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= SCORE_CUT]
    points = np.array(row["keypoints"], np.float32)
    points = points.reshape(len(scores), -1, 2) if points.size else np.zeros((len(scores), 0, 2), np.float32)
    boxes = np.array(row["boxes"], np.float32).reshape(-1, 4)
    return make_record(sample, row["height"], row["width"], Detections(boxes[order], scores[order], points[order]))


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with staged_file(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
