"""The page's server: what it hands out, to whom, and what it says when it cannot."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from blazeface.errors import BlazeFaceError
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


@pytest.mark.parametrize("host", ["192.0.2.77", "no-such-host.invalid"])
def test_a_host_that_is_not_this_machine(host: str) -> None:
    with pytest.raises(BlazeFaceError, match=f"--host {host} is not an address of this machine"):
        PageServer({}, host, 0)
