"""The same answers from run to run and from thread to thread, no growth, and nobody asked over the network."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from blazeface.cli.main import run_command
from blazeface.data.samples import load_split
from blazeface.detector import FaceDetector
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image
from blazeface.models.weights import save_weights
from blazeface.training.config import TrainConfig
from blazeface.training.distributed import Processes
from blazeface.training.faces import FaceTrainer
from blazeface.training.log import read_rows
from blazeface.training.loop import Machine
from reliability.camera import BadCamera, taken_at
from reliability.material import tiny_network
from reliability.mutate import mutant
from reliability.soak import open_files, wait_for_threads, watch
from reliability.targets import TARGETS

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "data" / "pictures"


@pytest.fixture(scope="module")
def images() -> list[Image]:
    """The portrait, cut and turned in sixteen ways."""
    portrait = read_picture(str(PICTURES / "astronaut.png"))
    cuts = [portrait[y : y + 400, x : x + 400] for y in (0, 20, 40, 60) for x in (0, 20)]
    return [np.ascontiguousarray(cut) for cut in (*cuts, *(cut[:, ::-1] for cut in cuts))]


@pytest.mark.parametrize("suffix", ["onnx", "safetensors"])
def test_eight_threads_get_the_answers_of_one(suffix: str, images: list[Image]) -> None:
    detector = FaceDetector(ROOT / "blazeface" / "weights" / f"front-128.{suffix}")
    images = images if suffix == "onnx" else images[::4]
    alone = [detector.detect(image).to_dict() for image in images]
    assert sum(map(len, alone)) >= len(images) - 4

    def all_of_them(start: int) -> list[object]:
        order = [(start + i) % len(images) for i in range(len(images))]
        found = {i: detector.detect(images[i]).to_dict() for i in order}
        return [found[i] for i in range(len(images))]

    with ThreadPoolExecutor(8) as pool:
        for together in pool.map(all_of_them, range(8)):
            assert together == alone


def test_detect_gives_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        flags = [
            "--json",
            str(tmp_path / f"{name}.json"),
            "--output",
            f"{tmp_path / name}/",
            "--quiet",
            "--no-window",
        ]
        assert run_command("detect", [str(PICTURES / "astronaut.png"), str(PICTURES), *flags]) == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    copies = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert copies
    for copy in copies:
        assert (tmp_path / "a" / copy).read_bytes() == (tmp_path / "b" / copy).read_bytes()


def test_the_same_seed_gives_the_same_losses(tiny_data: Path, tmp_path: Path) -> None:
    rows = []
    for name, processes in (("a", 0), ("b", 1)):
        config = TrainConfig(epochs=7, batch=8, warmup=2, seed=11)  # 21 steps
        machine = Machine(workers=processes, quiet=True, evaluate_every=100)
        (tmp_path / name).mkdir()
        trainer = FaceTrainer(tiny_network(5), config, machine, Processes())
        trainer.train(load_split(tiny_data, "train"), tmp_path / name, lambda network: {})
        losses = read_rows(tmp_path / name / "log.csv")
        rows.append([{k: v for k, v in row.items() if k != "images_per_second"} for row in losses])
    assert len(rows[0]) == 2
    assert rows[0] == rows[1]


def test_another_seed_gives_other_losses(tiny_data: Path, tmp_path: Path) -> None:
    losses = []
    for seed in (1, 2):
        trainer = FaceTrainer(
            tiny_network(5), TrainConfig(epochs=1, batch=8, seed=seed), Machine(workers=0, quiet=True), Processes()
        )
        (tmp_path / str(seed)).mkdir()
        trainer.train(load_split(tiny_data, "train"), tmp_path / str(seed), lambda network: {})
        losses.append(read_rows(tmp_path / str(seed) / "log.csv")[0]["loss"])
    assert losses[0] != losses[1]


def test_seconds_before_a_bad_camera_leave_nothing_behind(images: list[Image]) -> None:
    camera = BadCamera(images[0], rate=60.0, every=0.3, seed=3)
    camera.mishaps.update(dict.fromkeys(("stall",), 0))
    before = threading.active_count(), open_files()
    log = watch(camera, FaceDetector(), time.monotonic() + 2.5, reconnect=5.0)
    camera.stopping.set()
    wait_for_threads(before[0], 10)
    assert log.frames >= 5
    assert camera.opened >= 2
    assert sum(camera.mishaps.values()) >= 3
    assert (threading.active_count(), open_files()) == before


def test_the_simulated_camera_says_when_a_picture_was_taken(images: list[Image]) -> None:
    before = time.monotonic()
    image = BadCamera(images[0], 30.0, 1.0, 0).picture(0, 5)
    assert before <= taken_at(image) <= time.monotonic()
    assert image.shape == (480, 640, 3)


def test_mutants_are_the_same_again_and_differ_from_each_other() -> None:
    seeds = TARGETS["wider"].seeds()
    series = [mutant(seeds, True, 7, number) for number in range(200)]
    assert series == [mutant(seeds, True, 7, number) for number in range(200)]
    assert len(set(series)) > 150
    assert len(set(series) - set(seeds)) > 150


WITHOUT_NETWORK = """
import sys

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        raise SystemExit(f"asked for a host: {arguments[:2]}")
    if event in ("socket.connect", "socket.sendto", "socket.bind") and not isinstance(arguments[1], (str, bytes)):
        raise SystemExit(f"{event}: {arguments[1]}")  # a text is a socket within this machine, of the data loader

sys.addaudithook(watch)
import json
from blazeface.cli.main import run_command
for command, arguments in json.loads(sys.argv[1]):
    status = run_command(command, arguments, prog=command)
    if status:
        sys.exit(f"{command} ended with {status}")
print("done", "torch" in sys.modules)
"""


def run_without_network(commands: list[tuple[str, list[str]]]) -> None:
    program = [sys.executable, "-c", WITHOUT_NETWORK, json.dumps(commands)]
    run = subprocess.run(program, capture_output=True, text=True, cwd=ROOT, timeout=280)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1].startswith("done")


def test_detection_asks_nothing_of_the_network(tmp_path: Path) -> None:
    found = str(tmp_path / "x.json")
    run_without_network(
        [("detect", [str(PICTURES), "--json", found, "--output", f"{tmp_path}/out/", "--no-window"])]
    )
    assert json.loads(Path(found).read_text())


@pytest.mark.slow
def test_training_scoring_and_exporting_ask_nothing_of_the_network(tiny_data: Path, tmp_path: Path) -> None:
    save_weights(tiny_network(0), tmp_path / "x.safetensors")
    data, weights, picture = str(tiny_data), str(tmp_path / "x.safetensors"), str(PICTURES / "astronaut.png")
    recipe = ["--epochs", "1", "--batch", "8", "--warmup", "1", "--workers", "1", "--threads", "1", "--quiet"]
    run_without_network(
        [
            ("detect", [picture, "--json", str(tmp_path / "x.json"), "--quiet", "--no-window"]),
            ("train", ["--data", data, "--out", str(tmp_path / "run"), "--init", weights, *recipe]),
            ("export", ["--weights", weights, "--format", "tflite", "--out", str(tmp_path / "x.tflite"), "--pictures", picture]),
            ("evaluate", ["--data", data, "--model", str(tmp_path / "x.tflite"), "--resamples", "5", "--out", str(tmp_path / "e")]),
            ("evaluate", ["--data", data, "--model", str(tmp_path / "run" / "model.onnx"), "--resamples", "5"]),
        ],
    )  # fmt: skip
    assert (tmp_path / "run" / "report.json").exists()


def test_the_watch_over_the_network_sees_what_it_shall(tmp_path: Path) -> None:
    for attempt in ("socket.create_connection(('127.0.0.1', 9), 1)", "socket.getaddrinfo('localhost', 9)"):
        program = WITHOUT_NETWORK.replace("import json\n", f"import socket\n{attempt}\nimport json\n", 1)
        run = subprocess.run([sys.executable, "-c", program, "[]"], capture_output=True, text=True, timeout=60)
        assert run.returncode == 1
        assert "asked for a host" in run.stderr or "socket.connect" in run.stderr


def test_a_picture_is_not_touched_by_detection(images: list[Image]) -> None:
    detector = FaceDetector()
    for image in images[:4]:
        kept = image.copy()
        detector.detect(image)
        assert cv2.norm(image, kept) == 0
