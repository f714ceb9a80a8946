"""Hundreds of silent or slow clients: bounded, and a good one is served all the same."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from blazeface.web.server import MAX_CONNECTIONS, PageServer
from blazeface.web.site import PIECE, Content

LARGE = 40 << 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    (tmp_path / "large.bin").write_bytes(b"x" * LARGE)
    site = {"index.html": Content(b"hello"), "large.bin": Content(tmp_path / "large.bin")}
    with PageServer(site, "127.0.0.1", 0) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def fetch(server: PageServer, address: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request("GET", address)
    body = connection.getresponse().read()
    connection.close()
    return body


def test_a_good_client_is_served_among_five_hundred_silent_ones(server: PageServer) -> None:
    before = threading.active_count()
    silent = []
    for number in range(500):
        client = socket.create_connection(("127.0.0.1", server.server_port), timeout=60)
        client.sendall(b"GET / HT" if number % 2 else b"")
        silent.append(client)
        if number % 100 == 99:
            assert fetch(server, "/") == b"hello"
    assert fetch(server, "/") == b"hello"
    assert len(server._connections) <= MAX_CONNECTIONS
    assert threading.active_count() - before <= 2 * MAX_CONNECTIONS
    for client in silent:
        client.close()


def test_a_large_file_comes_whole_and_in_pieces(server: PageServer) -> None:
    assert fetch(server, "/large.bin") == b"x" * LARGE
    content = server.site["large.bin"]
    assert max(map(len, content.pieces(LARGE))) == PIECE
    assert sum(map(len, content.pieces(LARGE - 5))) == LARGE - 5
