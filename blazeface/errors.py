"""The exception that stands for the user's mistake, and the sentence for what is not installed."""

from __future__ import annotations


class BlazeFaceError(Exception):
    """Bad input: the message is one clear sentence that names the file or flag and the fault.

    The commands print it without a traceback and end with a non-zero status; code that uses the
    package as a library catches this one class.
    """


class PictureError(BlazeFaceError, ValueError):
    """What was handed over as a picture is none: a wrong type, shape or dtype."""


def install_command(*extras: str) -> str:
    """What installs the packages of some extras, for the end of a sentence: "... needs PyTorch: run pip install ...".

    From the checkout, never by the project's bare name: a package index may know another project by it.

    >>> install_command("export", "tflite")
    "run pip install -e '.[export,tflite]' in the checkout of blazeface"
    """
    return f"run pip install -e '.[{','.join(extras)}]' in the checkout of blazeface"
