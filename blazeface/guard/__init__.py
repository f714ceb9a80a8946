"""Checks of model files before a runtime loads them: operators, shapes, cost."""

from __future__ import annotations

from blazeface.errors import BlazeFaceError


class Refused(ValueError):
    """The file holds something that is not on the list, or too much of it."""


class UnlistedModel(BlazeFaceError):
    """A model file that holds something that no face detector of this kind needs, or costs more than one may."""

    def __init__(self, shown: str, reason: str):
        super().__init__(
            f"{shown}: not of the kind that blazeface writes: {reason}. If you trust its maker, --trust-model (in Python"
            " trust=True) runs it in a process of its own"
        )
