"""Faults of the page and its server, with tests that need Node alone: the copy has no onnxruntime-web."""

from __future__ import annotations

from reliability.planted.fault import Fault, faults

PAGE = "blazeface/web/page/blazeface"

WEB: tuple[Fault, ...] = (
    *faults(
        "blazeface/web/server.py",
        ("web/test_server.py",),
        ("any name is answered to", "elif not is_ours(host, self.server.names):", "elif False:"),
        ("pages from elsewhere are answered", "elif not same_origin(", "elif False and not same_origin("),
        ("a further name is not known", "(*host_names(host), *names)", "(*host_names(host),)"),
        ("bodies are taken", 'if "Content-Length" in self.headers or', 'if "No-Length" in self.headers and'),
        (
            "one client may take all connections",
            "if count[client] >= MAX_OF_CLIENT:",
            "if False:",
            "web/test_many_clients.py",
        ),
        (
            "the oldest of all makes room, whoever has most",
            "self._close_oldest(count.most_common(1)[0][0])",
            "self._close_oldest(next(iter(self._connections.values())))",
            "web/test_many_clients.py",
        ),
        ("the page is told twice as large as it is", "str(size))", "str(2 * size))"),
    ),
    *faults(
        "blazeface/web/request_head.py",
        ("web/test_server.py",),
        ("heads may be of any size", "if self._left <= 0:", "if False:"),
        ("a head may take for ever", "seconds = self._deadline - time.monotonic()", "seconds = 60.0"),
        ("any address' name passes for an address", "return name in names or _is_address(name)", "return True"),
        ("addresses are refused", "return name in names or _is_address(name)", "return name in names"),
    ),
    *faults(
        f"{PAGE}/search.js",
        ("web/test_page_search.py",),
        (
            "views ignore what they are trusted for",
            "if (size < view.smallest || size > view.largest) return false;",
            "",
        ),
        ("halves of faces are taken at a seam", "return view.cuts.every(", "return true || view.cuts.every("),
        ("tiles do not overlap", "const overlap = Math.ceil(", "const overlap = 0 * Math.ceil("),
        ("the base takes all sizes", "smallest: (SEARCH.good * stride) / scales[0]", "smallest: 0"),
    ),
    *faults(
        f"{PAGE}/letterbox.js",
        ("web/test_modules.py",),
        ("a part begins at the picture's corner", "start: y * picture.width + x", "start: 0"),
        ("rectangles are scaled as squares", "rows === columns ? rows", "true ? rows"),
    ),
    *faults(
        f"{PAGE}/anchors.js",
        ("web/test_modules.py",),
        ("anchors of a rectangle are those of the square", "roundHalfEven(cells * side)", "cells"),
    ),
)
