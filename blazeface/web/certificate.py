"""A self-made certificate for https, which phones ask for before they give a page the camera.

Two are made: an authority, and the server's own, signed by it. The authority's key is thrown away as soon as it
has signed, so that a phone that trusts the authority trusts this one server and nothing that anybody could make
later. Written with the package `cryptography`, since Python itself can use certificates but not make them, and the
openssl program is missing on most Windows machines and differs between the others.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from blazeface.errors import BlazeFaceError, install_command

if TYPE_CHECKING:
    from cryptography import x509

DAYS = 365
"""Phones refuse certificates that are good for longer than about two years."""

RENEW_DAYS = 7
"""One that ends within so many days is made anew."""


def certificate_folder() -> Path:
    """Where certificates are kept, so that a phone need trust one only once."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "blazeface"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "blazeface"


def host_names(host: str) -> list[str]:
    """Names and addresses by which this machine may be called when the server listens on `host`."""
    name = socket.gethostname()
    names = {"localhost", "127.0.0.1", name, name if "." in name else f"{name}.local"}
    if host in ("0.0.0.0", "::", ""):
        names.update(lan_addresses())
    else:
        names.add(host)
    return sorted(names)


def lan_addresses() -> list[str]:
    """This machine's address in its network, or nothing where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: a datagram socket only looks up the way to an address (one reserved for examples).
            probe.connect(("192.0.2.1", 9))
            address = str(probe.getsockname()[0])
        except OSError:
            return []
    return [] if address.startswith("127.") else [address]


def tls_context(names: list[str], folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context for these names, and the authority's certificate for a phone to trust.

    Kept in `folder` as server.pem (certificate and key, readable by its owner alone) and authority.crt; made when
    missing, about to end, or for other names. Raises BlazeFaceError without `cryptography` or a writable folder.
    """
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise BlazeFaceError(
            f"--https makes a certificate with the package cryptography: {install_command('web')} ({error})"
        ) from error
    server, authority = folder / "server.pem", folder / "authority.crt"
    if not _good(server, authority, names):
        made = _make(names)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            authority.write_bytes(made[0])
            part = folder / ".server.pem.part"
            part.unlink(missing_ok=True)
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(made[1])
            part.replace(server)
        except OSError as error:
            raise BlazeFaceError(f"{folder}: the certificate cannot be kept there: {error}") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)
    return context, authority


def given_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """A TLS context from files of the user's own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An answer in place of the question that OpenSSL would ask at the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        raise BlazeFaceError(f"{certificate}: no certificate and key can be read from it: {error}") from error
    return context


def _good(server: Path, authority: Path, names: list[str]) -> bool:
    """Whether a kept certificate is for these names, signed by the kept authority, and not about to end."""
    from cryptography import x509

    try:
        ours = x509.load_pem_x509_certificate(server.read_bytes())
        ours.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.read_bytes()))
        kept = ours.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(server)
    except Exception:  # missing, cut short, foreign: each has its own class, and each is answered by a new one
        return False
    left = ours.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return set(kept) >= set(_general_names(names)) and left > datetime.timedelta(days=RENEW_DAYS)


def _make(names: list[str]) -> tuple[bytes, bytes]:
    """PEM texts: the authority's certificate; the server's certificate with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = datetime.datetime.now(datetime.UTC)
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    title = f"blazeface web on {socket.gethostname()}"[:64]
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "blazeface web")])

    def begin(
        name: x509.Name, key: ec.EllipticCurvePrivateKey, is_authority: bool, path_length: int | None
    ) -> x509.CertificateBuilder:
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))  # a phone's clock may be behind
            .not_valid_after(now + datetime.timedelta(days=DAYS))
            .add_extension(x509.BasicConstraints(is_authority, path_length), critical=True)
            .add_extension(identifier, critical=False)
            .add_extension(issued_by, critical=False)
        )

    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    authority = (
        begin(issuer, authority_key, True, 0)
        .add_extension(x509.KeyUsage(digital_signature=False, key_cert_sign=True, **usage), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    server = (
        begin(subject, server_key, False, None)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=False, **usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key_text = server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return authority.public_bytes(pem), server.public_bytes(pem) + authority.public_bytes(pem) + key_text


def _general_names(names: list[str]) -> list[x509.GeneralName]:
    from cryptography import x509

    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            with suppress(ValueError):  # a machine's own name may be none that a certificate can hold
                found.append(x509.DNSName(name.encode("idna").decode("ascii")))
    return found
