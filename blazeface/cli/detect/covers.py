"""`detect --blur`: the covers of a run, its report, and a report that is applied."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from blazeface.cli.detect.plan import Plan, sheet_path
from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.files.names import listed, printable
from blazeface.files.pictures import write_picture
from blazeface.files.staged import write_text
from blazeface.geometry import Image
from blazeface.options import DetectOptions, WriteOptions
from blazeface.privacy.cover import CoverStyle
from blazeface.privacy.coverer import Covering, Covers
from blazeface.privacy.log import CoverLog
from blazeface.privacy.report import GivenCovers, closing_sentence, report_of, report_text
from blazeface.privacy.rules import RULES
from blazeface.privacy.sheet import contact_sheet
from blazeface.sources.inputs import passed_over

NAMED = 10
"""Files without a cover that are named one by one."""

NOWHERE = "--blur: nothing would hold the covered faces: name where they go with --output PATH"


class NoDetector:
    """In the place of a detector, where the covers are given and nothing is looked for."""

    def detect(self, image: Image) -> Detections:
        raise RuntimeError("nothing is looked for with --covers")

    def detect_batch(self, images: Sequence[Image]) -> list[Detections]:
        raise RuntimeError("nothing is looked for with --covers")


def covering(
    options: DetectOptions, how: CoverStyle, shown: float, given: Mapping[str, Covers] | None, log: CoverLog | None
) -> Covering:
    rules = RULES.with_score(options.look.score_threshold)
    return Covering(how, rules, shown, options.cover.delay, given, log)


def refuse_others(plan: Plan, given: Mapping[str, Covers], name: str) -> None:
    """Raise BlazeFaceError for inputs that the covers given say nothing of: they would be left open."""
    for item in plan.inputs:
        if item.name not in given:
            raise BlazeFaceError(f"{printable(name)}: says nothing of {printable(item.name)}")
        if item.kind in ("camera", "stream"):
            raise BlazeFaceError(f"{printable(item.name)}: covers can be given for pictures and video files alone")


def tell_covers(log: CoverLog, path: Path | None, write: WriteOptions) -> None:
    """Write the report and its contact sheet where they are asked for, and say what it comes to."""
    report = report_of(log)
    sentence = closing_sentence(report)
    if path is not None:
        sheet = sheet_path(path)
        write_picture(sheet, contact_sheet(report, log.thumbnails, sentence), write.overwrite)
        write_text(path, report_text(report), write.overwrite)
        sentence = f"{sentence}: {printable(str(path))}, {printable(str(sheet))}"
    if not write.quiet:
        print(sentence, file=sys.stderr)
    tell_bare([source.source for source in log.sources if source.done and source.bare], len(log.sources))


def tell_given_bare(plan: Plan, given: Mapping[str, GivenCovers]) -> None:
    """Say which inputs a given report covers nothing of."""
    names = [item.name for item in plan.inputs]
    tell_bare([name for name in names if given[name].bare], len(names))


def tell_passed_over(texts: Sequence[str], plan: Plan) -> None:
    """Say, whatever --quiet asks for, which files of folders have no covered copy: faces may be in a document as well."""
    names = list(passed_over(texts, plan.skip))
    if names:
        count = "1 file that is" if len(names) == 1 else f"{len(names)} files that are"
        print(f"not covered and not copied: {count} no picture or video: {listed(names, NAMED)}", file=sys.stderr)


def tell_bare(names: Sequence[str], total: int) -> None:
    """Say, whatever --quiet asks for, in which of the inputs nothing is covered: who sees no cover may take that for safe."""
    if names:
        among = "" if total == 1 else f" in {len(names)} of {total} inputs"
        print(f"nothing is covered{among}, since no face is known there: {listed(names, NAMED)}", file=sys.stderr)
