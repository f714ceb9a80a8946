"""The self-made certificate: one that a client who trusts the authority accepts, kept, and made anew when it must be."""

from __future__ import annotations

import datetime
import http.client
import ssl
import sys
import threading
from pathlib import Path

import pytest

from blazeface.errors import BlazeFaceError
from blazeface.web.certificate import RENEW_DAYS, given_context, host_names, tls_context
from blazeface.web.server import PageServer
from blazeface.web.site import Content

x509 = pytest.importorskip("cryptography.x509", reason="the web extra is not installed")

NAMES = ["127.0.0.1", "localhost"]


def fetch(server: PageServer, trust: Path, host: str = "127.0.0.1") -> bytes:
    context = ssl.create_default_context(cafile=str(trust))
    connection = http.client.HTTPSConnection(host, server.server_port, context=context, timeout=10)
    connection.request("GET", "/")
    data = connection.getresponse().read()
    connection.close()
    return data


def test_who_trusts_the_authority_reaches_the_page_and_others_do_not(tmp_path: Path) -> None:
    context, authority = tls_context(NAMES, tmp_path / "a")
    _, foreign = tls_context(NAMES, tmp_path / "b")
    with PageServer({"index.html": Content(b"safe")}, "127.0.0.1", 0, context) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert fetch(server, authority) == b"safe"
        with pytest.raises(ssl.SSLCertVerificationError):
            fetch(server, foreign)
        # A client that speaks no TLS gets nothing, and holds nobody up.
        plain = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        with pytest.raises((http.client.HTTPException, OSError)):
            plain.request("GET", "/")
            plain.getresponse()
        assert fetch(server, authority) == b"safe"
        server.shutdown()


def test_it_is_kept_and_its_key_is_the_owner_s_alone(tmp_path: Path) -> None:
    _, authority = tls_context(NAMES, tmp_path)
    first = (tmp_path / "server.pem").read_bytes(), authority.read_bytes()
    tls_context(["localhost"], tmp_path)  # fewer names: still good
    assert ((tmp_path / "server.pem").read_bytes(), authority.read_bytes()) == first
    if sys.platform != "win32":
        assert (tmp_path / "server.pem").stat().st_mode & 0o077 == 0
    assert b"PRIVATE KEY" not in authority.read_bytes()  # what a phone gets signs nothing


@pytest.mark.parametrize("fault", ["other names", "cut short", "of another authority", "about to end"])
def test_one_that_does_not_fit_is_made_anew(tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "about to end":
        monkeypatch.setattr("blazeface.web.certificate.DAYS", RENEW_DAYS - 1)
    _, authority = tls_context(NAMES, tmp_path)
    monkeypatch.undo()
    server = tmp_path / "server.pem"
    names = NAMES
    if fault == "other names":
        names = [*NAMES, "192.0.2.9"]
    elif fault == "cut short":
        server.write_bytes(server.read_bytes()[:-100])
    elif fault == "of another authority":
        authority.write_bytes(tls_context(NAMES, tmp_path / "b")[1].read_bytes())
    before = server.read_bytes()
    tls_context(names, tmp_path)
    assert server.read_bytes() != before
    made = x509.load_pem_x509_certificate(server.read_bytes())
    made.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.read_bytes()))
    alternative = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    found = [str(name.value) for name in alternative]
    assert found == names
    left = made.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    assert 300 < left.days < 398  # browsers refuse longer ones


def test_names_are_those_by_which_the_server_can_be_called() -> None:
    assert {"localhost", "127.0.0.1", "10.1.2.3"} <= set(host_names("10.1.2.3"))
    assert "0.0.0.0" not in host_names("0.0.0.0")


def test_faults_are_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BlazeFaceError, match="file: the certificate cannot be kept there"):
        tls_context(NAMES, tmp_path / "file")
    with pytest.raises(BlazeFaceError, match="file: no certificate and key can be read from it"):
        given_context(tmp_path / "file", None)
    with pytest.raises(BlazeFaceError, match="no certificate and key can be read"):
        given_context(tmp_path / "missing.pem", None)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(BlazeFaceError, match=r"pip install -e '\.\[web\]'"):
        tls_context(NAMES, tmp_path)


def test_a_certificate_of_one_s_own(tmp_path: Path) -> None:
    _, authority = tls_context(NAMES, tmp_path)
    context = given_context(tmp_path / "server.pem", None)
    with PageServer({"index.html": Content(b"own")}, "127.0.0.1", 0, context) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert fetch(server, authority) == b"own"
        server.shutdown()
