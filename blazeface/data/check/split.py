"""All that is found out about one split, as text and as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from blazeface.data.check.box_form import box_form_warning
from blazeface.data.check.counts import Counts, FaceSizes, count, face_sizes
from blazeface.data.check.survey import Look
from blazeface.data.check.suspicious import KINDS, MIXED_UP, Doubt, changed_over, doubtful
from blazeface.data.crops import CropRecipe
from blazeface.data.headers import UPRIGHT
from blazeface.data.samples import Sample
from blazeface.files.names import printable

NAMED = 5
"""Pictures that are named of each kind of fault."""

BAR = 40
"""Characters of the longest bar of the histogram."""


@dataclass(frozen=True)
class SplitCheck:
    """One split: its samples, a look at each, and what follows.

    box_form: a sentence where boxes seem to be of another form than they were read in.
    """

    split: str
    form: str
    labels: str
    samples: Sequence[Sample]
    looks: Sequence[Look]
    counts: Counts
    sizes: FaceSizes
    doubts: Sequence[Doubt]
    sides: tuple[int, int]
    box_form: str

    @property
    def missing(self) -> list[int]:
        return [i for i, look in enumerate(self.looks) if look.missing]

    @property
    def broken(self) -> list[int]:
        return [i for i, look in enumerate(self.looks) if look.fault and not look.missing]

    @property
    def twice(self) -> list[int]:
        """Positions of pictures that are listed more than once."""
        return [i for i, sample in enumerate(self.samples) if sample.listed > 1]

    @property
    def turned(self) -> list[int]:
        """Positions of pictures that EXIF turns and that show a face."""
        return [
            i
            for i, (look, sample) in enumerate(zip(self.looks, self.samples, strict=True))
            if look.orientation != UPRIGHT and len(sample.boxes)
        ]

    @property
    def readable(self) -> list[int]:
        return [i for i, look in enumerate(self.looks) if not look.fault]

    def to_dict(self) -> dict[str, Any]:
        """The numbers, for a file."""
        return {
            "format": self.form,
            "labels": self.labels,
            **asdict(self.counts),
            "missing": [str(self.samples[i].path) for i in self.missing],
            "broken": [self.looks[i].fault for i in self.broken],
            "listed_twice": [str(self.samples[i].path) for i in self.twice],
            "turned_by_exif": [str(self.samples[i].path) for i in self.turned],
            "too_small_in_the_whole_picture": round(self.sizes.small, 4),
            "too_small_in_any_view": round(self.sizes.lost, 4),
            "face_sizes_px": dict(self.sizes.histogram()),
            "doubtful": [
                {"kind": doubt.kind, "picture": str(self.samples[doubt.picture].path), "face": doubt.face}
                for doubt in self.doubts
            ],
        }


def check_split(
    split: str,
    form: str,
    labels: str,
    samples: Sequence[Sample],
    looks: Sequence[Look],
    input_size: int,
    recipe: CropRecipe,
) -> SplitCheck:
    """What labels and pictures of one split say. looks: one a sample, in order."""
    sizes = [look.size for look in looks]
    return SplitCheck(
        split,
        form,
        labels,
        samples,
        looks,
        count(samples),
        face_sizes(samples, sizes, input_size, recipe),
        doubtful(samples, sizes),
        changed_over(samples),
        box_form_warning(samples, sizes),
    )


def split_text(check: SplitCheck) -> str:
    """The split in a few lines."""
    lines = [f"{check.split}: {check.form}, {printable(check.labels)}", f"  {check.counts}", f"  {check.sizes}"]
    histogram = check.sizes.histogram()
    most = max((number for _, number in histogram), default=0)
    if most:
        lines += [
            f"  {name:>8s} px {number:8,} {'#' * round(BAR * number / most)}".rstrip()
            for name, number in histogram
        ]
    for what, places in (("missing", check.missing), ("broken", check.broken), ("listed twice", check.twice)):
        if places:
            named = [
                printable(check.looks[i].fault if what == "broken" else str(check.samples[i].path))
                for i in places[:NAMED]
            ]
            lines += [
                f"  {what}: {len(places):,} of {len(check.samples):,} pictures",
                *(f"    {name}" for name in named),
            ]
    kinds = Counter(doubt.kind for doubt in check.doubts)
    for kind, meaning in KINDS.items():
        if kinds[kind]:
            doubt = next(doubt for doubt in check.doubts if doubt.kind == kind)
            name = printable(str(check.samples[doubt.picture].path))
            lines.append(f"  doubtful: {kinds[kind]:,} boxes, {meaning}: {name}, face {doubt.face}")
    if check.turned:
        lines.append(
            f"  turned by EXIF: {len(check.turned):,} pictures with faces; their labels are drawn in turned.png"
        )
    lines += [f"  {warning}" for warning in (sides_warning(check.sides), check.box_form) if warning]
    return "\n".join(lines)


def sides_warning(sides: tuple[int, int]) -> str:
    """A sentence where most faces have right and left changed over, as with labels that say left for the picture's left."""
    wrong, told = sides
    if not told or wrong <= MIXED_UP * told:
        return ""
    return (
        f"right and left are changed over in {wrong:,} of {told:,} faces: the right eye is the person's own, on the"
        " left of an upright picture"
    )
