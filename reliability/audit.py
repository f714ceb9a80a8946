"""Known vulnerabilities of what is locked, package by package; what could not be audited is named.

    python -m reliability.audit

pip-audit, which has to be in the path, asks the package index for its advisories. Where it breaks off, each package is asked for
alone. Status 1: a vulnerability is known, or not one package could be audited.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from reliability.lock import FOLDER, stanzas_of


def main() -> int:
    pins: dict[str, str] = {}
    for lock in sorted(FOLDER.glob("*.lock")):
        for name, stanza in stanzas_of(lock.read_text(encoding="utf-8")).items():
            pins[name] = stanza.split()[0].removesuffix("\\").split(";")[0]
    answers = ask(list(pins.values()))
    if answers is None:
        answers = [answer for pin in pins.values() for answer in ask([pin]) or [silent(pin)]]
    known, missed = sort_answers(answers)
    for line in (*known, *missed):
        print(line)
    print(f"{len(answers)} packages: {len(known)} vulnerabilities known, {len(missed)} could not be audited")
    return int(bool(known) or len(missed) == len(answers))


def ask(pins: list[str]) -> list[dict[str, Any]] | None:
    """pip-audit's answers for pins such as "av==18.1.0"; None where it gave none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pins.txt"
        path.write_text("\n".join(pins) + "\n", encoding="utf-8")
        command = ["pip-audit", "--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
        run = subprocess.run([*command, "--requirement", str(path)], capture_output=True, text=True)
    try:
        answers: list[dict[str, Any]] = json.loads(run.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    return answers


def silent(pin: str) -> dict[str, Any]:
    """The answer for a package of which nothing could be learnt."""
    return {"name": pin, "skip_reason": "the advisories could not be reached"}


def sort_answers(answers: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Sentences about vulnerabilities, and about packages that could not be audited."""
    known = [
        f"{answer['name']} {answer['version']}: {found['id']}"
        + (f", mended in {', '.join(found['fix_versions'])}" if found.get("fix_versions") else "")
        for answer in answers
        for found in answer.get("vulns", ())
    ]
    missed = [
        f"{answer['name']}: not audited: {answer['skip_reason']}" for answer in answers if "skip_reason" in answer
    ]
    return known, missed


if __name__ == "__main__":
    sys.exit(main())
