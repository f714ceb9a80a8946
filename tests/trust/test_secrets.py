"""No password of an address gets out: every form of address, servers that refuse and servers that answer, from outside."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

SECRET = "s3cretW0rd"
FORMS = [
    f"rtsp://admin:{SECRET}@{{}}/live",
    f"rtsp://admin:p@ss/{SECRET}?#@{{}}/live",
    f"rtsp://{{}}/live?user=admin&password={SECRET}",
    f"rtsp://{{}}/user=admin&password={SECRET}&channel=1.sdp",
    f"rtsp://{{}}/user=admin_password={SECRET}_channel=1_stream=0.sdp",
    f"rtsp://{{}}/{SECRET}5gHx81Qa",
    f"http://admin:{SECRET}@{{}}/video",
    f"http://{{}}/video;token={SECRET}",
    f"HTTP://{{}}/video#{SECRET}",
    f"rtmp://{{}}/app/{SECRET}",
    f"tcp://{SECRET}@{{}}",
    f"admin:{SECRET}@{{}}/live",
    f"{{}}/live?password={SECRET}",
    f"//admin:{SECRET}@{{}}/live",
    f"rtsp//admin:{SECRET}@{{}}/live",
    f"rtsp:\\\\admin:{SECRET}@{{}}/live",
    f"'rtsp://admin:{SECRET}@{{}}/live'",
    f"“rtsp://admin:{SECRET}@{{}}/live”",
    f"-i rtsp://admin:{SECRET}@{{}}/live",
    f"ffmpeg:rtsp://admin:{SECRET}@{{}}/live",
    f"subfile,,start,0,end,9,,:http://admin:{SECRET}@{{}}/live",
    f"rtsp://admin:two words {SECRET}@{{}}/live",
]
NOWHERE = "127.0.0.1:9"

Answer = Callable[[str], str]


@pytest.fixture
def server() -> Iterator[Callable[[Answer], str]]:
    """server(answer): the "host:port" of one that answers each request's text with answer(request)."""
    listening: list[socket.socket] = []

    def start(answer: Answer) -> str:
        opened = socket.create_server(("127.0.0.1", 0))
        listening.append(opened)

        def talk(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                while request := connection.recv(8000).decode("latin-1"):
                    connection.sendall(answer(request).encode("latin-1"))

        def serve() -> None:
            while True:
                try:
                    connection, _ = opened.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        return f"127.0.0.1:{opened.getsockname()[1]}"

    yield start
    for one in listening:
        one.close()


def detect(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the command; its status, all that it printed and wrote, and the command lines of its children."""
    command = [sys.executable, "-m", "blazeface", "detect", *arguments]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "DISPLAY": ""}
    )
    children: set[str] = set()
    while True:
        children |= command_lines_below(process.pid)
        try:
            said = process.communicate(timeout=0.05)[0]
            break
        except subprocess.TimeoutExpired:
            continue
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    written = "".join(f"{path}{data.decode('latin-1')}" for path, data in files.items())
    return process.returncode, said.decode("utf-8", "replace") + written, "\n".join(sorted(children))


def command_lines_below(pid: int) -> set[str]:
    """The command lines of a process's descendants, as anyone on the machine reads them."""
    found: set[str] = set()
    try:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                found.add(Path(f"/proc/{child}/cmdline").read_text(errors="replace").replace("\0", " "))
                found |= command_lines_below(int(child))
    except OSError:
        pass
    return found


@pytest.mark.parametrize("form", FORMS)
def test_an_address_that_cannot_be_opened(tmp_path: Path, form: str) -> None:
    arguments = ["--video=" + form.format(NOWHERE), "--output", "o.mkv", "--json", "f.jsonl", "--timeout", "1"]
    status, told, children = detect(tmp_path, *arguments, "--no-window")
    assert status == 1
    assert re.search(r"cannot be opened|no such file|nothing answers", told), told
    assert SECRET not in told
    assert SECRET not in children


@pytest.mark.parametrize("flag", ["--vidoe", "--model", "--json=-/", "--timeout", "--covers", "--jobs"])
def test_an_address_behind_another_flag(tmp_path: Path, flag: str) -> None:
    address = f"rtsp://admin:two words {SECRET}@{NOWHERE}/live?key={SECRET}"
    status, told, _ = detect(tmp_path, f"{flag}={address}" if "=" not in flag else f"{flag}{address}", "x.jpg")
    assert status in (1, 2)
    assert told and SECRET not in told


def test_digest_of_rtsp(tmp_path: Path, server: Callable[[Answer], str]) -> None:
    """The password goes over the net as a digest alone, and a wrong one is told without it."""
    asked: list[str] = []

    def answer(request: str) -> str:
        asked.append(request)
        number = re.search(r"CSeq: *(\d+)", request)
        head = f"RTSP/1.0 {{}}\r\nCSeq: {number[1] if number else 1}\r\n"
        if request.startswith("OPTIONS"):
            return head.format("200 OK") + "Public: DESCRIBE\r\n\r\n"
        wanted = 'WWW-Authenticate: Digest realm="camera", nonce="abc"\r\n'
        return head.format("401 Unauthorized") + wanted + "Content-Length: 0\r\n\r\n"

    address = server(answer)
    status, told, children = detect(
        tmp_path,
        "--video",
        f"rtsp://admin:{SECRET}@{address}/live",
        "--timeout",
        "3",
        "--no-window",
        "--json",
        "-",
    )
    sent = "".join(asked)
    digest = hashlib.md5(f"admin:camera:{SECRET}".encode()).hexdigest()
    assert "Authorization: Digest" in sent and SECRET not in sent and digest not in sent
    assert status == 1
    assert f"rtsp://***@{address}/live: cannot be opened: the user or the password is wrong" in told
    assert SECRET not in told + children and digest not in told


def test_a_list_of_segments_with_tokens(tmp_path: Path, server: Callable[[Answer], str]) -> None:
    """FFmpeg names the addresses of HLS segments in its own complaints: they are not printed."""
    segments = "".join(f"#EXTINF:1,\nseg{n}.ts?token={SECRET}\n" for n in range(3))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{segments}#EXT-X-ENDLIST\n"

    def answer(request: str) -> str:
        if ".m3u8" in request.split("\n")[0]:
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-mpegURL\r\nContent-Length: {len(playlist)}\r\n\r\n"
            return head + playlist
        return "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"

    address = f"http://{server(answer)}/live.m3u8?token={SECRET}"
    status, told, _ = detect(tmp_path, "--video", address, "--timeout", "3", "--no-window", "--json", "-")
    assert status == 1
    assert "live.m3u8?***: cannot be opened" in told and SECRET not in told


def test_python_says_no_password(tmp_path: Path) -> None:
    import blazeface

    for form in (FORMS[0], FORMS[11], FORMS[16]):
        with pytest.raises(blazeface.BlazeFaceError) as caught:
            blazeface.detect(form.format(NOWHERE))
        assert SECRET not in str(caught.value)
