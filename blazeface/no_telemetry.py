"""Switches off usage reports and update checks of libraries, before anything imports them.

Imported by `blazeface/__init__.py` before all else, so it has run whichever part of the package is used: in worker
processes, Ray's actors and the page's server as well. Child processes inherit the environment.

onnxruntime 1.30 for Linux opens sockets to its maker and keeps a database of events, model names included, under the
user's cache; it reads the switch once, when it is imported, and `disable_telemetry_events()` comes too late. OpenVINO's
switch is in `backends.openvino_backend`, since it is no variable.
"""

from __future__ import annotations

import os
import sys
import warnings

SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime
    "NO_ALBUMENTATIONS_UPDATE": "1",  # albumentations looks for a newer version of itself at import
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray
}
"""Environment variables and the values that switch reporting off."""


def switch_off() -> None:
    """Set the environment variables of SWITCHES, replacing earlier values. Warns, once, where onnxruntime was imported without its switch."""
    if "onnxruntime" in sys.modules and os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
        warnings.warn(
            "onnxruntime was imported before blazeface and may send usage data to its maker; import blazeface first,"
            " or set ORT_DISABLE_TELEMETRY=1 before Python starts",
            RuntimeWarning,
            stacklevel=3,
        )
    os.environ.update(SWITCHES)


switch_off()
