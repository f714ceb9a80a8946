"""Names fit for printing: no password, no control character, and not too many of them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

_SCHEME = re.compile(r"[\W_]*([A-Za-z][A-Za-z0-9+.\-]+):[/\\]+")
_USER = re.compile(r"[^/\\]{2,}:|//")
_KEYS = re.compile(
    r"[?&#/;](?:user\w*|login|pass\w*|pwd|psw|pw|\w*token|\w*key|auth\w*|secret|sid|session\w*|sig\w*)=",
    re.IGNORECASE,
)
_TOKEN = re.compile(r".*[=&;].*|(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9]{16,}|(?=.*\d)[A-Za-z0-9_\-~]{24,}", re.DOTALL)
"""A part of a path that is, or may be, a secret: cameras take user and password as options there, servers long tokens."""


def printable(name: str) -> str:
    """A file name for a sentence on the terminal: control characters and bytes that are no text are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def listed(names: Sequence[str], limit: int) -> str:
    """The first `limit` names for a sentence, and how many more there are.

    >>> listed(["a.jpg", "b.jpg", "c.jpg"], 2)
    'a.jpg, b.jpg and 1 more'
    """
    rest = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(printable(name) for name in names[:limit]) + rest


def shown(name: str) -> str:
    """What was typed as a name, for a sentence: what is not there and looks like an address is shown without its secrets."""
    try:
        there = os.path.lexists(name)
    except ValueError:  # a zero byte
        there = False
    return printable(name if there else without_secrets(name))


def without_secrets(address: str) -> str:
    """An address without user, password, query and fragment, and without what looks like a secret in its path: all the
    places where cameras and servers carry one.

    Everything up to the last @ is taken for user and password, since people do not escape the "/", "?" and "@" in theirs.
    Without a scheme, or with a damaged one, a text is an address where a colon or two slashes stand before an @, or where
    it sets an option such as password=. The last part of an RTMP path is the key of the stream. Other texts are given back
    as they are.

    >>> without_secrets("rtsp://admin:p@ss/w0rd@camera.lan:554/live?token=abc")
    'rtsp://***@camera.lan:554/live?***'
    """
    match = _SCHEME.match(address)
    known, at, rest = (address[match.end() :] if match else address).rpartition("@")
    if not match and not (at and _USER.search(known)) and not _KEYS.search(address):
        return address
    bare = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, *parts = bare.split("/")
    parts = ["***" if _TOKEN.fullmatch(part) else part for part in parts]
    if match and match[1].lower().startswith("rtmp") and len(parts) > 1:
        parts[-1] = "***"
    head = f"{match[1]}://" if match else ""
    return f"{head}{'***@' if at else ''}{'/'.join([host, *parts])}{'?***' if bare != rest else ''}"


def sentence_without_secrets(sentence: str) -> str:
    """A sentence that quotes what was typed, without the secrets of the addresses in it."""
    hidden = re.sub(r"([A-Za-z][A-Za-z0-9+.\-]+:/+).*@", r"\1***@", sentence)
    return re.sub(r"\S+", lambda word: without_secrets(word[0]), hidden)
