"""docs/api.md: every public name, each with an example that runs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import blazeface

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    parts = re.split(r"^## (\S+)$", PAGE, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_public_name_has_a_section_with_an_example_of_it() -> None:
    assert set(sections()) == set(blazeface.__all__)
    for name, text in sections().items():
        example = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
        assert example, name
        assert name in example or name in ("Detections", "Face", "read_picture"), name


def test_the_examples_run(tmp_path: Path) -> None:
    """As one program, top to bottom, in a folder with nothing but a photograph."""
    cv2 = pytest.importorskip("cv2")
    picture = cv2.imread(str(ROOT / "data" / "pictures" / "astronaut.png"))
    cv2.imwrite(str(tmp_path / "photo.jpg"), picture)
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=200
    )
    assert result.returncode == 0, result.stderr
    assert "missing.jpg" in result.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"photo.jpg", "found.jpg", "found.json", "hidden.png"}


def test_the_examples_are_typed(tmp_path: Path) -> None:
    """mypy --strict, as in a user's project."""
    if not shutil.which("mypy", path=str(Path(sys.executable).parent)):
        pytest.skip("mypy is not installed")
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (tmp_path / "example.py").write_text(code, encoding="utf-8")
    (tmp_path / "readme.py").write_text("\n".join(re.findall(r"```python\n(.*?)```", readme, re.DOTALL)))
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent", "."]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={"MYPYPATH": str(ROOT)})
    assert result.returncode == 0, result.stdout + result.stderr
