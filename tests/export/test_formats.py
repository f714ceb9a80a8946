"""What can be asked of which format, and what is said where it cannot."""

from __future__ import annotations

import sys

import pytest

from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import FORMATS, Format, Options, check_options, load_format


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("coreml", Options("int8"), "--precision int8 is not written as coreml, only float32, float16"),
        ("tflite", Options(batch=None), "--batch dynamic: a tflite file has a fixed batch: name a number"),
        ("ncnn", Options(batch=4), "--batch 4: a ncnn file takes one picture at a time"),
        ("ncnn", Options(decode=True), "--decode is not written as ncnn, only as onnx, tflite"),
        ("tflite", Options(decode=True, nms=True), "--nms is not written as tflite, only as onnx"),
        ("onnx", Options(nms=True), "--nms goes with --decode: suppression works on decoded boxes"),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_the_flag(name: str, options: Options, sentence: str) -> None:
    with pytest.raises(BlazeFaceError) as caught:
        check_options(name, options)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_what_can_be_passes(name: str) -> None:
    kind = FORMATS[name]
    for precision in kind.precisions:
        check_options(name, Options(precision))
    if kind.dynamic:
        check_options(name, Options(batch=None))


def test_a_missing_package_is_one_sentence_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "nowhere", Format(".no", "export,nowhere", None, "Nowhere"))
    monkeypatch.setitem(sys.modules, "blazeface.export.nowhere", None)
    with pytest.raises(BlazeFaceError, match=r"pip install -e '\.\[export,nowhere\]'") as caught:
        load_format("nowhere")
    assert "\n" not in str(caught.value)
