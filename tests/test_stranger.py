"""The first ten minutes of a stranger, in 25 steps: from a wheel and an empty environment to an exported model.

The steps are run in their order by `make stranger`; each is what somebody with the README and nothing else would do, with
`blazeface` as pip installed it and without the checkout on the path.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest
from screen import close_with_the_mouse, screen

from tools.release import left_out

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[1]
KEPT = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE")
"""What of this environment a stranger has too, beside pip's own settings."""


class Stranger:
    """Somebody with an empty environment, an empty home, and a folder to work in."""

    def __init__(self, folder: Path):
        self.home = folder / "home"
        self.home.mkdir()
        self.work = folder / "work"
        self.work.mkdir()
        self.scripts = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
        venv.create(folder / "env", with_pip=True)
        self.env = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith("PIP_")}
        self.env |= {"HOME": str(self.home), "OMP_NUM_THREADS": "1"}
        self.env["PATH"] = f"{self.scripts}{os.pathsep}{self.env['PATH']}"
        self.wheel = Path()

    def run(self, *command: object, status: int = 0, seconds: float = 200) -> subprocess.CompletedProcess[str]:
        words = [str(word) for word in command]
        result = subprocess.run(
            words,
            cwd=self.work,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )
        assert result.returncode == status, (words, result.stdout[-2000:], result.stderr[-2000:])
        assert "Traceback" not in result.stderr
        return result

    def python(self, code: str, status: int = 0) -> str:
        """What a program prints that begins with the README's first lines."""
        start = "import blazeface, cv2, numpy as np\nfaces = blazeface.detect('photo.jpg')\n"
        return self.run("python", "-c", start + code, status=status).stdout

    def pip(self, *what: str) -> None:
        locked = ("-c", str(ROOT / "constraints.txt")) if any("[" in word for word in what) else ()
        self.run("python", "-m", "pip", "install", "--quiet", *locked, *what, seconds=1700)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    who = Stranger(tmp_path_factory.mktemp("stranger"))
    shutil.copy(ROOT / "blazeface" / "benchmark" / "astronaut.jpg", who.work / "photo.jpg")
    subprocess.run([sys.executable, ROOT / "tools" / "make_pictures.py", who.work / "made"], check=True)
    return who


def test_step_01_a_wheel_is_built(stranger: Stranger, tmp_path: Path) -> None:
    shutil.copytree(ROOT, tmp_path / "source", ignore=left_out)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", "dist", "."]
    subprocess.run(command, cwd=tmp_path / "source", check=True, capture_output=True, timeout=300)
    (built,) = (tmp_path / "source" / "dist").glob("*.whl")
    stranger.wheel = stranger.home / built.name
    shutil.copy(built, stranger.wheel)


def test_step_02_it_installs_into_an_empty_environment(stranger: Stranger) -> None:
    stranger.pip(str(stranger.wheel))
    here = stranger.run("python", "-c", "import blazeface; print(blazeface.__file__)").stdout
    assert Path(here).is_relative_to(stranger.scripts.parent)


def test_step_03_the_command_tells_what_it_can_do(stranger: Stranger) -> None:
    assert "find faces in pictures" in stranger.run("blazeface", "--help").stdout
    assert stranger.run("blazeface", "detect", "--help").stdout.startswith(
        "examples:\n  blazeface detect photo.jpg"
    )


def test_step_04_the_doctor_names_what_is_there_and_what_is_not(stranger: Stranger) -> None:
    said = stranger.run("blazeface", "doctor").stdout
    assert "onnxruntime" in said and "front-128" in said
    assert "train        training and evaluation with plots: misses torch" in said
    assert not json.loads(stranger.run("blazeface", "doctor", "--json").stdout)["faults"]


def test_step_05_a_path_is_detected(stranger: Stranger) -> None:
    (line,) = stranger.run("blazeface", "detect", "photo.jpg").stdout.splitlines()
    (face,) = json.loads(line)["faces"]
    assert len(face["keypoints"]) == 6


def test_step_06_an_annotated_copy_is_written_once(stranger: Stranger) -> None:
    stranger.run("blazeface", "detect", "photo.jpg", "--output", "found.jpg")
    before = (stranger.work / "found.jpg").read_bytes()
    said = stranger.run("blazeface", "detect", "photo.jpg", "--output", "found.jpg", status=2).stderr
    assert "found.jpg: exists already" in said
    assert (stranger.work / "found.jpg").read_bytes() == before


def test_step_07_one_bad_file_in_a_folder_is_named(stranger: Stranger) -> None:
    (stranger.work / "made" / "torn.jpg").write_bytes((stranger.work / "photo.jpg").read_bytes()[:300])
    result = stranger.run("blazeface", "detect", "made", "--json", "all.jsonl", "--no-window", status=1)
    assert "torn.jpg" in result.stderr
    sources = {json.loads(line)["source"] for line in (stranger.work / "all.jsonl").read_text().splitlines()}
    assert {Path(name).name for name in sources} == {
        "crowd.jpg", "pan.avi", *(f"size-{size:02d}.jpg" for size in (5, 10, 20, 40, 60))
    }  # fmt: skip


def test_step_08_one_line_of_python(stranger: Stranger) -> None:
    assert stranger.python("print(len(faces), faces)").startswith("1 Detections(")


def test_step_09_faces_are_iterated_and_indexed(stranger: Stranger) -> None:
    code = "print([len(f.keypoints) for f in faces], faces[0].score > .5, len(faces[:0]), faces == faces[[0]])"
    assert stranger.python(code) == "[6] True 0 True\n"


def test_step_10_they_are_plotted(stranger: Stranger) -> None:
    code = "p = faces.plot('photo.jpg'); print(p.shape, p.dtype, bool((p != cv2.imread('photo.jpg')).any()))"
    assert stranger.python(code) == "(512, 512, 3) uint8 True\n"


def test_step_11_they_are_saved(stranger: Stranger) -> None:
    stranger.python("faces.save('plotted.png', 'photo.jpg'); faces.save('faces.json')")
    assert (stranger.work / "plotted.png").stat().st_size > 10_000
    assert "keypoints" in (stranger.work / "faces.json").read_text()


def test_step_12_they_are_cropped(stranger: Stranger) -> None:
    code = "(c,) = faces.crop('photo.jpg', margin=.2); print(80 < c.shape[0] < 200, 80 < c.shape[1] < 200)"
    assert stranger.python(code) == "True True\n"


def test_step_13_they_pickle_and_become_json(stranger: Stranger) -> None:
    code = (
        "import json, pickle\nprint(pickle.loads(pickle.dumps(faces)) == faces, json.dumps(faces.to_dict())[:9])\n"
        "print(len(pickle.loads(pickle.dumps(blazeface.FaceDetector())).detect('photo.jpg')))"
    )
    assert stranger.python(code) == 'True [{"box": \n1\n'


def test_step_14_a_batch_of_64_of_every_kind(stranger: Stranger) -> None:
    code = (
        "d = blazeface.FaceDetector(); one = cv2.imread('photo.jpg')\n"
        "batches = ['photo.jpg'] * 64, np.stack([one] * 64), (one for _ in range(64))\n"
        "print([(len(b), all(f == faces for f in b)) for b in map(d.detect_batch, batches)])\n"
        "print(d.detect(one[..., ::-1], rgb=True) == faces)"
    )
    assert stranger.python(code) == "[(64, True), (64, True), (64, True)]\nTrue\n"


def test_step_15_what_is_no_picture_gets_a_sentence(stranger: Stranger) -> None:
    code = (
        "d = blazeface.FaceDetector()\n"
        "for wrong in (None, [1, 2], np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), 'nowhere.jpg', 3):\n"
        "    try: d.detect(wrong)\n"
        "    except blazeface.BlazeFaceError as error: print(len(str(error).splitlines()))"
    )
    assert stranger.python(code) == "1\n" * 6


def test_step_16_a_video_where_there_is_no_display(stranger: Stranger) -> None:
    result = stranger.run(
        "blazeface", "detect", "--video", "made/pan.avi", "--output", "pan.mp4", "--json", "pan.json"
    )
    assert "no window: there is no display" in result.stderr
    assert len(json.loads((stranger.work / "pan.json").read_text())) == 60
    assert (stranger.work / "pan.mp4").stat().st_size > 10_000


def test_step_17_a_window_is_closed_with_the_mouse(stranger: Stranger) -> None:
    pictures = stranger.work / "still"
    pictures.mkdir()
    for n in range(400):
        (pictures / f"{n:04d}.jpg").symlink_to(stranger.work / "photo.jpg")
    command = ["blazeface", "detect", "--video", "still/%04d.jpg", "--json", "seen.jsonl", "--csv", "seen.csv"]
    with screen() as display:
        program = subprocess.Popen(
            command, cwd=stranger.work, env=stranger.env | {"DISPLAY": display}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        close_with_the_mouse(program, display, "still", patience=100)
        _, said = program.communicate()
    assert (program.returncode, "Traceback" in said) == (0, False), said
    lines = (stranger.work / "seen.jsonl").read_text().splitlines()
    assert 0 < len(lines) < 400
    assert len((stranger.work / "seen.csv").read_text().splitlines()) == 1 + len(lines)


def test_step_18_a_camera_that_is_not_there(stranger: Stranger) -> None:
    start = time.monotonic()
    result = stranger.run("blazeface", "detect", "--video", "cam77", "--json", "cam.jsonl", status=1)
    assert time.monotonic() - start < 60
    assert len(result.stderr.splitlines()) == 1 and "cam77" in result.stderr
    assert not (stranger.work / "cam.jsonl").exists() or not (stranger.work / "cam.jsonl").read_text()


def test_step_19_faces_are_hidden_and_nothing_hidden_is_said(stranger: Stranger) -> None:
    said = stranger.run("blazeface", "detect", "photo.jpg", "--blur", "solid", "--output", "hidden.png").stderr
    assert re.search(r"^[1-9]\d* (person|people) covered", said, re.MULTILINE)
    assert stranger.python("print(len(blazeface.detect('hidden.png')))") == "0\n"
    stranger.python("cv2.imwrite('grey.png', np.full((90, 120, 3), 99, np.uint8))")
    hide = ("blazeface", "detect", "grey.png", "--blur", "solid", "--output", "hidden-grey.png", "--quiet")
    assert "nothing is covered" in stranger.run(*hide).stderr


def test_step_20_sound_that_cannot_be_copied_is_said(stranger: Stranger) -> None:
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    make = [
        "ffmpeg",
        "-loglevel",
        "error",
        "-i",
        "made/pan.avi",
        "-f",
        "lavfi",
        "-i",
        "sine=300:duration=2",
        "loud.mp4",
    ]
    subprocess.run(make, cwd=stranger.work, check=True, timeout=100)
    result = stranger.run("blazeface", "detect", "loud.mp4", "--output", "still.mp4", "--no-window")
    (sentence,) = (line for line in result.stderr.splitlines() if "sound" in line)
    assert "PyAV" in sentence and "[video]" in sentence


def test_step_21_many_pictures_by_two_processes(stranger: Stranger) -> None:
    command = ("blazeface", "detect", "still", "made/crowd.jpg", "--jobs", "2", "--json", "many.json", "--quiet")
    stranger.run(*command)
    rows = json.loads((stranger.work / "many.json").read_text())
    assert [len(row["faces"]) for row in rows] == [1] * 400 + [4]


def test_step_22_speed_is_measured(stranger: Stranger) -> None:
    command = ("blazeface", "benchmark", "--threads", "1", "--rounds", "1", "--json", "speed.json")
    assert "front-128, onnxruntime" in stranger.run(*command).stdout
    assert json.loads((stranger.work / "speed.json").read_text())["missing"] == {}


def test_step_23_a_slip_and_a_missing_package_are_named(stranger: Stranger) -> None:
    assert (
        "did you mean --output?"
        in stranger.run("blazeface", "detect", "photo.jpg", "--outptu", "a.jpg", status=2).stderr
    )
    assert "did you mean doctor?" in stranger.run("blazeface", "docter", status=2).stderr
    said = stranger.run("blazeface", "train", "--data", "made", "--out", "run", status=1).stderr
    assert "pip install -e '.[train]'" in said


def test_step_24_a_shipped_model_is_exported(stranger: Stranger) -> None:
    stranger.pip(f"{stranger.wheel}[train,export,tflite]")
    assert "misses" not in stranger.run("blazeface", "doctor").stdout.split("\ntrain ")[1].splitlines()[0]
    for name, flags in (("mine.onnx", ["onnx"]), ("mine.tflite", ["tflite", "--precision", "float16"])):
        stranger.run(
            "blazeface", "export", "--weights", "front-128", "--out", name, "--format", *flags, seconds=600
        )
        stranger.run("blazeface", "detect", "photo.jpg", "--model", name, "--json", f"{name}.json", "--no-window")
        (row,) = json.loads((stranger.work / f"{name}.json").read_text())
        assert len(row["faces"]) == 1


def test_step_25_the_notebook_runs_from_picture_to_model(stranger: Stranger) -> None:
    stranger.pip("nbclient", "ipykernel")
    folder = stranger.work / "notebook"
    folder.mkdir()
    shutil.copy(ROOT / "docs" / "first_steps.ipynb", folder)
    shutil.copy(stranger.work / "photo.jpg", folder)
    run = "import nbformat, nbclient; n = nbformat.read('first_steps.ipynb', 4); nbclient.NotebookClient(n).execute()"
    stranger.env["JUPYTER_PLATFORM_DIRS"] = "1"
    result = subprocess.run(
        ["python", "-c", run], cwd=folder, env=stranger.env, capture_output=True, text=True, timeout=1500
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert (folder / "mine.tflite").stat().st_size > 100_000
