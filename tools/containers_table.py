"""Writes docs/containers.md: what is kept of each kind of file, by the kinds that tests/zoo holds to it.

Each line says what `tests/zoo/test_zoo.py` proves of a file of that kind against ffprobe: run it to see them hold.

    PYTHONPATH=tests/zoo python tools/containers_table.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "zoo"))

from kinds import KINDS, Kind  # noqa: E402

HEAD = """# What is kept, container by container
Written by `python tools/containers_table.py` from the kinds in `tests/zoo/kinds.py`. For each, ffmpeg makes a file, and the test
holds what is read of it, and a copy of it, against ffprobe: the number of frames, the time of each, the size, which way up it
is, the colours of two patches, the shape of its pixels, and the length of every sound track.

A copy holds the pictures and the sound, and nothing else of the file: no title, no place, no time of recording. Subtitles, chapters, attached files, time
codes and further video streams are named when they are left out. Interlaced frames are deinterlaced before faces are looked for.

| kind of file | a copy | sound tracks | shown | what a sentence says |
| --- | --- | --- | --- | --- |
"""
SHOWN = {
    1: "as stored", 2: "mirrored", 3: "turned by 180", 4: "upside down, mirrored", 5: "transposed", 6: "turned by 90",
    7: "transposed, turned by 180", 8: "turned by 270",
}  # fmt: skip


def row_of(kind: Kind) -> str:
    """One line of the table."""
    sound = "none" if not kind.sound else f"{kind.tracks} of {len(kind.sound)}"
    shown = SHOWN[kind.orientation] + ("" if kind.aspect == "1:1" else f", pixels of {kind.aspect}")
    said = "; ".join(kind.said) or "nothing"
    return f"| {kind.name} | {kind.copy_suffix} | {sound} | {shown} | {said} |"


def main() -> None:
    rows = "\n".join(row_of(kind) for kind in KINDS)
    (ROOT / "docs" / "containers.md").write_text(f"{HEAD}{rows}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
