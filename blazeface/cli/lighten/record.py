"""What `blazeface lighten` tells: figures stage by stage, and the record of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blazeface.files.staged import write_text


def stage_table(stages: dict[str, dict[str, float]]) -> str:
    """One row a figure, one column a stage."""
    names = list(stages)
    lines = [f"| figure | {' | '.join(names)} |", f"| --- |{' ---: |' * len(names)}"]
    for figure in stages[names[0]]:
        lines.append(f"| {figure} | {' | '.join(f'{stages[name][figure]:.3f}' for name in names)} |")
    return "\n".join(lines)


def write_record(out: Path, record: Mapping[str, Any]) -> None:
    """lighten.json in the folder of a run."""
    write_text(out / "lighten.json", json.dumps(record, indent=2) + "\n")
