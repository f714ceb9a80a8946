"""Where weights come from: a note that travels in every file that is made of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

ORIGIN_KEY = "blazeface.origin"
"""Name of the metadata entry that holds `Origin.to_json`."""

LONGEST = 4000
"""Characters of one text; what is longer in a file was not written here."""


@dataclass(frozen=True)
class Origin:
    """Texts for people, empty where nothing is known.

    origin: who made the weights, with what, and from which others. licence: under what terms they may be used.
    training_data: what they learnt from.
    """

    origin: str = ""
    licence: str = ""
    training_data: str = ""

    def __bool__(self) -> bool:
        return any(asdict(self).values())

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Origin:
        """Read what `to_json` wrote. A note decides nothing, so that of a file that was tampered with is empty."""
        try:
            data = json.loads(text)
            values = {entry.name: data.get(entry.name, "") for entry in fields(cls)}
        except (ValueError, AttributeError, RecursionError):
            return cls()
        sound = all(isinstance(value, str) and len(value) <= LONGEST for value in values.values())
        return cls(**values) if sound else cls()
