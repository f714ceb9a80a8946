"""Files that the benchmarks make of our networks and keep below out/, under a name that says of what they were made."""

from __future__ import annotations

import hashlib
from pathlib import Path

from benchmarks import ROOT

MAKERS = ROOT / "blazeface" / "export"


def mark(weights: Path) -> str:
    """Twelve letters of the digest of a weights file and of the code that exports: another file where either changed."""
    digest = hashlib.sha256(weights.read_bytes())
    for source in sorted(MAKERS.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def report_of(file: Path) -> Path:
    """The report beside an exported file. It takes its place after the file and its companions: all is there with it."""
    return file.with_name(f"{file.name}.report.json")
