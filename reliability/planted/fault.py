"""One fault: a piece of text of one file, what stands there instead, and the tests that should notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """what: the fault in a few words. file: below the root. old: occurs once in it; new: takes its place. tests: files
    below tests/, or single tests in them as pytest names them."""

    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def faults(
    file: str, tests: str | tuple[str, ...], *rows: tuple[str, str, str] | tuple[str, str, str, str]
) -> list[Fault]:
    """Faults of one file. rows: what, old, new, and where others than `tests` should notice it, those."""
    found = []
    for what, old, new, *others in rows:
        chosen = others[0] if others else tests
        found.append(Fault(what, file, old, new, (chosen,) if isinstance(chosen, str) else chosen))
    return found
