"""The licences of what is locked: each package has one, it is one that may be used, and its metadata still says so.

    python -m reliability.licences

Status 1 with a line for each difference. What is not installed here is held against the list of what may be used alone.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from reliability.lock import FOLDER, stanzas_of

LIST = FOLDER / "licences.txt"

PERMISSIVE = frozenset(
    "MIT MIT-0 MIT-CMU 0BSD ISC BSD-2-Clause BSD-3-Clause Apache-2.0 BSL-1.0 PSF-2.0 Zlib CC0-1.0 WTFPL".split()  # noqa: SIM905
)
ALLOWED = {
    "core": PERMISSIVE | {"MPL-2.0"},
    "dev": PERMISSIVE | {"MPL-2.0"},
    "docs": PERMISSIVE | {"MPL-2.0"},
    "formats": PERMISSIVE | {"MPL-2.0"},
    "torch": PERMISSIVE | {"LLVM-exception"},
    "torch-cpu": PERMISSIVE | {"LLVM-exception"},
    "cuda": PERMISSIVE | {"LicenseRef-NVIDIA-Proprietary"},
}
"""What may be installed for which purpose. MPL-2.0 asks for the changes to its own files alone, and none are made."""

SPOKEN = {
    "MIT License": "MIT",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD-3": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC license": "ISC",
    "ISC License (ISCL)": "ISC",
    "3-Clause BSD License": "BSD-3-Clause",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""What older metadata says, and the SPDX identifier that is meant."""


def main() -> int:
    rows = listed(LIST)
    faults, seen = [], set[str]()
    for lock in sorted(FOLDER.glob("*.lock")):
        names = set(stanzas_of(lock.read_text(encoding="utf-8")))
        seen |= names
        faults += [f"{name}: in {lock.name}, but not in {LIST.name}" for name in sorted(names - rows.keys())]
        for name in sorted(names & rows.keys()):
            extra = identifiers(rows[name]) - ALLOWED[lock.stem]
            faults += [f"{name}: {', '.join(sorted(extra))} is not allowed in {lock.name}"] if extra else []
    faults += [f"{name}: in {LIST.name}, but in no lock" for name in sorted(rows.keys() - seen)]
    here = {name: said for name in sorted(seen & rows.keys()) if (said := stated(name)) is not None}
    faults += [f"{name}: says {said}, listed as {rows[name]}" for name, said in here.items() if said != rows[name]]
    for fault in faults:
        print(fault)
    print(f"{len(seen)} packages, the metadata of {len(here)} compared here: {len(faults) or 'no'} differences")
    return int(bool(faults))


def listed(path: Path) -> dict[str, str]:
    """Package and SPDX expression of each row."""
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = (line.split(" | ") for line in lines if line and not line.startswith("#"))
    return {row[0]: row[1] for row in rows}


def identifiers(expression: str) -> set[str]:
    """The identifiers of an SPDX expression."""
    return set(re.findall(r"[\w.+-]+", expression)) - {"AND", "OR", "WITH"}


def stated(name: str) -> str | None:
    """The SPDX expression that the metadata of an installed package amounts to; None where it says nothing that is known."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return None
    whole = about.get_all("License-Expression")
    if whole:
        return str(whole[0])
    kinds = [
        line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or () if line.startswith("License ::")
    ]
    for said in (*(about.get_all("License") or ()), *kinds):
        known = SPOKEN.get(said, said)
        if said and identifiers(known) <= PERMISSIVE | {"MPL-2.0"}:
            return str(known)
    return None


if __name__ == "__main__":
    sys.exit(main())
