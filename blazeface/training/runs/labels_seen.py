"""Which data a run learns from: a fingerprint, held against the data when the run goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from blazeface.data.samples import Sample
from blazeface.errors import BlazeFaceError


@dataclass(frozen=True)
class LabelsSeen:
    """pictures, faces: how many there are to learn from. sha256: of the names of the pictures, in their order, and of
    all their labels; where the folder lies does not matter."""

    pictures: int
    faces: int
    sha256: str

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> LabelsSeen:
        digest = hashlib.sha256()
        for sample in samples:
            digest.update(f"{sample.source}/{sample.path.name}\n".encode("utf-8", "surrogateescape"))
            labels = (sample.boxes, sample.keypoints, sample.visibility, sample.ignore, sample.decoys)
            for part in (*labels, sample.hard) if len(sample.hard) else labels:  # older runs knew no hard faces
                digest.update(f"{part.shape}".encode())
                digest.update(np.ascontiguousarray(part).tobytes())
        faces = sum(int((~sample.ignore).sum()) for sample in samples)
        return cls(len(samples), faces, digest.hexdigest())

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.pictures:,} pictures with {self.faces:,} faces"


def check_same_data(
    before: dict[str, Any], steps: int, epochs: int, batch: int, samples: Sequence[Sample], accepted: bool
) -> None:
    """Raise BlazeFaceError where a run would go on with other data than it began with, unless that was accepted.

    before: `LabelsSeen.to_dict` of the data it began with; empty in checkpoints of an earlier version, of which only the
    steps in an epoch tell. steps, epochs, batch: of the whole run as it was planned.
    """
    now = LabelsSeen.of(samples)
    an_epoch = -(-len(samples) // batch)
    if accepted or (now.to_dict() == before if before else steps == epochs * an_epoch):
        return
    then = f"about {steps * batch // epochs:,} pictures"
    if before:
        then = str(LabelsSeen(**before))
        if (before["pictures"], before["faces"]) == (now.pictures, now.faces):
            then = f"{then}, some of other names or labels"
    raise BlazeFaceError(
        f"--resume: the training data is not what the run began with: {then} then, {now} now; bring that data back, or add"
        f" --accept-data to go on with this one, in epochs of {steps // epochs:,} steps as before"
    )
