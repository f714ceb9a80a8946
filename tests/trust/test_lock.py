"""The lock with hashes follows constraints.txt."""

from __future__ import annotations

import re
from pathlib import Path

from reliability.lock import LOCK, lock_text, locked_pins


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_lock_has_every_pin_with_a_hash() -> None:
    lines = [line for line in LOCK.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    found = {}
    for line in lines:
        match = re.fullmatch(r"([\w.-]+)==(\S+) --hash=sha256:[0-9a-f]{64}", line)
        assert match is not None, line
        found[canonical(match[1])] = match[2]
    pins = dict(pin.split("==") for pin in locked_pins())
    assert found == {canonical(name): version for name, version in pins.items()}


def test_literal() -> None:
    item = {
        "metadata": {"name": "a", "version": "1"},
        "download_info": {"archive_info": {"hashes": {"sha256": "ff"}}},
    }
    assert lock_text({"install": [item]}).splitlines()[-1] == "a==1 --hash=sha256:ff"
    assert not any(pin.startswith("torch==") for pin in locked_pins())
    assert Path(LOCK).name == "requirements-dev.lock"
