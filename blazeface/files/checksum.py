"""Verifies shipped weights against the SHA-256 on their card."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from blazeface.errors import BlazeFaceError


def verify_checksum(path: Path) -> None:
    """Raise BlazeFaceError unless the card beside shipped weights (NAME.md for NAME.onnx, NAME-int8.tflite and NAME-micro.tflite) names
    their SHA-256.

    No protection against someone who can write into the package, and so into the card as well: against a download or a disk that
    went wrong, and a file that was exchanged for another.
    """
    card = path.with_name(f"{path.stem.removesuffix('-int8').removesuffix('-micro')}.md")
    try:
        promised = re.search(
            rf"^\s*([0-9a-f]{{64}})  {re.escape(path.name)}$", card.read_text("utf-8"), re.MULTILINE
        )
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, UnicodeDecodeError) as error:
        raise BlazeFaceError(f"{path}: cannot be held against its card {card.name}: {error}") from error
    if promised is None:
        raise BlazeFaceError(f"{card}: names no SHA-256 of {path.name}")
    if promised[1] != found:
        raise BlazeFaceError(
            f"{path}: not the weights that were shipped: its SHA-256 is {found[:12]}..., its card {card.name} says"
            f" {promised[1][:12]}...; install blazeface anew"
        )
