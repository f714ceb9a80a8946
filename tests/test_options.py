"""The options of a run: the same from flags and from Python, and frozen."""

import argparse
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from blazeface.cli.detect.flags import add_arguments, options_from
from blazeface.options import (
    BatchOptions,
    CoverOptions,
    DetectOptions,
    FollowOptions,
    LookOptions,
    ReadOptions,
    WriteOptions,
)


def options(*flags: str) -> DetectOptions:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return options_from(parser.parse_args(flags))


def test_without_flags_they_are_those_of_python() -> None:
    assert options() == DetectOptions()


def test_each_flag_has_its_place() -> None:
    made = options(
        *[
            "a.png",
            "b",
            "--video",
            "cam1",
            "--timeout",
            "2",
            "--reconnect",
            "0",
            "--model",
            "m.onnx",
            "--score-threshold",
            ".25",
            "--backend",
            "torch",
        ],
        *[
            "--threads",
            "3",
            "--refine",
            "r.onnx",
            "--roi",
            "--min-face",
            "12",
            "--track",
            "--no-smooth",
            "--blur",
            "solid",
            "--background-blur",
            "s.onnx",
        ],
        *[
            "--output",
            "o",
            "--json",
            "-",
            "--jsonl",
            "l.jsonl",
            "--csv",
            "c.csv",
            "--coco",
            "k.json",
            "--yolo",
            "y",
            "--crop",
            "p",
            "--no-sound",
            *("--sound", "aac"),
            "--overwrite",
            *("--cover-report", "r.json", "--covers", "c.json", "--delay", "1.5"),
        ],
        *["--no-window", "--quiet", "--jobs", "2", "--resume", "--engine", "ray"],
    )
    assert made == DetectOptions(
        ReadOptions(("a.png", "b"), "cam1", 2.0, 0.0),
        LookOptions("m.onnx", 0.25, "torch", 3, Path("r.onnx"), True, min_face=12.0),
        FollowOptions(True, False),
        CoverOptions("solid", 1.5, "r.json", Path("c.json"), Path("s.onnx")),
        WriteOptions("o", "-", "l.jsonl", "c.csv", "k.json", "y", "p", False, "aac", True, False, True),
        BatchOptions(2, True, "ray"),
    )
    assert made.read.texts == ["a.png", "b", "cam1"]
    arguments = {
        "model": "m.onnx",
        "score_threshold": 0.25,
        "backend": "torch",
        "threads": 3,
        "min_face": 12.0,
        "trust": False,
    }
    assert made.look.arguments == arguments


def test_nothing_changes_on_the_way() -> None:
    for part in fields(DetectOptions):
        value = getattr(DetectOptions(), part.name)
        with pytest.raises(FrozenInstanceError):
            setattr(value, fields(value)[0].name, None)
