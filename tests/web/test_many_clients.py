"""Hundreds of silent or slow clients: bounded, and a good one is served all the same."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from blazeface.web.server import MAX_CONNECTIONS, MAX_OF_CLIENT, PageServer
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


def fetch(server: PageServer, address: str, source: str = "127.0.0.1") -> bytes:
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.server_port, timeout=60, source_address=(source, 0)
    )
    connection.request("GET", address)
    body = connection.getresponse().read()
    connection.close()
    return body


def crowd(server: PageServer, count: int, source: str, words: bytes) -> list[socket.socket]:
    """Clients of one address that have sent so much, and stay."""
    clients = []
    for _ in range(count):
        client = socket.create_connection(
            ("127.0.0.1", server.server_port), timeout=60, source_address=(source, 0)
        )
        with suppress(OSError):
            client.sendall(words)
        clients.append(client)
    return clients


@pytest.mark.parametrize("addresses", [1, 250])
def test_a_good_client_is_served_among_five_hundred_silent_ones(server: PageServer, addresses: int) -> None:
    before = threading.active_count()
    silent = []
    for number in range(0, 500, 2):
        source = f"127.0.1.{1 + number // 2 % addresses}"
        silent += crowd(server, 1, source, b"") + crowd(server, 1, source, b"GET / HT")
        if number % 100 == 98:
            assert fetch(server, "/") == b"hello"
    assert fetch(server, "/", "127.0.1.1") == b"hello"  # from the very address of silent ones too
    assert len(server._connections) <= (MAX_OF_CLIENT if addresses == 1 else MAX_CONNECTIONS) + 1
    assert threading.active_count() - before <= 2 * MAX_CONNECTIONS
    for client in silent:
        client.close()


def test_a_crowd_does_not_push_out_who_is_being_served(server: PageServer) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=60) as good:
        good.sendall(b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = good.makefile("rb")
        length = len(answer.read(PIECE))
        crowds = [
            crowd(server, 40, f"127.0.2.{n}", b"") for n in range(1, 6)
        ]  # 200, none of them with more than 16
        while piece := answer.read(1 << 20):
            length += len(piece)
        assert length > LARGE
    for client in (client for clients in crowds for client in clients):
        client.close()


PROGRAM = """
import sys
from blazeface.web.server import PageServer
from blazeface.web.site import Content
with PageServer({"index.html": Content(b"hello")}, "127.0.0.1", 0) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    "words", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 30_000], ids=["silent", "long"]
)
def test_five_hundred_clients_take_less_than_a_hundred_megabytes(words: bytes) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            server = SimpleNamespace(server_port=int(process.stdout.readline()))
            fetch(server, "/")  # type: ignore[arg-type]
            before = resident(process.pid)
            clients = crowd(server, 250, "127.0.1.1", words)  # type: ignore[arg-type]
            for n in range(250):
                clients += crowd(server, 1, f"127.0.2.{1 + n}", words)  # type: ignore[arg-type]
            assert fetch(server, "/") == b"hello"  # type: ignore[arg-type]
            assert resident(process.pid) - before < 100 << 20
            for client in clients:
                client.close()
        finally:
            process.kill()


def resident(process: int) -> int:
    """Bytes of a process in memory."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS"))


def test_a_large_file_comes_whole_and_in_pieces(server: PageServer) -> None:
    assert fetch(server, "/large.bin") == b"x" * LARGE
    content = server.site["large.bin"]
    assert max(map(len, content.pieces(LARGE))) == PIECE
    assert sum(map(len, content.pieces(LARGE - 5))) == LARGE - 5
