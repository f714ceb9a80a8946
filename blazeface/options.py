"""What a run of `detect` is asked to do, in a few small frozen objects: built once, from flags or in Python.

Paths and names of inputs are as the user wrote them; nothing is looked at or opened here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from blazeface.privacy.cover import CoverStyle
from blazeface.search import MinFace


@dataclass(frozen=True)
class ReadOptions:
    """What to read. inputs: pictures, folders, videos, numbered pictures. video: a camera, video file or URL.

    timeout: seconds that a camera or stream may keep silent. reconnect: seconds for which a lost one is looked for.
    """

    inputs: tuple[str, ...] = ()
    video: str | None = None
    timeout: float = 4.0
    reconnect: float = 30.0

    @property
    def texts(self) -> list[str]:
        """All inputs, in order."""
        return [*self.inputs, *([self.video] if self.video is not None else [])]


@dataclass(frozen=True)
class LookOptions:
    """How to look for faces. model, score_threshold, backend, threads, min_face, trust: as of FaceDetector.

    refine: the network that sharpens keypoints, None for none. roi: look around the last frame's faces first.
    """

    model: str = "front-128"
    score_threshold: float | None = None
    backend: str | None = None
    threads: int = 1
    refine: Path | None = None
    roi: bool = False
    trust: bool = False
    min_face: MinFace = None

    @property
    def arguments(self) -> dict[str, Any]:
        """What FaceDetector is made with, by name."""
        return {
            "model": self.model,
            "score_threshold": self.score_threshold,
            "backend": self.backend,
            "threads": self.threads,
            "min_face": self.min_face,
            "trust": self.trust,
        }


@dataclass(frozen=True)
class FollowOptions:
    """Whom to follow through a video. track: give each face a number. smooth: steady the faces; None: of live video."""

    track: bool = False
    smooth: bool | None = None


@dataclass(frozen=True)
class CoverOptions:
    """What to cover in copies and in the window. faces: how, None to leave them open.

    delay: seconds for which frames of a camera or stream are kept back, to see what comes after them. report: the file
    that says what was covered, with a contact sheet beside it. given: a report whose covers are applied, without
    looking. background: the network that tells faces from the background, which is blurred then; None leaves it sharp.
    """

    faces: CoverStyle | None = None
    delay: float = 0.0
    report: str | None = None
    given: Path | None = None
    background: Path | None = None


@dataclass(frozen=True)
class WriteOptions:
    """Where it goes: files and folders, each None for none. output: annotated or covered copies.

    json: "-" for standard output. sound: copy that of videos; sound_as: "aac" encodes anew what the copy's container
    does not take, "copy" leaves it out. overwrite: replace files that are there already, but inputs. window: open one where it makes sense. quiet: neither
    progress bar nor summary.
    """

    output: str | None = None
    json: str | None = None
    jsonl: str | None = None
    csv: str | None = None
    coco: str | None = None
    yolo: str | None = None
    crop: str | None = None
    sound: bool = True
    sound_as: Literal["copy", "aac"] = "copy"
    overwrite: bool = False
    window: bool = True
    quiet: bool = False


@dataclass(frozen=True)
class BatchOptions:
    """Very many pictures. jobs: worker processes, None for the usual run. resume: go on with one that was cut short."""

    jobs: int | None = None
    resume: bool = False
    engine: Literal["process", "ray"] = "process"


@dataclass(frozen=True)
class DetectOptions:
    """All of a run."""

    read: ReadOptions = field(default_factory=ReadOptions)
    look: LookOptions = field(default_factory=LookOptions)
    follow: FollowOptions = field(default_factory=FollowOptions)
    cover: CoverOptions = field(default_factory=CoverOptions)
    write: WriteOptions = field(default_factory=WriteOptions)
    batch: BatchOptions = field(default_factory=BatchOptions)
