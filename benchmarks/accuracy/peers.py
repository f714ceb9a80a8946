"""What our models and other people's detectors score on val, all asked in the same way, by the rules of `blazeface evaluate`.

    make benchmark DATA=ROOT            # or, without making their environments: python -m benchmarks.accuracy.peers --data ROOT
    python -m benchmarks.accuracy.peers --data ROOT --only front-128 haar --peers FOLDER --yunet face_detection_yunet_2023mar.onnx

Each picture goes to each detector as the same decoded array: those of val as they are, the harder ones and the centred face of
`evaluate --robustness`, and the frames of --clips. What one finds is kept in out/peers/ by the picture's content, so that a
run that was broken off goes on, and another run only scores again; --fresh asks anew. Writes
benchmarks/results/peers/NAME.report.json, which tools/results_table.py and benchmarks/accuracy/in_use.py make tables from, and
benchmarks/results/peers/missing.json, those that could not be measured and why.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks import RESULTS, ROOT
from benchmarks.accuracy.answers import Answers
from benchmarks.peers.contenders import OURS, PEERS_TABLE, Peer, peer_options, reason
from blazeface.benchmark.contender import Contender
from blazeface.cli.evaluate.robustness import check_clips, measure_hardness
from blazeface.data.even_choice import chosen_evenly
from blazeface.data.samples import Sample, load_split
from blazeface.detector import model_path
from blazeface.errors import BlazeFaceError
from blazeface.evaluation.record import SCORE_CUT, records
from blazeface.evaluation.report import make_report
from blazeface.evaluation.robustness.table import hardness_text
from blazeface.evaluation.table import table_text
from blazeface.files.pictures import read_picture
from blazeface.files.staged import staged_file
from blazeface.geometry import Image

KEPT = ROOT / "out" / "peers"
ALL = (*OURS, *PEERS_TABLE)


def main() -> int:
    parser = argparse.ArgumentParser(description="Score our models and other people's detectors on val.")
    parser.add_argument("--data", type=Path, required=True, help="folder in the WIDER FACE layout")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[peer.name for peer in ALL])
    parser.add_argument("--yunet", type=Path, help="face_detection_yunet_2023mar.onnx of the OpenCV zoo")
    parser.add_argument("--peers", type=Path, help="folder of yunet_n_dynamic.onnx and centerface.onnx")
    parser.add_argument("--clips", type=Path, nargs="+", default=[], help="clips that show a face in every frame")
    parser.add_argument("--clean-only", action="store_true", help="neither harder pictures nor centred faces")
    parser.add_argument("--limit", type=int, help="an even choice of so many pictures; nothing is written")
    parser.add_argument("--resamples", type=int, default=1000, help="for the 95 %% intervals (default: 1000)")
    parser.add_argument("--fresh", action="store_true", help="ask anew, whatever is kept")
    parser.add_argument("--out", type=Path, default=RESULTS / "peers", help="where the reports go")
    args = parser.parse_args()
    missing: dict[str, str] = {}
    try:
        check_clips(args.clips)
        samples = chosen_evenly(load_split(args.data, "val"), args.limit)
        for peer in ALL:
            if not peer.for_accuracy or (args.only and peer.name not in args.only):
                continue
            try:
                report = measure(peer, samples, args)
            except BlazeFaceError as error:
                missing[peer.name] = reason(peer.title, error)
                print(f"{peer.title}: missing: {error}", file=sys.stderr)
                continue
            if not args.limit:
                write(args.out / f"{peer.name}.report.json", report)
    except BlazeFaceError as error:
        print(f"accuracy: {error}", file=sys.stderr)
        return 1
    if not args.limit and not args.only:
        write(args.out / "missing.json", missing)
    return 0


def measure(peer: Peer, samples: Sequence[Sample], args: argparse.Namespace) -> dict[str, Any]:
    """The report of one detector, printed as well. Raises BlazeFaceError where it cannot run."""
    options = {**peer_options(peer, args.yunet, args.peers), "threads": 1, **peer.accurate}
    with Contender(peer.title, peer.python, peer.file, options) as contender:
        about = {
            "title": peer.title,
            "sees": peer.sees,
            "versions": contender.about["versions"],
            "options": {name: value for name, value in options.items() if name not in ("threads", "file")},
            "score_cut": SCORE_CUT,
            "adapter": hashlib.sha256(peer.file.read_bytes()).hexdigest()[:16],
        }
        if peer in OURS:
            about["sha256"] = hashlib.sha256(model_path(peer.name).read_bytes()).hexdigest()
        with Answers(contender, about, KEPT / f"{peer.name}.jsonl", args.fresh) as answers:
            progress = tqdm(samples, peer.name, unit="picture", leave=False, disable=None)
            found = list(records(progress, read, answers.detect))
            report = make_report(found, args.resamples)
            print(f"\n{peer.title}, {peer.sees}\n{table_text(report)}", flush=True)
            hard, unread = measure_hardness(
                found, read, answers.detect, "val", not args.clean_only, args.clips, args.resamples
            )
            print(hardness_text(hard), flush=True)
            if unread:
                raise BlazeFaceError(f"{unread} of the --clips could not be read")
            return {**about, "date": answers.date, **report, **hard}


def read(path: Path) -> Image:
    return read_picture(str(path))


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with staged_file(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
