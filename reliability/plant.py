"""Plant faults one by one and see whether the tests notice: python -m reliability.plant [--only WORDS] [--untried] [--list]

Each fault of reliability/planted/ is a change of one place in one file. It is made in a copy of the working tree, the tests
that should notice it are run there, and the file is put back. A fault under which they pass is a survivor: something
that the tests do not check. The report goes to docs/reliability, with --only or --untried that of the other faults as it
was; status 1 when one was not caught. Ctrl-C ends the run with a report of the faults tried until then.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reliability.planted import FAULTS
from reliability.planted.fault import Fault
from reliability.report import newest, table, write_report

ROOT = Path(__file__).parents[1]
LIMIT = 900.0
"""Seconds after which the tests of one fault are taken to be caught in it."""
PASSED, FAILED = 0, 1
"""pytest's exit status."""
CAUGHT, BROKEN = "caught", "caught by an import that failed"
SURVIVED, STALE, UNTRIED = "survived", "no longer fits its file", "not tried yet"


def main() -> int:
    parser = argparse.ArgumentParser(description="Plant faults and see whether the tests notice.")
    parser.add_argument("--only", metavar="WORDS", help="faults whose file or description holds these words")
    parser.add_argument(
        "--untried", action="store_true", help="only faults that the latest report does not call caught"
    )
    parser.add_argument("--list", action="store_true", help="say which faults there are, and which no longer fit")
    args = parser.parse_args()
    known = earlier() if args.only or args.untried else {}
    chosen = [fault for fault in FAULTS if (args.only or "") in name(fault)]
    if args.untried:
        chosen = [fault for fault in chosen if known.get(name(fault)) not in (CAUGHT, BROKEN)]
    stale = [fault for fault in chosen if not fits(fault)]
    if args.list:
        for fault in chosen:
            print(f"{fault.file}: {fault.what}{': does not fit its file' if fault in stale else ''}")
        return bool(stale)
    results: dict[str, str] = {name(fault): STALE for fault in stale}
    with working_copy() as tree:
        _import_libraries()
        tests = sorted({test for fault in chosen for test in fault.tests})
        unsound = failing(tree, tests)
        for test in unsound:
            print(f"left out, since it fails without any fault: {test}", flush=True)
        with suppress(KeyboardInterrupt):
            for fault in chosen:
                if fault not in stale:
                    status = try_fault(tree, fault, unsound)
                    results[name(fault)] = {PASSED: SURVIVED, FAILED: CAUGHT, None: CAUGHT}.get(status, BROKEN)
                    print(f"{results[name(fault)]}: {name(fault)}", flush=True)
    results = known | results
    figures = figures_of({name(f): results.get(name(f), UNTRIED) for f in FAULTS}, unsound)
    print(write_report("mutants", figures, markdown(figures)))
    print(f"{figures['caught']} of {figures['faults']} faults were caught")
    return not figures["passed"]


def name(fault: Fault) -> str:
    return f"{fault.file}: {fault.what}"


def earlier() -> dict[str, str]:
    """What the latest report says of each fault; nothing where there is none."""
    try:
        found: dict[str, str] = newest("mutants")["results"]
    except FileNotFoundError:
        found = {}
    return found


def fits(fault: Fault, root: Path = ROOT) -> bool:
    """Whether the text to change stands once in its file, and the change is one."""
    file = root / fault.file
    return file.is_file() and file.read_text(encoding="utf-8").count(fault.old) == 1 and fault.old != fault.new


@contextmanager
def working_copy() -> Iterator[Path]:
    """A copy of the files that git knows or would know, beside the folder of shared data that some tests read."""
    with tempfile.TemporaryDirectory(prefix="blazeface-mutants-") as folder:
        tree = Path(folder).resolve() / "tree"
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"],
            capture_output=True,
            check=True,
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, tree / name)
        if (ROOT.parent / "shared").is_dir():
            (tree.parent / "shared").symlink_to(ROOT.parent / "shared")
        yield tree


def failing(tree: Path, tests: Sequence[str]) -> list[str]:
    """Those of the tests that fail in the sound copy."""
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "failed"
        note.touch()
        if run_tests(tree, tests, note=note) not in (PASSED, FAILED):
            sys.exit("make mutants: the tests cannot be run")
        return note.read_text(encoding="utf-8").splitlines()


def try_fault(tree: Path, fault: Fault, left_out: Sequence[str] = ()) -> int | None:
    """The exit status of its tests with the fault planted; None when they did not end. left_out: tests that do not count."""
    file = tree / fault.file
    sound = file.read_text(encoding="utf-8")
    file.write_text(sound.replace(fault.old, fault.new), encoding="utf-8")
    try:
        return run_tests(tree, fault.tests, left_out)
    finally:
        file.write_text(sound, encoding="utf-8")


def run_tests(
    tree: Path, tests: Sequence[str], left_out: Sequence[str] = (), note: Path | None = None
) -> int | None:
    """pytest's exit status on tests of the copy; None when they did not end within LIMIT.

    It stops at the first failure; with `note` it goes on, without a limit, and writes the names of all that fail there.
    """
    process = multiprocessing.get_context("fork").Process(target=_pytest, args=(tree, tests, left_out, note))
    process.start()
    try:
        process.join(LIMIT if note is None else None)
        return process.exitcode
    finally:
        if process.is_alive():  # the limit, or Ctrl-C
            assert process.pid is not None
            os.killpg(process.pid, signal.SIGKILL)
            process.join()


def _pytest(tree: Path, tests: Sequence[str], left_out: Sequence[str], note: Path | None) -> None:
    """In a process of its own: the copy's package in place of ours, then pytest."""
    os.setpgrp()  # so that it can be ended with all that it started
    os.chdir(tree)
    for name in [name for name in sys.modules if name.split(".")[0] in ("blazeface", "reliability")]:
        del sys.modules[name]
    sys.path[:] = [str(tree), *(entry for entry in sys.path if Path(entry or ".").resolve() not in (ROOT, tree))]
    os.environ["PYTHONPATH"] = str(tree)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # a file changed twice within a second must be read twice
    sys.dont_write_bytecode = True
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    import pytest

    given = ["-q", "-p", "no:cacheprovider", "-o", "timeout=0", "-m", "not slow", "--rootdir", str(tree)]
    given += ["-x"] if note is None else []
    given += [f"--deselect={test}" for test in left_out]
    plugins = [] if note is None else [_Notes(note)]
    os._exit(int(pytest.main([*given, *(f"tests/{test}" for test in tests)], plugins)))


class _Notes:
    """Writes the names of tests that fail, as pytest calls them."""

    def __init__(self, path: Path):
        self._path = path

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{report.nodeid}\n")


def _import_libraries() -> None:
    """What takes seconds to import is imported once, here: the processes of the faults begin with it."""
    import albumentations  # noqa: F401
    import cv2  # noqa: F401
    import hypothesis  # noqa: F401
    import onnxruntime  # noqa: F401
    import pytest  # noqa: F401
    import torch

    torch.set_num_threads(1)  # no thread may run when a process is forked


def figures_of(results: dict[str, str], unsound: list[str]) -> dict[str, Any]:
    """results: by the name of each fault. unsound: tests that were left out."""
    counts = Counter(results.values())
    caught = counts[CAUGHT] + counts[BROKEN]
    return {
        "passed": caught == len(results) and not unsound,
        "faults": len(results),
        "caught": caught,
        "left_out": unsound,
        "results": results,
    }


def markdown(figures: dict[str, Any]) -> str:
    by_file: dict[str, list[str]] = {}
    for fault, result in figures["results"].items():
        by_file.setdefault(fault.split(": ")[0], []).append(result)
    rows = [[file, len(found), sum(r in (CAUGHT, BROKEN) for r in found)] for file, found in by_file.items()]
    lines = [
        f"{figures['faults']} faults were planted, one at a time; the tests noticed {figures['caught']} of them.",
        "",
        table(["file", "planted", "caught"], rows),
    ]
    if figures["left_out"]:
        lines += ["", "## Tests left out: they fail without a fault", *(f"- `{t}`" for t in figures["left_out"])]
    for result in (SURVIVED, STALE, UNTRIED, BROKEN):
        found = [fault for fault, its in figures["results"].items() if its == result]
        if found:
            lines += ["", f"## {result.capitalize()}", *(f"- {fault}" for fault in found)]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
