"""`blazeface doctor` tells what is here, and what to install for the rest."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from blazeface.cli import doctor
from blazeface.cli.main import main

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_extra_is_known() -> None:
    assert set(doctor.EXTRAS) | {"dev", "docs", "release"} >= set(PROJECT["optional-dependencies"])
    assert set(doctor.EXTRAS) <= set(PROJECT["optional-dependencies"])


def test_what_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "installed", lambda module: module != "openvino")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    main(["doctor"])
    shown = capsys.readouterr().out
    assert (
        "openvino     OpenVINO files: misses openvino: run pip install -e '.[openvino]' in the checkout" in shown
    )
    assert "web          the phone page over https, its address as a QR code: installed" in shown
    assert "models     back-256, front-128" in shown
    assert "cpu" in shown
    assert "onnxruntime, torch, tflite, ncnn\n" in shown
    main(["doctor", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["extras"]["openvino"]["missing"] == ["openvino"]
    assert told["backends"]["openvino"] is False


def test_two_opencvs_of_different_versions_are_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = {"opencv-python": "4.14.0.94", "opencv-python-headless": "5.0.0"}
    monkeypatch.setattr(doctor, "version", versions.get)
    assert main(["doctor"]) == 1
    assert "FAULT: opencv-python and opencv-python-headless of different versions" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "version", {}.get)
    assert main(["doctor"]) == 0
