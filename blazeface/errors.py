"""The one exception that stands for the user's mistake."""

from __future__ import annotations


class BlazeFaceError(Exception):
    """Bad input: the message is one clear sentence that names the file or flag and the fault.

    The commands print it without a traceback and end with a non-zero status; code that uses the
    package as a library catches this one class.
    """
