"""Which of a label file's categories are faces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from blazeface.data.labels import Say
from blazeface.errors import BlazeFaceError
from blazeface.files.names import listed, printable

PEOPLE = {"person", "persons", "people", "human", "humans", "pedestrian", "pedestrians", "body", "man", "woman"}
"""Categories whose boxes hold whole people, which nobody calls faces who has not said so."""

FACE = {"face", "faces", "human face", "human faces"}

SHOWN = 20
"""Categories that a sentence names."""


def face_categories(names: Iterable[str], wanted: Sequence[str], source: str, say: Say) -> set[str]:
    """The names of the categories whose boxes are faces.

    wanted: those that the user named. Otherwise the one that is called face; failing that, the only one with that word in
    its name; failing that, the only one, unless its boxes hold whole people. say: takes a sentence where one was chosen that the user did
    not name, and it is not called face or others are left out. Raises BlazeFaceError, naming `source` and the choice, where that
    leaves it open.
    """
    known = list(dict.fromkeys(names))
    if wanted:
        chosen = {name for name in known if name.lower() in {word.lower() for word in wanted}}
        missing = [word for word in wanted if word.lower() not in {name.lower() for name in known}]
        if missing:
            raise BlazeFaceError(f"--category {missing[0]}: {source} has {listed(known, SHOWN) or 'none'}")
        return chosen
    words = {name: re.findall(r"[^\W_]+", name.lower()) for name in known}
    for fitting in (
        [name for name in known if " ".join(words[name]) in FACE],
        [name for name in known if {"face", "faces"} & set(words[name])],
        known,
    ):
        if len(fitting) == 1 and fitting[0].lower() not in PEOPLE:
            _tell(fitting[0], [name for name in known if name != fitting[0]], words[fitting[0]], source, say)
            return set(fitting)
    if not known:
        return set()
    raise BlazeFaceError(
        f"{source}: which of its categories are faces? --category names them: {listed(known, SHOWN)}"
    )


def _tell(chosen: str, left_out: Sequence[str], words: Sequence[str], source: str, say: Say) -> None:
    """What was chosen, where it is not plain. A category without a name, or with a number in its place, says nothing."""
    if left_out:
        say(
            printable(
                f"{source}: boxes of {chosen!r} are read as faces, those of {listed(left_out, SHOWN)} are left out (--category names others)"
            )
        )
    elif not {"face", "faces"} & set(words) and any(not word.isdigit() for word in words):
        say(
            printable(
                f"{source}: its only category, {chosen!r}, is taken for faces: what it marks is what will be found, beside the faces"
                " that a model of --init knows"
            )
        )
