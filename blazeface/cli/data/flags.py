"""The flags that say how labels are read."""

from __future__ import annotations

import argparse

from blazeface.data.formats import FORMATS


def add_label_flags(add: argparse._ActionsContainer) -> None:
    """--format and --category."""
    add.add_argument(
        "--format",
        choices=tuple(FORMATS),
        help="what the labels are, where looking at them does not tell: "
        + ", ".join(f"{k} ({v})" for k, v in FORMATS.items()),
    )
    add.add_argument(
        "--category",
        action="append",
        metavar="NAME",
        help="what is called so is a face; may be given several times (default: what is called face)",
    )
