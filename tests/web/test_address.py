"""The page's address as a QR code: read back, and left out where nothing can make it."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from blazeface.web.address import QR, add_address, qr_code, qr_text
from blazeface.web.site import Content, Site

ADDRESS = "https://192.168.178.123:8000/"


def site() -> Site:
    return {"site.json": Content(b'{"models": ["front-128"]}')}


def test_the_page_is_told_its_address() -> None:
    pytest.importorskip("segno")
    given = site() | {"authority.crt": Content(b"x")}
    add_address(given, ADDRESS)
    index = json.loads(given["site.json"].read())
    assert index == {"models": ["front-128"], "address": ADDRESS, "qr": QR, "authority": True}
    assert given[QR].read().startswith(b"<?xml")
    assert given[QR].read() == qr_code(ADDRESS)


def test_a_terminal_s_code_can_be_read() -> None:
    pytest.importorskip("segno")
    cv2 = pytest.importorskip("cv2")
    text = qr_text(ADDRESS)
    assert text is not None
    rows = []
    for line in text.splitlines():
        letters = [letter for letter in line if letter in " \u2580\u2584\u2588"]
        rows.append([letter in "\u2580\u2588" for letter in letters])
        rows.append([letter in "\u2584\u2588" for letter in letters])
    light = np.array([row for row in rows if len(row) == len(rows[0])])
    image = np.kron(np.pad(light, 4, constant_values=True), np.ones((8, 8))).astype(np.uint8) * 255
    assert cv2.QRCodeDetector().detectAndDecode(image)[0] == ADDRESS


def test_without_segno_the_words_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segno", None)
    given = site()
    add_address(given, ADDRESS)
    assert set(given) == {"site.json"}
    index = json.loads(given["site.json"].read())
    assert (index["address"], index["qr"], index["authority"]) == (ADDRESS, None, False)
    assert qr_text(ADDRESS) is None
