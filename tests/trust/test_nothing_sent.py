"""Nothing is sent, and nothing written but where the user said: proved from outside the process."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from outside_view import ROOT, blazeface, outside, read_notes, watched
from wider_material import write_data

from blazeface import no_telemetry

PICTURE = str(ROOT / "data" / "pictures" / "astronaut.png")
QUIET = ["--quiet", "--no-window"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from blazeface.models.weights import save_weights
    from reliability.material import tiny_network

    path = tmp_path_factory.mktemp("weights") / "x.safetensors"
    save_weights(tiny_network(0), path)
    return path


def assert_kept_to_itself(
    program: list[str], tmp_path: Path, cache: tuple[str, ...] = (), status: int = 0
) -> None:
    """The program opens no socket to the outside, and writes into tmp_path/out, the temporary folder, and those
    folders of the user's home that are named in `cache`, alone."""
    home, notes = tmp_path / "home", tmp_path / "notes"
    for folder in (notes, tmp_path / "out"):
        folder.mkdir(exist_ok=True)
    seen = watched(program, notes, home)
    assert seen.run.returncode == status, seen.run.stderr
    assert seen.sockets == []
    caches = [home / name for name in cache]
    allowed = [tmp_path / "out", home / "tmp", *caches]
    assert outside(seen.written - {folder.parent for folder in caches}, *allowed) == []


def test_detection_sends_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = ["--json", str(out / "x.json"), "--csv", str(out / "x.csv"), "--crop", str(out / "c"), "--refine"]
    assert_kept_to_itself(blazeface("detect", PICTURE, "--output", f"{out}/", *found, *QUIET), tmp_path)
    assert json.loads((out / "x.json").read_text())[0]["faces"]


def test_a_batch_sends_and_leaves_nothing_in_its_workers_either(tmp_path: Path) -> None:
    lines = str(tmp_path / "out" / "x.jsonl")
    assert_kept_to_itself(blazeface("detect", PICTURE, "--jobs", "2", "--jsonl", lines, *QUIET), tmp_path)
    assert Path(lines).read_text().count("\n") == 1


def test_a_long_session_sends_nothing(tmp_path: Path) -> None:
    """onnxruntime without its switch writes its database at once, and opens its sockets some seconds later."""
    program = (
        "import time, numpy\nfrom blazeface import FaceDetector\n"
        "FaceDetector().detect(numpy.zeros((99, 99, 3), numpy.uint8))\ntime.sleep(12)"
    )
    assert_kept_to_itself([sys.executable, "-c", program], tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_training_evaluation_and_export_send_nothing(weights: Path, tmp_path: Path) -> None:
    data, out = write_data(tmp_path / "data"), tmp_path / "out"
    recipe = ["--epochs", "1", "--batch", "8", "--warmup", "1", "--workers", "1", "--threads", "1", "--quiet"]
    cache = (".cache/blazeface", ".config/matplotlib", ".cache/matplotlib")
    for program in (
        blazeface("train", "--data", str(data), "--out", str(out / "run"), "--init", str(weights), *recipe),
        *(
            blazeface("export", "--weights", str(weights), "--format", kind, "--out", f"{out}/x.{kind}", "--pictures", PICTURE, *more)
            for kind, more in (("onnx", ["--decode", "--nms"]), ("tflite", []))
        ),
        blazeface("evaluate", "--data", str(data), "--model", f"{out}/x.tflite", "--resamples", "5", "--out", f"{out}/e"),
        blazeface("evaluate", "--data", str(data), "--model", f"{out}/run/model.onnx", "--resamples", "5"),
        blazeface("inspect", f"{out}/x.onnx"),
    ):  # fmt: skip
        assert_kept_to_itself(program, tmp_path, cache)


LIBRARIES = {
    "albumentations": "import blazeface.data.augment",
    "openvino": "import blazeface.backends.openvino_backend",
    "torch": "import blazeface, torch.utils.tensorboard as t\nw = t.SummaryWriter({out!r})\nw.add_scalar('a', 1, 1)\nw.close()",
    "onnxslim": "import blazeface, onnxslim, onnxscript",
    "ncnn": "import blazeface.backends.ncnn_backend",
    "ai_edge_litert": "import blazeface.backends.tflite_backend",
    "av": "import blazeface.sources.av_reader",
    "coremltools": "import blazeface, coremltools",
}
"""How each library that may be installed is used first; {out} is a folder to write to."""


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_no_library_asks_or_tells_anything(library: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    program = LIBRARIES[library].format(out=str(tmp_path / "out"))
    cache = (".config/matplotlib", ".cache/matplotlib")
    assert_kept_to_itself([sys.executable, "-c", f"{program}\nimport time\ntime.sleep(3)"], tmp_path, cache)


@pytest.mark.slow
def test_a_batch_on_ray_speaks_within_this_machine_alone(tmp_path: Path) -> None:
    """Ray's processes talk to each other over TCP, so sockets cannot be forbidden; here no other machine can be reached."""
    pytest.importorskip("ray")
    lines = str(tmp_path / "x.jsonl")
    program = blazeface("detect", PICTURE, "--jobs", "1", "--engine", "ray", "--jsonl", lines, *QUIET)
    run = subprocess.run(["unshare", "-rn", "true"], capture_output=True, timeout=60)
    if run.returncode:
        pytest.skip("no network namespace can be made here")
    up = 'ip link set lo up && exec "$@"'
    run = subprocess.run(
        ["unshare", "-rn", "sh", "-c", up, "sh", *program], cwd=ROOT, capture_output=True, timeout=250
    )
    assert run.returncode == 0, run.stderr
    assert Path(lines).read_text().count("\n") == 1


def test_the_view_from_outside_sees_a_socket_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    program = (
        "import socket, os\nsocket.socket(socket.AF_UNIX)\nsocket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n"
        "os.chdir(os.environ['HOME'])\nopen('a', 'w')\nos.mkdir('b')\nos.rename('a', 'b/c')\nopen('/etc/hosts')"
    )
    seen = watched([sys.executable, "-c", program], tmp_path / "notes", tmp_path / "home")
    assert seen.run.returncode == 0, seen.run.stderr
    assert ["AF_INET6" in line for line in seen.sockets] == [True]
    home = tmp_path / "home"
    assert seen.written == {home / "a", home / "b", home / "b" / "c"}
    assert outside(seen.written, home / "b") == [str(home / "a")]


def test_notes_of_strace_are_read() -> None:
    text = (
        "7 socket(AF_INET, SOCK_STREAM <unfinished ...>\n"
        '7 openat(AT_FDCWD, "x/../y", O_RDONLY|O_CLOEXEC) = 3</w/y>\n'
        "7 clone3({flags=0}, 88) = 8\n"
        '8 openat(5</base>, "d", O_WRONLY|O_CREAT, 0600) = 8</base/d>\n'
        '8 chdir("in") = 0\n'
        '8 openat(AT_FDCWD, "no", O_WRONLY|O_CREAT, 0600) = -1 EACCES (Permission denied)\n'
        '8 openat(AT_FDCWD</w/in>, "/dev/null", O_WRONLY) = 8</dev/null>\n'
        '8 mkdir("e(", 0700) = 0\n'
        '7 mkdir("f", 0700 <unfinished ...>\n'
        "8 socket(AF_UNIX, SOCK_STREAM <unfinished ...>\n"
        "8 <... socket resumed>)  = 3<socket:[1]>\n"
    )
    sockets, written = read_notes(text, Path("/w"))
    assert len(sockets) == 1
    assert written == {Path("/base/d"), Path("/w/in/e("), Path("/w/f")}


def test_the_switches_are_set_before_anything_else(tmp_path: Path) -> None:
    program = "import os, sys, blazeface; print({k: os.environ[k] for k in %r}, 'onnxruntime' in sys.modules)"
    names = list(no_telemetry.SWITCHES)
    run = subprocess.run(
        [sys.executable, "-c", program % names], capture_output=True, text=True, cwd=ROOT,
        env={"ORT_DISABLE_TELEMETRY": "0", "PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip
    assert run.stdout.strip() == f"{no_telemetry.SWITCHES} False", run.stderr


@pytest.mark.parametrize(("before", "warned"), [("", True), ("1", False)])
def test_who_imported_onnxruntime_first_is_told_once(before: str, warned: bool, tmp_path: Path) -> None:
    # A stand-in: the real one would do what it is here to be kept from.
    (tmp_path / "onnxruntime.py").touch()
    program = "import onnxruntime, blazeface, blazeface.detector, importlib; import blazeface"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT,
        env={"ORT_DISABLE_TELEMETRY": before, "PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": ""},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("RuntimeWarning: onnxruntime was imported before blazeface") == warned
    assert run.stderr.count("RuntimeWarning") == warned


def test_no_file_imports_onnxruntime_ahead_of_its_switch() -> None:
    """Within the package `blazeface/__init__.py` has always run before. Its first statement is the switch."""
    body = ast.parse((ROOT / "blazeface" / "__init__.py").read_text(encoding="utf-8")).body
    futures = [node for node in body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    first = next(node for node in body if node not in futures and not isinstance(node, ast.Expr))
    assert isinstance(first, ast.Import)
    assert first.names[0].name == "blazeface.no_telemetry"
    imports = ast.walk(ast.parse((ROOT / "blazeface" / "no_telemetry.py").read_text(encoding="utf-8")))
    names = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    assert names <= sys.stdlib_module_names
