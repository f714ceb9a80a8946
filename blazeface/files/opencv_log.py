"""OpenCV's log level, which moved to another name between its releases."""

from __future__ import annotations

from typing import Any

import cv2

SILENT = 0
"""The level at which OpenCV logs nothing (LOG_LEVEL_SILENT of its core/utils/logger.hpp)."""


def set_log_level(level: int) -> int:
    """Set OpenCV's log level for the whole process; the level before.

    The function moved: up to OpenCV 4.12 it is `cv2.setLogLevel`, from 4.13 on `cv2.utils.logging.setLogLevel`.
    """
    logging: Any = getattr(cv2.utils, "logging", None)
    change: Any = cv2.setLogLevel if logging is None else logging.setLogLevel  # type: ignore[attr-defined]
    return int(change(level))
