"""`blazeface COMMAND ...` and `python -m blazeface COMMAND ...`: finds the command, reports its errors."""

from __future__ import annotations

import argparse
import difflib
import importlib
import io
import keyword
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from blazeface.cli.interrupt import second_signal_ends
from blazeface.cli.parser import CommandParser
from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable, sentence_without_secrets
from blazeface.sources import READER_THREAD_PREFIX
from blazeface.version import __version__

COMMANDS = {
    "detect": "find faces in pictures, videos, cameras and streams",
    "train": "train a detector on labelled pictures",
    "data": "look at labelled pictures before training, or unpack WIDER FACE",
    "evaluate": "score a model on labelled pictures",
    "benchmark": "measure how fast a model is, and where the time goes",
    "export": "turn trained weights into the files that phones run",
    "cost": "count parameters and multiply-accumulates of a network, layer by layer",
    "lighten": "make trained weights light, and see what that costs",
    "inspect": "tell what is inside a .onnx or .tflite file, and what of it a phone's GPU would not take",
    "refine": "train the second stage, which sharpens keypoints, and measure it",
    "segment": "train the small network that tells faces from background",
    "classify": "train a light classifier on folders of pictures, and export it",
    "web": "hand out the page that finds faces in a browser, on this machine or on a phone",
    "doctor": "tell what is installed here, and what to install for the rest",
    "import": "read Google's released .tflite weights, to evaluate, fine-tune and export them",
}
"""Each command is a module of this package with add_arguments(parser) and run(args) -> exit status; `import`, which
is a keyword, has an underscore behind it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Status 0: done; 1: something could not be done, said on stderr; 2: wrong usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments:
        _overview().print_help(sys.stderr)
        return 2
    if arguments[0] not in COMMANDS:
        near = difflib.get_close_matches(arguments[0], COMMANDS, n=1)
        if near and not arguments[0].startswith("-"):
            print(f"blazeface: no command {arguments[0]!r}: did you mean {near[0]}?", file=sys.stderr)
            return 2
        _overview().parse_args(arguments)  # --help and --version end here, an unknown command too
        _overview().print_help()
        return 2
    return run_command(arguments[0], arguments[1:], prog=f"blazeface {arguments[0]}")


def entry_point() -> NoReturn:
    """The installed command `blazeface`."""
    exit_process(main())


def exit_process(status: int) -> NoReturn:
    """End the process with a status.

    A live source that hangs inside its library has a thread that cannot be ended. Python's own end takes the
    interpreter from under it; should the library answer in that moment, the process aborts instead. So it ends at once.
    """
    if not any(thread.name.startswith(READER_THREAD_PREFIX) for thread in threading.enumerate()):
        sys.exit(status)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def run_command(name: str, argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Parse the flags of one command and run it. The user's mistakes end in one sentence, not in a traceback."""
    _replace_closed_streams()
    # Imported here: detecting must not load torch, nor training a video library.
    module = importlib.import_module(f"blazeface.cli.{name}{'_' * keyword.iskeyword(name)}")
    parser = CommandParser(name, prog, COMMANDS[name])
    module.add_arguments(parser)
    args = parser.parse_args(argv)
    try:
        with second_signal_ends():
            return int(module.run(args))
    except BlazeFaceError as error:
        print(f"{parser.prog}: {printable(sentence_without_secrets(str(error)))}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has ended (`blazeface detect ... | head`)
        _discard_output()
        return 1
    except OSError as error:  # what no room has put better: a full disk behind standard output, say
        _discard_output()
        print(f"{parser.prog}: {printable(sentence_without_secrets(str(error)))}", file=sys.stderr)
        return 1
    except MemoryError:
        print(f"{parser.prog}: there is not enough memory for this", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return 130


def _replace_closed_streams() -> None:
    """Streams that were closed by the caller swallow what is printed; names that are no text are printed escaped."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (open to the end)
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """What is still in the buffer goes nowhere, or Python would complain when it empties it at the end."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _overview() -> argparse.ArgumentParser:
    lines = "\n".join(f"  {name:10s}{text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="blazeface",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"Train, run and export tiny face detectors.\n\ncommands:\n{lines}",
        epilog="`blazeface COMMAND --help` tells more.",
    )
    parser.add_argument("--version", action="version", version=f"blazeface {__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of the above")
    return parser
