"""A small server for the page: it hands out what a Site lists, and nothing else."""

from __future__ import annotations

import errno
import io
import socket
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.version import __version__
from blazeface.web.certificate import host_names
from blazeface.web.request_head import HeadReader, HeadTooLarge, is_ours, same_origin
from blazeface.web.site import TYPES, Site

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob:; media-src blob:; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'"
)
"""The Content-Security-Policy: the browser itself sees to it that nothing is loaded from, or sent, elsewhere."""

HEADERS = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    # Together these isolate the page from others; only then do browsers give WebAssembly threads and fine clocks.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Keep, but ask each time whether it is still good: a new version is seen at once, an old one costs nothing.
    "Cache-Control": "no-cache",
}

MAX_CONNECTIONS, MAX_OF_CLIENT = 64, 16
"""Connections at once, of all clients and of one address. A browser takes six."""

PIECE_SECONDS = 30
"""A client that does not take a piece of an answer within so long is let go."""


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version = f"blazeface/{__version__}"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self._reader = HeadReader(self.connection)
        self.rfile = io.BufferedReader(self._reader)

    def handle_one_request(self) -> None:
        self._reader.begin()
        try:
            super().handle_one_request()
        except HeadTooLarge:
            self.requestline, self.request_version, self.command = "", self.protocol_version, "GET"
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _refuse(self) -> bool:
        """Whether the request is none of a page of ours, and was answered so."""
        host = self.headers.get("Host")
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.send_error(HTTPStatus.BAD_REQUEST, "Nothing can be sent here")
        elif not is_ours(host, self.server.names):
            explain = f"blazeface web is not known by the name {host}; if it shall be, start it with --name"
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, explain=explain)
        elif not same_origin(self.headers.get("Origin"), host or ""):
            self.send_error(HTTPStatus.FORBIDDEN, "Pages from elsewhere are given nothing")
        else:
            return False
        return True

    def _answer(self, with_body: bool) -> None:
        self.connection.settimeout(PIECE_SECONDS)
        if self._refuse():
            return None
        address = unquote(urlsplit(self.path).path).removeprefix("/") or "index.html"
        content = self.server.site.get(address)
        if content is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        try:
            tag, size = content.tag_and_size()
        except OSError as error:
            print(f"blazeface web: {content.source!s} cannot be read: {error}", file=sys.stderr)
            return self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
        if tag in self.headers.get("If-None-Match", ""):
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.send_header("ETag", tag)
            return self.end_headers()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", TYPES.get(PurePosixPath(address).suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(size))
        self.send_header("ETag", tag)
        self.end_headers()
        if with_body:
            for piece in content.pieces(size):  # piece by piece: a slow reader costs no memory
                self.wfile.write(piece)
        return None

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Who looks at the page is nobody's business; what goes wrong shows in the browser."""


class PageServer(ThreadingHTTPServer):
    """Serves a site at host and port (0: one that is free), over TLS when given a context.

    names: by which the server is called beside its own (`certificate.host_names`); requests for others are refused.
    Raises BlazeFaceError when it cannot listen there.
    """

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = sys.platform != "win32"  # there it would let two servers share a port

    def __init__(
        self, site: Site, host: str, port: int, tls: ssl.SSLContext | None = None, names: Iterable[str] = ()
    ):
        self.site = site
        self.address_family = address_family(host, port)
        self.names = frozenset(name.lower() for name in (*host_names(host), *names))
        self._tls = tls
        self._connections: dict[socket.socket, str] = {}
        self._changing = threading.Lock()
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise BlazeFaceError(_why_not(host, port, error)) from error

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks the network for the host's full name; that can take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(self.allow_reuse_address))
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, client = self.socket.accept()
        if self._tls is not None:
            # The handshake comes with the first read, in the connection's own thread: here, a caller that
            # says nothing would hold up everybody else.
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, client

    def process_request(self, request: Any, client_address: Any) -> None:
        """Beyond MAX_OF_CLIENT the oldest connection of the same client makes room, beyond MAX_CONNECTIONS that of the
        client with the most: silent ones keep nobody out for long, and no one client can push all others out."""
        client = str(client_address[0])
        with self._changing:
            count = Counter(self._connections.values())
            if count[client] >= MAX_OF_CLIENT:
                self._close_oldest(client)
            elif count.total() >= MAX_CONNECTIONS:
                self._close_oldest(count.most_common(1)[0][0])
            self._connections[request] = client
        super().process_request(request, client_address)

    def _close_oldest(self, client: str) -> None:
        oldest = next(request for request, whose in self._connections.items() if whose == client)
        del self._connections[oldest]
        with suppress(OSError):
            # The bare socket's: TLS's own would take the state away under the thread that reads, which ends by this.
            socket.socket.shutdown(oldest, socket.SHUT_RDWR)

    def close_request(self, request: Any) -> None:
        with self._changing:
            self._connections.pop(request, None)
        super().close_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that leaves, or distrusts our certificate, is no error of the server's."""
        error = sys.exception()
        if not isinstance(error, (OSError, ssl.SSLError)):
            print(f"blazeface web: a request failed: {error!r}", file=sys.stderr)


def address_family(host: str, port: int = 0) -> socket.AddressFamily:
    """Of the address that a name stands for. Raises BlazeFaceError for what is no name or address."""
    try:
        if not host:
            raise ValueError("it is empty")
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except (OSError, ValueError) as error:  # of names that are too long, or hold what no name can
        raise BlazeFaceError(f"--host '{printable(host)}' is not an address of this machine") from error


def _why_not(host: str, port: int, error: OSError) -> str:
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken by another program (or another `blazeface web`): choose one with --port, such as {port + 1}"
    if error.errno == errno.EACCES:
        return f"this user may not listen on port {port}: choose one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host '{printable(host)}' is not an address of this machine"
    return f"cannot listen on {where}: {error.strerror or error}"
