"""Which of a label file's categories are faces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from blazeface.errors import BlazeFaceError

PEOPLE = {"person", "persons", "people", "human", "humans", "pedestrian", "pedestrians", "body", "man", "woman"}
"""Categories whose boxes hold whole people, which nobody calls faces who has not said so."""

FACE = {"face", "faces", "human face", "human faces"}


def face_categories(names: Iterable[str], wanted: Sequence[str], source: str) -> set[str]:
    """The names of the categories whose boxes are faces.

    wanted: those that the user named. Otherwise the one that is called face; failing that, the only one with that word in
    its name; failing that, the only one, unless its boxes hold whole people. Raises BlazeFaceError, naming `source` and the
    choice, where that leaves it open.
    """
    known = list(dict.fromkeys(names))
    if wanted:
        chosen = {name for name in known if name.lower() in {word.lower() for word in wanted}}
        missing = [word for word in wanted if word.lower() not in {name.lower() for name in known}]
        if missing:
            raise BlazeFaceError(f"--category {missing[0]}: {source} has {_listed(known)}")
        return chosen
    words = {name: re.findall(r"[^\W_]+", name.lower()) for name in known}
    for fitting in (
        [name for name in known if " ".join(words[name]) in FACE],
        [name for name in known if {"face", "faces"} & set(words[name])],
        known,
    ):
        if len(fitting) == 1 and fitting[0].lower() not in PEOPLE:
            return set(fitting)
    if not known:
        return set()
    raise BlazeFaceError(f"{source}: which of its categories are faces? --category names them: {_listed(known)}")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20]) or "none"
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"
