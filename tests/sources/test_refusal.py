"""Why a stream cannot be opened: small servers that refuse."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from blazeface.errors import BlazeFaceError
from blazeface.sources.inputs import find_input
from blazeface.sources.opening import open_source
from blazeface.sources.refusal import refusal

Server = Callable[[bytes], str]


@pytest.fixture
def server() -> Iterator[Server]:
    """server(status line): the "host:port" of one that answers every request with it."""
    sockets: list[socket.socket] = []

    def start(answer: bytes) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        sockets.append(listening)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    assert b"secret" not in connection.recv(2000)
                    connection.sendall(
                        answer
                        + b'\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm="camera"\r\nContent-Length: 0\r\n\r\n'
                    )

        threading.Thread(target=serve, daemon=True).start()
        return f"127.0.0.1:{listening.getsockname()[1]}"

    yield start
    for listening in sockets:
        listening.close()


@pytest.mark.parametrize(
    ("scheme", "user", "status", "said"),
    [
        ("rtsp", "admin:secret@", b"RTSP/1.0 401 Unauthorized", "the user or the password is wrong"),
        ("rtsp", "admin:secr@et/x@", b"RTSP/1.0 401 Unauthorized", "the user or the password is wrong"),
        ("rtsp", "", b"RTSP/1.0 401 Unauthorized", "it asks for a user and a password"),
        ("http", "admin:secret@", b"HTTP/1.1 403 Forbidden", "the user or the password is wrong"),
        ("http", "", b"HTTP/1.1 404 Not Found", "there is no such stream on that server"),
        ("rtsp", "", b"RTSP/1.0 200 OK", None),
        ("http", "", b"nonsense", None),
    ],
)
def test_what_a_server_says(server: Server, scheme: str, user: str, status: bytes, said: str | None) -> None:
    assert refusal(f"{scheme}://{user}{server(status)}/live?x=1", 5.0) == said


def test_nobody_there_and_other_protocols() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert refusal(f"rtsp://127.0.0.1:{port}/live", 1.0) is None
    assert refusal("udp://127.0.0.1:9", 1.0) is None


def test_a_wrong_password_is_told_and_not_shown(server: Server) -> None:
    address = f"http://admin:wrong@{server(b'HTTP/1.1 401 Unauthorized')}/live"
    with (
        pytest.raises(BlazeFaceError, match="cannot be opened: the user or the password is wrong") as caught,
        open_source(find_input(address), 10.0, lambda: False) as source,
    ):
        next(source.frames())
    assert "admin" not in str(caught.value)
