"""Why a stream cannot be opened, from the answer of its server: the video library gives no reason."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from urllib.parse import urlsplit

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


def refusal(address: str, timeout: float) -> str | None:
    """What a server says to a request for a stream without user and password; None where it says nothing of use.

    address: an rtsp, rtsps, http or https URL, with or without user and password. No secret is sent. A server that
    asks for a password, which the library was given before and failed, was given a wrong one.
    """
    parts = _split(address)
    if parts is None:
        return None
    scheme, named, host, port, path = parts
    url = f"{scheme}://{host}:{port}{path}"
    rtsp = scheme.startswith("rtsp")
    request = f"DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n" if rtsp else f"GET {path} HTTP/1.1\r\nHost: {host}\r\n"
    try:
        with socket.create_connection((host, port), timeout) as plain:
            connection = plain
            if scheme.endswith("s"):
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing secret goes over it
                connection = context.wrap_socket(plain, server_hostname=host)
            connection.settimeout(timeout)
            connection.sendall(f"{request}Connection: close\r\n\r\n".encode())
            words = connection.recv(200).split()
    except (OSError, ValueError):
        return None
    status = words[1] if len(words) > 1 and words[0].startswith((b"RTSP/", b"HTTP/")) else b""
    if status in (b"401", b"403"):
        return "the user or the password is wrong" if named else "it asks for a user and a password"
    return "there is no such stream on that server" if status == b"404" else None


def _split(address: str) -> tuple[str, bool, str, int, str] | None:
    """Scheme, whether a user is named, host, port, and path with query; up to the last @ is user and password."""
    scheme, _, rest = address.partition("://")
    scheme = scheme.lower()
    secret, at, rest = rest.rpartition("@")
    if scheme not in PORTS:
        return None
    with suppress(ValueError):
        parts = urlsplit(f"{scheme}://{rest}")
        if parts.hostname:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            return scheme, bool(at and secret), parts.hostname, parts.port or PORTS[scheme], path
    return None
