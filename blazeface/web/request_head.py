"""The head of a request: read within bounds, and whether it is meant for this server."""

from __future__ import annotations

import io
import ipaddress
import socket
import time
from collections.abc import Set
from typing import Any
from urllib.parse import urlsplit

MAX_HEAD = 32 << 10
"""Bytes of a request line with its headers. A browser sends one or two thousand, and the cookies of whatever else is
served under the same name."""

WAIT_SECONDS = 15.0
"""From the last answer, or from the first sight of a client, to the end of its (next) request's head: silent clients and
those that send a byte at a time are let go by then."""


class HeadTooLarge(Exception):
    """A request has more than MAX_HEAD bytes of headers."""


class HeadReader(io.RawIOBase):
    """What a client sends, within MAX_HEAD bytes and WAIT_SECONDS of the last `begin`.

    Raises HeadTooLarge, or TimeoutError as a socket does.
    """

    def __init__(self, connection: socket.socket):
        self._connection = connection
        self.begin()

    def begin(self) -> None:
        """The next request may come now."""
        self._left = MAX_HEAD
        self._deadline = time.monotonic() + WAIT_SECONDS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._left <= 0:
            raise HeadTooLarge
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError(f"no whole request within {WAIT_SECONDS:g} s")
        self._connection.settimeout(seconds)
        read = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._left -= read
        return read


def is_ours(host: str | None, names: Set[str]) -> bool:
    """Whether a Host header names this server: by one of `names` (lower case), or by an address.

    A page of a stranger can have its own name resolve to this machine, and would be let in under it by the browser (DNS
    rebinding); it has no way to make the browser send another name or an address.
    """
    try:
        name = urlsplit(f"//{host or ''}").hostname or ""
    except ValueError:
        return False
    return name in names or _is_address(name)


def same_origin(origin: str | None, host: str) -> bool:
    """Whether an Origin header, where there is one, is that of a page from this very server, known as `host`."""
    try:
        return origin is None or urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
