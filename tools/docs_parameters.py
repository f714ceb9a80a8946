"""Extension of griffe (mkdocs.yml): the parameters that a docstring explains line by line become a list in the site."""

from __future__ import annotations

import re
from typing import Any

import griffe


class ParameterLists(griffe.Extension):  # type: ignore[misc, unused-ignore] # where griffe is not installed
    """Lines "name: what it is" of parameters and attributes become items; all else stays as it is."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        if obj.docstring is not None and (obj.is_class or obj.is_function):
            obj.docstring.value = listed(obj.docstring.value, names_of(obj))


def names_of(obj: Any) -> set[str]:
    """Parameters of a function; of a class, those of its __init__ and its attributes."""
    if obj.is_function:
        return {parameter.name for parameter in obj.parameters}
    init = obj.members.get("__init__")
    return {*obj.attributes, *(names_of(init) if init is not None and init.is_function else ())}


def listed(text: str, names: set[str]) -> str:
    """The docstring with its lines that begin with one of the names and a colon as items of a list."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        parameter = bool(colon) and all(part in names for part in re.split(r", ", name))
        if parameter and not inside and lines and lines[-1]:
            lines.append("")
        if parameter:
            line = f"- `{name}`:{rest}"
        elif inside and line.startswith("    "):
            line = f"    {line.strip()}"
        elif inside and line:
            lines.append("")
        inside = parameter or (inside and line.startswith("    "))
        lines.append(line)
    return "\n".join(lines)
