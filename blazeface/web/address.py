"""The address by which a phone opens the page, as words and as a QR code."""

from __future__ import annotations

import io
import json
from types import ModuleType

from blazeface.web.site import Content, Site

QR = "address.svg"


def add_address(site: Site, address: str) -> None:
    """Have the page offer `address`: in site.json, with whether the site has a certificate to install for it, and as a QR
    code at `QR` where segno is installed."""
    index = json.loads(site["site.json"].read())
    code = qr_code(address)
    if code is not None:
        site[QR] = Content(code)
    index |= {"address": address, "qr": QR if code else None, "authority": "authority.crt" in site}
    site["site.json"] = Content(json.dumps(index).encode())


def qr_code(address: str) -> bytes | None:
    """A QR code as an SVG file, dark on light whatever the colours around it; None without segno."""
    segno = _segno()
    if segno is None:
        return None
    file = io.BytesIO()
    segno.make_qr(address).save(file, kind="svg", scale=8, border=4, dark="#000", light="#fff", nl=False)
    return file.getvalue()


def qr_text(address: str) -> str | None:
    """A QR code of half blocks for a terminal; None without segno."""
    segno = _segno()
    if segno is None:
        return None
    file = io.StringIO()
    segno.make_qr(address).terminal(file, compact=True)
    return file.getvalue()


def _segno() -> ModuleType | None:
    try:
        import segno
    except ImportError:
        return None
    module: ModuleType = segno  # which carries no types
    return module
