"""What covers leave open and what they cover needlessly: ours beside deface 1.5 with its defaults.

    python -m benchmarks.privacy.versus --videos FOLDER --deface PYTHON [--model front-128] [--clips NAME ...]

Made clips (made.py) have a known truth, those of --videos the one in truth/ (truth.py). A face is open in a frame when less than
nine tenths of the ellipse in its box are covered. Needless is what is covered beside those ellipses, as a share of the
picture. deface covers, with its defaults, the ellipse in CenterFace's box with three tenths added on every side. Ours is
shown as for files (two passes), for cameras, and for cameras with a delay of one second. Frames a second: of looking
and of finding the covers, on one thread, without decoding and encoding, which are the same for both.
Writes benchmarks/results/privacy.json and .md, and the worst frames of the made clips into docs/images.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks import RESULTS, ROOT
from benchmarks.privacy.made import CLIPS, RATE, frames_of, truth_of
from benchmarks.privacy.measure import OPEN_BELOW, beside, ellipse_covered
from benchmarks.privacy.truth import DRAWN
from blazeface.detections import Detections
from blazeface.detector import FaceDetector, model_path
from blazeface.files.pictures import write_picture
from blazeface.files.staged import write_text
from blazeface.geometry import Image
from blazeface.privacy.cover import cover_region
from blazeface.privacy.coverer import Coverer
from blazeface.privacy.rules import RULES
from blazeface.sources.inputs import find_input
from blazeface.sources.opening import open_source

TRUTH = Path(__file__).parent / "truth"
DELAY = 1.0
DEFACE_MARGIN = 0.3
"""deface's mask_scale of 1.3 adds this on every side (its scale_bb)."""

NAMES = {
    "file": "blazeface, file",
    "live": "blazeface, camera",
    "delay": "blazeface, camera, --delay 1",
    "deface": "deface 1.5",
}

Mask = NDArray[np.bool_]


@dataclass
class Figures:
    """One contender on one clip."""

    faces: int = 0
    open: int = 0
    covered: float = 0.0
    needless: float = 0.0
    seconds: float = 0.0
    worst: list[tuple[float, int]] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description="Open faces and needless covers, ours beside deface.")
    parser.add_argument(
        "--videos", type=Path, help="the folder of the clips whose truth is in benchmarks/privacy/truth"
    )
    parser.add_argument("--deface", type=Path, help="a Python that has deface 1.5 installed")
    parser.add_argument(
        "--deface-of",
        type=Path,
        help="an earlier result: deface's figures are taken from it, without running it again",
    )
    parser.add_argument("--model", default="front-128")
    parser.add_argument("--min-face", default="auto", help='pixels, "auto" as with --blur, or "none"')
    parser.add_argument("--clips", nargs="*", help="these alone")
    parser.add_argument(
        "--speed", action="store_true", help="tell frames a second too: on a machine that is quiet"
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "privacy.json")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    smallest = {"none": None, "auto": "auto"}.get(args.min_face, args.min_face)
    detector = FaceDetector(
        args.model, RULES.faint, min_face=float(smallest) if smallest not in (None, "auto") else smallest
    )
    digest = hashlib.sha256(model_path(args.model).read_bytes()).hexdigest()
    result: dict[str, Any] = {
        "model": args.model,
        "min_face": args.min_face,
        "sha256": digest,
        "speed": args.speed,
        "clips": {},
    }
    earlier = json.loads(args.deface_of.read_text())["clips"] if args.deface_of else {}
    for name, frames, times, truth, drawn, made in clips(args.videos):
        if args.clips and name not in args.clips:
            continue
        figures = measure(tqdm(frames, name, disable=None), times, truth, drawn, detector, args.deface)
        if name in earlier:
            figures["deface"] = Figures(**earlier[name]["deface"])
        result["clips"][name] = {
            "made": made,
            "frames": len(truth),
            **{key: vars(value) | {"worst": value.worst[:3]} for key, value in figures.items()},
        }
        write_text(args.out, json.dumps(result, indent=1) + "\n")
        write_text(args.out.with_suffix(".md"), markdown(result))
        print(name, {key: (value.open, round(value.needless, 4)) for key, value in figures.items()}, flush=True)
    print(markdown(result))
    write_picture(ROOT / "docs" / "images" / "privacy-worst.jpg", worst_frames(result, detector))


def clips(
    videos: Path | None,
) -> Iterator[tuple[str, Iterable[Image], list[float], list[list[Any]], list[Any], bool]]:
    """Name, pictures, times in seconds, and the true boxes of each frame; boxes of which, in any frame, nothing is asked, and which
    may be covered; whether the clip was made."""
    for name in CLIPS:
        truth = truth_of(name)
        times = [n / RATE for n in range(len(truth))]
        yield name, frames_of(name), times, [list(boxes) for boxes in truth], [], True
    for path in sorted(TRUTH.glob("*.json")) if videos is not None else []:
        content = json.loads(path.read_text())
        clip = (videos or Path()) / content["clip"]
        if not clip.is_file() or hashlib.sha256(clip.read_bytes()).hexdigest() != content["sha256"]:
            print(f"{clip}: not the clip that the truth is about; left out")
            continue
        truth = [[face[1:5] for face in faces if face[5] != DRAWN] for faces in content["faces"]]
        drawn = [face[1:5] for face in content["faces"][0] if face[5] == DRAWN]
        yield path.stem, pictures(clip), [n / content["rate"] for n in range(len(truth))], truth, drawn, False


def pictures(path: Path) -> Iterator[Image]:
    with open_source(find_input(str(path)), 4.0, lambda: False) as source:
        for frame in source.frames():
            yield frame.image


def measure(
    frames: Iterable[Image],
    times: list[float],
    truth: list[list[Any]],
    drawn: list[Any],
    detector: FaceDetector,
    python: Path | None,
) -> dict[str, Figures]:
    """All contenders on one clip. Frames are looked at once; the covers are found from what was seen."""
    found: list[Detections] = []
    others: list[list[list[float]]] = []
    seconds = {"ours": 0.0, "deface": 0.0}
    size = (0, 0)
    process = None if python is None else start_deface(python)
    for image in frames:
        size = image.shape[1], image.shape[0]
        start = time.perf_counter()
        found.append(detector.detect(image))
        seconds["ours"] += time.perf_counter() - start
        if process is not None:
            answer = ask_deface(process, image)
            others.append(answer["boxes"])
            seconds["deface"] += answer["seconds"]
    if process is not None and process.stdin is not None:
        process.stdin.close()
        process.wait()
    figures = {}
    for key, delay in (("file", None), ("live", 0.0), ("delay", DELAY)):
        start = time.perf_counter()
        boxes = our_boxes(found, times, *size, delay)
        spent = seconds["ours"] + time.perf_counter() - start
        figures[key] = judged((rectangles(covers, *size) for covers in boxes), truth, drawn, spent)
    if others:
        figures["deface"] = judged((ellipses(boxes, *size) for boxes in others), truth, drawn, seconds["deface"])
    return figures


def our_boxes(
    found: list[Detections], times: list[float], width: int, height: int, delay: float | None
) -> list[list[Any]]:
    """The covers of each frame; delay: seconds of look ahead, None for all of the clip."""
    coverer = Coverer(keep=delay is None, look_ahead=delay or 0.0)
    given: list[list[Any]] = []

    def give(n: int) -> None:
        given.append([cover.box for cover in coverer.covers(n, times[n], width, height) or []])

    for n, faces in enumerate(found):
        coverer.add(n, times[n], width, height, faces)
        while delay is not None and len(given) <= n and times[n] - times[len(given)] >= delay:
            give(len(given))
    coverer.end()
    for n in range(len(given), len(found)):
        give(n)
    return given


def judged(masks: Iterable[Mask], truth: list[list[Any]], drawn: list[Any], seconds: float) -> Figures:
    """worst: the frames with the most open face first, (share covered, frame)."""
    figures = Figures(seconds=round(seconds, 3))
    shares = []
    for n, (mask, boxes) in enumerate(zip(masks, truth, strict=True)):
        covered = [ellipse_covered(mask, box) for box in boxes]
        figures.faces += len(boxes)
        figures.open += sum(share < OPEN_BELOW for share in covered)
        figures.covered += float(mask.mean()) / len(truth)
        figures.needless += beside(mask, [*boxes, *drawn]) / len(truth)
        shares += [(round(share, 3), n) for share in covered if share < OPEN_BELOW]
    figures.covered, figures.needless = round(figures.covered, 5), round(figures.needless, 5)
    figures.worst = sorted(shares)
    return figures


def rectangles(boxes: list[Any], width: int, height: int) -> Mask:
    mask = np.zeros((height, width), bool)
    for box in boxes:
        region = cover_region(box, width, height)
        if region is not None:
            mask[region] = True
    return mask


def ellipses(boxes: list[list[float]], width: int, height: int) -> Mask:
    """As deface draws them: whole pixels, cut at the picture, and the ellipse in what is left."""
    mask = np.zeros((height, width), np.uint8)
    for values in boxes:
        x1, y1, x2, y2 = (int(value) for value in values[:4])
        across, down = (x2 - x1) * DEFACE_MARGIN, (y2 - y1) * DEFACE_MARGIN
        left, right = max(0, round(x1 - across)), min(width - 1, round(x2 + across))
        top, bottom = max(0, round(y1 - down)), min(height - 1, round(y2 + down))
        middle = left + (right - left) // 2, top + (bottom - top) // 2
        cv2.ellipse(
            mask, middle, (max(0, (right - left) // 2), max(0, (bottom - top) // 2)), 0, 0, 360, 1, cv2.FILLED
        )
    return mask > 0


def start_deface(python: Path) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("deface_boxes.py")
    return subprocess.Popen([python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def ask_deface(process: subprocess.Popen[bytes], image: Image) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(struct.pack("<ii", *image.shape[:2]) + np.ascontiguousarray(image).tobytes())
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def markdown(result: dict[str, Any]) -> str:
    """A table of the made clips and of the real ones, with sums."""
    lines = [
        "# Faces left open, and what is covered needlessly",
        f"Model {result['model']}, --min-face {result['min_face']}, SHA-256 {result['sha256'][:12]}...; written by `benchmarks/privacy/versus.py`.",
        "Open: face-frames of which less than nine tenths are covered. Needless: covered beside faces, share of the picture.",
    ]
    for title, made in (("Made clips", True), ("Real clips", False)):
        rows = {name: clip for name, clip in result["clips"].items() if clip["made"] == made}
        if not rows:
            continue
        keys = [key for key in NAMES if all(key in clip for clip in rows.values())]
        heads = [f"{NAMES[key]}: open | needless" for key in keys]
        lines += ["", f"## {title}", "", f"| clip | face-frames | {' | '.join(heads)} |"]
        lines.append(f"| --- | ---: |{' ---: | ---: |' * len(keys)}")
        for name, clip in rows.items():
            parts = [f"{clip[key]['open']} | {clip[key]['needless']:.2%}" for key in keys]
            lines.append(f"| {name} | {clip['file']['faces']} | {' | '.join(parts)} |")
        faces = sum(clip["file"]["faces"] for clip in rows.values())
        totals = []
        for key in keys:
            opened = sum(clip[key]["open"] for clip in rows.values())
            area = sum(clip[key]["needless"] for clip in rows.values()) / len(rows)
            totals.append(f"{opened} ({opened / max(faces, 1):.2%}) | {area:.2%}")
        lines.append(f"| all | {faces} | {' | '.join(totals)} |")
    keys = [key for key in NAMES if all(key in clip for clip in result["clips"].values())]
    frames = sum(clip["frames"] for clip in result["clips"].values())
    if result["speed"]:
        speeds = [
            f"{NAMES[key]} {frames / sum(clip[key]['seconds'] for clip in result['clips'].values()):.1f}"
            for key in keys
        ]
        lines += ["", f"Frames a second, all clips, one thread: {', '.join(speeds)}."]
    return "\n".join([*lines, ""])


def worst_frames(result: dict[str, Any], detector: FaceDetector) -> Image:
    """The frames of made clips that are covered worst, ours as for cameras and deface's if it was run: three of each."""
    tiles = []
    for key in ("live", "deface"):
        worst = [
            (share, n, name)
            for name, clip in result["clips"].items()
            if clip["made"] and key in clip
            for share, n in clip[key]["worst"][:1]
        ]
        for share, n, name in sorted(worst)[:4]:
            tiles.append(_tile(name, n, f"{NAMES[key]}: {name}, frame {n}, {share:.0%} covered"))
    rows = [np.hstack(tiles[i : i + 4]) for i in range(0, len(tiles) - len(tiles) % 4, 4)]
    return np.vstack(rows) if rows else np.zeros((180, 320, 3), np.uint8)


def _tile(name: str, n: int, text: str) -> Image:
    image = next(picture for i, picture in enumerate(frames_of(name)) if i == n)
    tile: Image = cv2.resize(image, (320, 180), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    cv2.rectangle(tile, (0, 0), (320, 16), (20, 20, 20), cv2.FILLED)
    cv2.putText(tile, text, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.33, (240, 240, 240), 1, cv2.LINE_AA)
    return tile


if __name__ == "__main__":
    main()
