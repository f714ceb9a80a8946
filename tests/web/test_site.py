"""What the page consists of, and its copy for a web host."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from blazeface.detector import WEIGHTS
from blazeface.errors import BlazeFaceError
from blazeface.spec import NAMED_SPECS
from blazeface.web.site import PAGE, TYPES, make_site, shipped, write_site

FRONT = WEIGHTS / "front-128.onnx"


def test_the_page_with_a_model_and_what_there_is_of_the_runtime(tmp_path: Path) -> None:
    (tmp_path / "ort.wasm.min.mjs").write_text("x")
    site = make_site(["front-128"], tmp_path)
    assert {"index.html", "worker.js", "manifest.webmanifest", "js/page.js", "icons/icon-192.png"} <= set(site)
    assert site["models/front-128.onnx"].read() == FRONT.read_bytes()
    index = json.loads(site["site.json"].read())
    assert index["models"] == ["front-128"]
    assert index["runtime_files"] == ["ort.wasm.min.mjs"]
    assert site["vendor/ort.wasm.min.mjs"].read() == b"x"
    assert {Path(address).suffix for address in site} <= set(TYPES)


def test_all_that_the_page_asks_for_is_there() -> None:
    site = make_site(["front-128"], PAGE)
    text = (PAGE / "index.html").read_text("utf-8")
    named = re.findall(r'(?:href|src)="([^"#:]+)"', text)
    named += [icon["src"] for icon in json.loads((PAGE / "manifest.webmanifest").read_text("utf-8"))["icons"]]
    for module in (*(PAGE / "js").iterdir(), *(PAGE / "blazeface").iterdir()):
        for name in re.findall(r'from "(\.[^"]+)"', module.read_text("utf-8")):
            named.append((module.parent / name).resolve().relative_to(PAGE).as_posix())
    assert len(named) > 15
    assert set(named) - set(site) == {"authority.crt"}  # which is there with a certificate of the server's own


def test_the_fastest_shipped_model_comes_first() -> None:
    assert shipped()[0] == "front-128"
    assert set(shipped()) <= set(NAMED_SPECS)


def test_models_that_cannot_be_served(tmp_path: Path) -> None:
    for path, words in [
        (tmp_path / "m.tflite", "the page runs .onnx files; the shipped models are front-128"),
        (tmp_path / "m.onnx", "m.onnx"),
        (tmp_path / "100%.onnx", "it cannot stand in an address"),
    ]:
        if "100" in path.name:
            shutil.copy(FRONT, path)
        with pytest.raises(BlazeFaceError, match=words):
            make_site([path], tmp_path)
    shutil.copy(FRONT, tmp_path / "front-128.onnx")
    with pytest.raises(BlazeFaceError, match="another model has that name"):
        make_site(["front-128", tmp_path / "front-128.onnx"], tmp_path)


def test_a_copy_for_a_web_host(tmp_path: Path) -> None:
    site = make_site(["front-128"], tmp_path)
    assert write_site(site, tmp_path / "out") == len(site)
    there = {
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    assert there == set(site)
    assert (tmp_path / "out" / "js" / "page.js").read_bytes() == (PAGE / "js" / "page.js").read_bytes()
    with pytest.raises(BlazeFaceError, match="out: it holds something already; name a new folder"):
        write_site(site, tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(BlazeFaceError, match="file: the page cannot be written"):
        write_site(site, tmp_path / "file")
