"""`import blazeface` is light, and every public name can be had from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import blazeface


def test_every_public_name_is_there_and_typed() -> None:
    for name in blazeface.__all__:
        assert getattr(blazeface, name) is not None
    assert set(blazeface._HOMES) | {"BlazeFaceError", "__version__"} == set(blazeface.__all__)
    assert set(blazeface.__all__) <= set(dir(blazeface))
    with pytest.raises(AttributeError, match="no attribute 'detektor'"):
        blazeface.detektor  # noqa: B018


def test_the_typed_imports_are_the_lazy_ones() -> None:
    """What a type checker sees and what is imported at run time stand in two lists: they must say the same."""
    source = Path(blazeface.__file__).read_text(encoding="utf-8")
    for name, home in blazeface._HOMES.items():
        assert f"    from blazeface.{home} import {name} as {name}\n" in source


def test_importing_it_loads_nothing_heavy() -> None:
    program = "import sys, blazeface; print(sorted({'cv2', 'numpy', 'onnxruntime', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"


def test_the_detector_loads_opencv_and_its_runtime_alone() -> None:
    program = (
        "import sys; from blazeface import FaceDetector, Tracker, cover_faces, aligned_crop\n"
        "print(sorted({'onnxruntime', 'torch', 'av', 'PIL', 'supervision'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"
