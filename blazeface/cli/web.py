"""`blazeface web`: hand out the page that finds faces in a browser, on this machine or on a phone."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from blazeface.web.address import add_address, qr_text
from blazeface.web.certificate import certificate_folder, given_context, host_names, lan_addresses, tls_context
from blazeface.web.runtime import VENDOR, fetch_runtime, how_to_get, missing_files
from blazeface.web.server import PageServer, address_family
from blazeface.web.site import Content, make_site, shipped, write_site

LOCAL = ("localhost", "127.0.0.1", "::1")
ANY = ("0.0.0.0", "::")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--port", type=_port, default=8000, metavar="N", help="default: 8000; 0: one that is free")
    add(
        "--host",
        default="localhost",
        metavar="ADDRESS",
        help="who can reach it: localhost for this machine alone (default), 0.0.0.0 for everybody in its network",
    )
    add(
        "--name",
        action="append",
        default=[],
        metavar="NAME",
        help="another name by which browsers reach it, such as that of a proxy; others than its own are refused",
    )
    add("--https", action="store_true", help="with a self-made certificate; phones give the camera to https only")
    add("--certificate", type=Path, metavar="FILE.pem", help="https with a certificate of your own")
    add("--key", type=Path, metavar="FILE.pem", help="its key, when it is not in the same file")
    add(
        "--model",
        action="append",
        metavar="MODEL",
        help="a shipped model or an .onnx file; may be given several times (default: all that are shipped)",
    )
    add("--runtime", type=Path, default=VENDOR, metavar="FOLDER", help="where onnxruntime-web lies")
    add("--fetch-runtime", action="store_true", help="bring onnxruntime-web there with npm, and end")
    add("--out", type=Path, metavar="FOLDER", help="write the page as plain files for a web host, and end")


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when the page was served until Ctrl-C, or written; 2 for flags that do not go together."""
    if args.key is not None and args.certificate is None:
        print("blazeface web: --key goes with --certificate", file=sys.stderr)
        return 2
    if args.fetch_runtime:
        fetched = fetch_runtime(args.runtime)
        print(f"onnxruntime-web {'lies now' if fetched else 'lay already'} in {args.runtime}")
        return 0
    address_family(args.host)  # before a certificate is made for it
    site = make_site(args.model or shipped(), args.runtime)
    if missing_files(args.runtime):
        print(f"blazeface web: onnxruntime-web is missing: {how_to_get(args.runtime)}", file=sys.stderr)
    if args.out is not None:
        print(f"{write_site(site, args.out)} files written to {args.out}")
        return 0
    tls = authority = None
    if args.certificate is not None:
        tls = given_context(args.certificate, args.key)
    elif args.https:
        tls, authority = tls_context([*host_names(args.host), *args.name], certificate_folder())
        site["authority.crt"] = Content(authority)
    with PageServer(site, args.host, args.port, tls, args.name) as server:
        scheme = "https" if tls is not None else "http"
        addresses = [f"{scheme}://{_in_url(name)}:{server.server_port}/" for name in _shown(args.host)]
        print("\n".join(addresses), flush=True)
        if args.host not in LOCAL:
            add_address(site, addresses[-1])
            if sys.stderr.isatty():
                print(qr_text(addresses[-1]) or "", end="", file=sys.stderr)
        if tls is None and args.host not in LOCAL:
            print("Phones give the camera to https only: add --https.", file=sys.stderr)
        if authority is not None:
            print(f"For a phone to trust it: {addresses[-1]}authority.crt (docs/web.md)", file=sys.stderr)
        print("Ctrl-C ends it.", file=sys.stderr, flush=True)
        _serve(server)
    return 0


def _serve(server: PageServer) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("Ended.", file=sys.stderr)
    finally:
        signal.signal(signal.SIGTERM, before)


def _shown(host: str) -> list[str]:
    """The names to print: where it listens, or for all addresses this machine's own ones."""
    return ["localhost", *lan_addresses()] if host in ANY else [host]


def _in_url(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a whole number from 0 to 65535, not {text}")
    return int(text)
