"""The plan of a run of `detect`: which inputs there are, and what is written where."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from blazeface.errors import BlazeFaceError
from blazeface.options import DetectOptions
from blazeface.sinks.crops import CropFolder
from blazeface.sinks.labels import YoloFolder, coco_file, csv_file
from blazeface.sinks.output_paths import (
    WrongUsage,
    check_file,
    check_folder,
    names_folder,
    plan_names,
    plan_outputs,
    refuse_existing,
    refuse_overwriting,
)
from blazeface.sinks.part_folder import refuse_existing_parts
from blazeface.sinks.records import Recorder, json_file
from blazeface.sources.inputs import Input, find_inputs


@dataclass(frozen=True)
class Plan:
    """inputs, and where the copy of each goes; files: what opens those that take the faces; folders: what fills them.
    report: where the report of covers goes. skip: the folders of outputs, which inputs are not looked for in.
    """

    inputs: list[Input]
    outputs: Sequence[Path | None]
    files: list[Callable[[], AbstractContextManager[Recorder]]]
    folders: list[Recorder]
    report: Path | None = None
    skip: Sequence[str] = ()


def make_plan(
    options: DetectOptions,
    report: Callable[[BlazeFaceError], None],
    keypoint_names: Sequence[str],
) -> Plan:
    """Look at all that was named before anything is done. Raises WrongUsage; reports inputs that are not there.

    keypoint_names: what the detector calls its keypoints.
    """
    texts, write = options.read.texts, options.write
    if not texts:
        raise WrongUsage("no input: name pictures, folders or videos, or a camera with --video cam0")
    if write.json is not None and write.jsonl is not None:
        raise WrongUsage("--json and --jsonl: name one of them")
    if options.batch.resume and options.batch.jobs is None:
        raise WrongUsage("--resume: works with --jobs N and --jsonl FILE alone")
    if options.cover.faces and write.crop is not None:
        raise WrongUsage("--crop would save the faces that --blur covers")
    _check_covers(options)
    folder = write.output is not None and names_folder(texts, write.output)
    skip = [path for path in (write.output if folder else None, write.crop) if path is not None]
    inputs = find_inputs(texts, report, skip, moving=options.read.video)
    outputs: Sequence[Path | None] = [None] * len(inputs)
    written: list[Path] = []
    if write.output is not None:
        outputs = written = plan_outputs(inputs, write.output, folder)
        if not write.overwrite:
            refuse_existing(written, "--output")
    files: list[Callable[[], AbstractContextManager[Recorder]]] = []
    folders: list[Recorder] = []
    for flag, path, opener in (
        ("--json", write.json if write.json != "-" else None, json_file),
        ("--jsonl", write.jsonl, json_file),
        ("--csv", write.csv, partial(csv_file, keypoint_names=keypoint_names)),
        ("--coco", write.coco, partial(coco_file, keypoint_names=keypoint_names)),
    ):
        if path is not None:
            target = check_file(flag, path, written, inputs)
            if not write.overwrite:
                refuse_existing([target], flag)
            written = [*written, target]
            files.append(partial(opener, target, replace=write.overwrite))
    cover_report = None
    if options.cover.report is not None:
        cover_report = check_file("--cover-report", options.cover.report, written, inputs)
        if options.cover.given is not None and os.path.realpath(cover_report) == os.path.realpath(
            options.cover.given
        ):
            raise WrongUsage("--cover-report and --covers: are the same file")
        both = [cover_report, sheet_path(cover_report)]
        refuse_overwriting(both[1:], inputs, "--cover-report")
        if not write.overwrite:
            refuse_existing(both, "--cover-report")
    for flag, path, suffix, kind in (
        ("--yolo", write.yolo, ".txt", YoloFolder),
        ("--crop", write.crop, ".jpg", partial(CropFolder, keypoint_names=keypoint_names)),
    ):
        if path is not None:
            place, names = check_folder(path, flag), plan_names(inputs, flag, suffix)
            refuse_existing_parts(place, names, inputs, flag, write.overwrite)
            folders.append(kind(place, names, write.overwrite, report))
    return Plan(inputs, outputs, files, folders, cover_report, skip)


def sheet_path(report: Path) -> Path:
    """The contact sheet beside a report."""
    return report.with_suffix(".png")


def _check_covers(options: DetectOptions) -> None:
    """Raise WrongUsage for flags about covers that do not go together."""
    cover, write = options.cover, options.write
    for flag, value in (("--cover-report", cover.report), ("--covers", cover.given), ("--delay", cover.delay)):
        if value and cover.faces is None:
            raise WrongUsage(f"{flag}: say how faces are covered with --blur STYLE")
    if cover.given is not None:
        files = (write.json, write.jsonl, write.csv, write.coco, write.yolo)
        if any(value is not None for value in files):
            raise WrongUsage("--covers: nothing is looked for, so there are no faces to write")
