"""`blazeface web` as a user starts it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from blazeface.cli.main import main


def listen_to_ctrl_c() -> None:
    """Tests that were started in the background are deaf to it, and so is what they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_it_serves_until_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "blazeface", "web", "--port", "0", "--model", "front-128"]
    process = subprocess.Popen(
        [*command, "--runtime", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listen_to_ctrl_c,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://localhost:\d+/", address)
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert b"<title>blazeface</title>" in answer.read()
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, out) == (0, "")
    lines = said.splitlines()
    assert lines[0].startswith("blazeface web: onnxruntime-web is missing: run `blazeface web --fetch-runtime`")
    assert lines[1:] == ["Ctrl-C ends it.", "Ended."]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--port", "70000"], "a port is a whole number from 0 to 65535, not 70000"),
        (["--port", "web"], "a port is a whole number from 0 to 65535, not web"),
        (["--key", "k.pem"], "--key goes with --certificate"),
    ],
)
def test_wrong_usage_is_status_2(flags: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(["web", *flags])
    except SystemExit as end:  # argparse's own
        status = int(str(end.code))
    assert status == 2
    assert re.search(words, capsys.readouterr().err)


def test_faults_are_one_sentence_and_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        flags = ["--host", "127.0.0.1", "--port", str(port), "--model", "front-128", "--runtime", str(tmp_path)]
        assert main(["web", *flags]) == 1
    assert f"port {port} is taken by another program" in capsys.readouterr().err
    for arguments, words in [
        (["--model", "nothing.onnx"], "nothing.onnx"),
        (
            ["--certificate", str(tmp_path / "no.pem"), "--model", "front-128"],
            "no certificate and key can be read",
        ),
    ]:
        assert main(["web", "--port", "0", "--runtime", str(tmp_path), *arguments]) == 1
        said = capsys.readouterr().err.splitlines()
        assert words in said[-1]
        assert "Traceback" not in "".join(said)


def test_plain_files_for_a_web_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["web", "--model", "front-128", "--runtime", str(tmp_path), "--out", str(tmp_path / "page")]
    assert main(flags) == 0
    count = sum(len(files) for _, _, files in os.walk(tmp_path / "page"))
    assert capsys.readouterr().out == f"{count} files written to {tmp_path / 'page'}\n"
    assert main(flags) == 1
    assert "it holds something already" in capsys.readouterr().err
