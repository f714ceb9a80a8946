"""What PyInstaller needs to know of this package; it finds this folder by the entry point `pyinstaller40`."""

from __future__ import annotations

from pathlib import Path


def hook_dirs() -> list[str]:
    """The folders with hooks: this one."""
    return [str(Path(__file__).parent)]
