"""Names fit for printing: no password, no control character."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):/+")


def printable(name: str) -> str:
    """A file name for a sentence on the terminal: control characters and bytes that are no text are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def without_secrets(address: str) -> str:
    """A URL without user, password, query and fragment: all the places where cameras carry a secret.

    Everything up to the last @ is taken for user and password, since people do not escape the "/",
    "?" and "@" in theirs; without a scheme, that is so where a colon stands before an @. Other texts are given back
    as they are.

    >>> without_secrets("rtsp://admin:p@ss/w0rd@camera.lan:554/live?token=abc")
    'rtsp://***@camera.lan:554/live?***'
    """
    match = _SCHEME.match(address)
    if not match:
        known, _, rest = address.rpartition("@")
        if ":" not in known:
            return address
        return f"***@{re.split(r'[?#]', rest, maxsplit=1)[0]}"  # the scheme was forgotten
    rest = address[match.end() :]
    _, at, rest = rest.rpartition("@")
    bare = re.split(r"[?#]", rest, maxsplit=1)[0]
    return f"{match.group(1)}://{'***@' if at else ''}{bare}{'?***' if bare != rest else ''}"
