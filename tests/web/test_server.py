"""The page's server: what it hands out, to whom, and what it says when it cannot."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from blazeface.errors import BlazeFaceError
from blazeface.web import request_head
from blazeface.web.request_head import MAX_HEAD, HeadReader, HeadTooLarge
from blazeface.web.server import HEADERS, POLICY, PageServer
from blazeface.web.site import PAGE, Content


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    (tmp_path / "gone.js").write_text("1")
    site = {
        "index.html": Content(b"<p>hello"),
        "a/b c.mjs": Content(b"export {}"),
        "gone.js": Content(tmp_path / "gone.js"),
        "x.wasm": Content(b"\0asm"),
    }
    (tmp_path / "gone.js").unlink()
    with PageServer(site, "127.0.0.1", 0) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def ask(server: PageServer, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), data


def test_what_is_listed_is_handed_out_with_its_type(server: PageServer) -> None:
    status, headers, data = ask(server, "/")
    assert (status, data) == (200, b"<p>hello")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert ask(server, "/index.html?from=home")[2] == b"<p>hello"
    assert ask(server, "/x.wasm")[1]["Content-Type"] == "application/wasm"
    status, headers, data = ask(server, "/a/b%20c.mjs")
    assert (status, data, headers["Content-Type"]) == (200, b"export {}", "text/javascript; charset=utf-8")


def test_every_answer_isolates_the_page_and_forbids_the_rest_of_the_network(server: PageServer) -> None:
    for path in ("/", "/nothing"):
        headers = ask(server, path)[1]
        assert {name: headers[name] for name in HEADERS} == HEADERS
    assert HEADERS["Cross-Origin-Opener-Policy"] == "same-origin"
    assert HEADERS["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert POLICY in (PAGE / "index.html").read_text("utf-8")  # so that a copy on a web host has it too


@pytest.mark.parametrize(
    "path", ["/nothing", "/../site.py", "/%2e%2e/site.py", "//etc/passwd", "/a", "/a/", "/%00"]
)
def test_nothing_else_is_handed_out(server: PageServer, path: str) -> None:
    assert ask(server, path)[0] == 404


def test_what_a_browser_has_already_is_not_sent_again(server: PageServer) -> None:
    tag = ask(server, "/")[1]["ETag"]
    status, headers, data = ask(server, "/", If_None_Match=tag)
    assert (status, data, headers["ETag"]) == (304, b"", tag)
    assert ask(server, "/", If_None_Match='"other"')[0] == 200


def test_head_has_no_body_and_nothing_can_be_sent(server: PageServer) -> None:
    status, headers, data = ask(server, "/", "HEAD")
    assert (status, headers["Content-Length"], data) == (200, "8", b"")
    assert ask(server, "/", "POST")[0] == 501


def test_a_file_that_has_gone_is_said_to_whoever_serves(
    server: PageServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(server, "/gone.js")[0] == 500
    assert "gone.js cannot be read" in capsys.readouterr().err


def raw(server: PageServer, request: bytes) -> bytes:
    """All that the server answers to these bytes."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as client:
        client.sendall(request)
        return client.makefile("rb").read()


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "192.168.7.7:8443", "[::1]:8000", socket.gethostname()]
)
def test_its_own_names_and_addresses_are_answered(server: PageServer, host: str) -> None:
    assert ask(server, "/", Host=host)[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:8000", "", "a@127.0.0.1.example", "[::1"]
)
def test_a_page_under_a_stranger_s_name_is_given_nothing(server: PageServer, host: str) -> None:
    status, _, data = ask(server, "/", Host=host)
    assert (status, b"hello" in data) == (421, False)
    assert b"start it with --name" in data


def test_a_request_without_a_host_is_refused(server: PageServer) -> None:
    assert raw(server, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 421 ")


def test_a_further_name_is_one_of_its_own() -> None:
    with PageServer({"index.html": Content(b"hello")}, "127.0.0.1", 0, names=["Faces.Example"]) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert ask(server, "/", Host="faces.example:80")[0] == 200
        assert ask(server, "/", Host="other.example")[0] == 421
        server.shutdown()


def test_pages_from_elsewhere_are_given_nothing(server: PageServer) -> None:
    ours = f"localhost:{server.server_port}"
    assert ask(server, "/", Host=ours, Origin=f"http://{ours}")[0] == 200
    for origin in ("http://evil.example", "http://localhost:1", "null", "http://[", ""):
        status, _, data = ask(server, "/", Host=ours, Origin=origin)
        assert (status, b"hello" in data) == (403, False)


@pytest.mark.parametrize(
    "request_", [b"GET /" + b"a" * 70_000, b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 60_000, b"X: y\r\n" * 9_000]
)
def test_a_head_that_is_too_large_is_refused_as_soon_as_it_is(server: PageServer, request_: bytes) -> None:
    start = b"" if request_.startswith(b"GET") else b"GET / HTTP/1.1\r\n"
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as client:
        with suppress(OSError):  # it may have hung up before all was sent
            client.sendall(start + request_)
        answer = b""
        with suppress(ConnectionResetError):
            answer = client.makefile("rb").readline()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
    assert ask(server, "/")[0] == 200


def test_the_reader_of_heads_has_a_limit_and_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reader = HeadReader(ours)
        theirs.sendall(b"x" * (MAX_HEAD + 5))
        taken = b""
        with pytest.raises(HeadTooLarge):
            while piece := reader.read(4096):
                taken += piece
        assert taken == b"x" * MAX_HEAD
        monkeypatch.setattr(request_head, "WAIT_SECONDS", 0.0)
        reader.begin()
        with pytest.raises(TimeoutError):
            reader.read(1)


def test_who_sends_a_byte_at_a_time_is_let_go(server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_head, "WAIT_SECONDS", 0.5)
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=0.02) as client:
        sent, ended = 0, False
        while not ended and sent < 5000:  # which takes a hundred seconds
            with suppress(TimeoutError):
                client.sendall(b"GET / HTTP/1.1\r\n"[sent : sent + 1] or b"x")
                sent += 1
                ended = client.recv(1) == b""
        assert ended


def test_nothing_can_be_sent_with_a_question_either(server: PageServer) -> None:
    answer = raw(server, b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1") == 1


def test_who_says_nothing_holds_nobody_up(server: PageServer) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port)) as silent:
        assert ask(server, "/")[0] == 200
        silent.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert b"400" in silent.makefile("rb").read()


def test_a_port_that_is_taken_is_said_with_the_next_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            BlazeFaceError, match=rf"port {port} is taken by another program .*: choose one .* {port + 1}"
        ):
            PageServer({}, "127.0.0.1", port)


@pytest.mark.parametrize(
    "host",
    ["192.0.2.77", "no-such-host.invalid", "", "a b", "http://localhost", "a" * 70, "x." * 200, "a\nb", "[::1]"],
)
def test_a_host_that_is_not_this_machine(host: str) -> None:
    with pytest.raises(BlazeFaceError, match="is not an address of this machine") as told:
        PageServer({}, host, 0)
    assert str(told.value).isprintable() and "\n" not in str(told.value)
