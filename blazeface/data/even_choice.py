"""An even choice from a list: one rule wherever some of many are to stand for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def chosen_evenly(samples: Sequence[T], limit: int | None) -> list[T]:
    """At most `limit` entries, evenly drawn; all without a limit."""
    if limit is None or limit >= len(samples):
        return list(samples)
    return [samples[i * len(samples) // limit] for i in range(limit)]
