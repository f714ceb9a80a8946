"""The steps of the Dockerfile, done as a script in an empty environment: no container engine is needed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
STEPS = [line.split(None, 1) for line in TEXT.splitlines() if line and not line.startswith("#")]
"""Each step: its word, and the rest."""

OF_THE_IMAGE = ("rm -rf /src", "useradd ")
"""Commands that have no meaning outside an image."""


def test_it_ends_as_a_user_without_rights_with_the_command_of_the_package() -> None:
    words = [word for word, _ in STEPS]
    assert words[0] == "FROM" and set(words) <= {"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT", "CMD"}
    (user,) = (rest for word, rest in STEPS if word == "USER")
    assert user not in ("root", "0") and re.search(rf"useradd .*\b{user}\b", TEXT)
    assert words.index("USER") > max(place for place, word in enumerate(words) if word == "RUN")
    (entry,) = (rest for word, rest in STEPS if word == "ENTRYPOINT")
    assert json.loads(entry) == ["blazeface"]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for word, rest in STEPS:
        if word == "COPY":
            for name in rest.split()[:-1]:
                assert (ROOT / name).exists(), name
                assert name not in ignored


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_steps_make_a_working_command(tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    venv.create(tmp_path / "env", with_pip=True)
    scripts = tmp_path / "env" / "bin"
    env = {
        name: value for name, value in os.environ.items() if name.startswith("PIP_") or name in ("HOME", "LANG")
    }
    env["PATH"] = f"{scripts}:{os.environ['PATH']}"
    for word, rest in STEPS:
        if word == "COPY":
            *names, target = rest.split()
            for name in names:
                if (ROOT / name).is_dir():
                    shutil.copytree(
                        ROOT / name, source / target, ignore=shutil.ignore_patterns("__pycache__", "vendor")
                    )
                else:
                    shutil.copy(ROOT / name, source)
        elif word == "RUN":
            for part in rest.split("&&"):
                if not part.strip().startswith(OF_THE_IMAGE):
                    subprocess.run(shlex.split(part), cwd=source, env=env, check=True, timeout=700)
    shutil.rmtree(source)
    installed = subprocess.run(
        ["python", "-m", "pip", "list"], env=env, capture_output=True, text=True
    ).stdout.split()
    assert "opencv-python-headless" in installed and "opencv-python" not in installed
    picture = ROOT / "data" / "pictures" / "astronaut.png"
    command = ["blazeface", "detect", str(picture), "--json", "-"]
    found = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100)
    assert found.returncode == 0, found.stderr
    assert len(json.loads(found.stdout)["faces"]) == 1
    doctor = subprocess.run(
        ["blazeface", "doctor", "--json"], env=env, capture_output=True, text=True, timeout=100
    )
    assert not json.loads(doctor.stdout)["faults"]
