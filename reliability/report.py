"""A trial's dated report: JSON for machines, Markdown for people, both from the same dictionary."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from blazeface.files.staged import staged_file
from blazeface.version import __version__

FOLDER = Path(__file__).parents[1] / "docs" / "reliability"
KINDS = ("fuzz", "chaos", "kills", "soak", "model-mutants")
ABOUT = ("kind", "date", "finished", "blazeface", "commit", "python", "machine", "load")
"""What each report says of the run that wrote it."""


def write_report(kind: str, figures: dict[str, Any], text: str, folder: Path = FOLDER) -> Path:
    """Write folder/KIND-DATE.json and .md; give the path of the Markdown.

    figures: what was counted, fit for JSON. text: the same as Markdown, without a heading. Of several runs on one
    day the last one stays.
    """
    now = datetime.now(UTC)
    about = {
        "kind": kind,
        "date": now.strftime("%Y-%m-%d"),
        "finished": now.strftime("%Y-%m-%d %H:%M UTC"),
        "blazeface": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        "load": [round(value, 2) for value in os.getloadavg()],
    }
    folder.mkdir(parents=True, exist_ok=True)
    name = folder / f"{kind}-{about['date']}"
    heading = (
        f"# {kind}, {about['finished']}\n\nblazeface {__version__}, commit {about['commit']}, Python"
        f" {about['python']}, {about['machine']}; "
        f"load average at the end {about['load'][0]}.\n\n"
    )
    with staged_file(name.with_suffix(".json")) as part:
        part.write_text(json.dumps(about | figures, indent=2) + "\n", encoding="utf-8")
    with staged_file(name.with_suffix(".md")) as part:
        part.write_text(heading + text.strip() + "\n", encoding="utf-8")
    return name.with_suffix(".md")


def commit() -> str:
    """The commit that was tried, with a + where files differed from it; "unknown" outside a checkout."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + "+" * bool(changed.stdout.strip())


def newest(kind: str, folder: Path = FOLDER) -> dict[str, Any]:
    """The figures of the latest report of a kind."""
    reports = sorted(folder.glob(f"{kind}-[0-9]*.json"))
    if not reports:
        raise FileNotFoundError(f"{folder} holds no report of {kind}: make {kind}")
    figures: dict[str, Any] = json.loads(reports[-1].read_text(encoding="utf-8"))
    return figures


def resumed(kind: str, seed: int, add: bool, folder: Path = FOLDER) -> dict[str, Any]:
    """Figures to begin with: with `add` those of the latest report of a kind, without what `write_report` puts there.

    "commits" lists what code the parts were tried with. Raises SystemExit where the report is of another seed."""
    figures = {key: value for key, value in newest(kind, folder).items() if key not in ABOUT} if add else {}
    if figures.get("seed", seed) != seed:
        raise SystemExit(f"the newest report of {kind} has the seed {figures['seed']}, not {seed}")
    commits = [*figures.get("commits", ()), commit()]
    return figures | {"seed": seed, "commits": list(dict.fromkeys(commits))}


def table(head: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table; numbers stand to the right."""
    lines = [head, ["---:" if isinstance(cell, (int, float)) else "---" for cell in rows[0]], *rows]
    return "\n".join("| " + " | ".join(_shown(cell) for cell in line) + " |" for line in lines)


def _shown(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:,.1f}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)
