"""How far an exported file may differ from PyTorch, and the report of what was measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from blazeface.export.format_table import Options
from blazeface.export.labelled import Figures, LabelledSet
from blazeface.export.verify import Differences, Run, compare
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace
from blazeface.search import base_shape


@dataclass(frozen=True)
class Limit:
    """What passes. largest: difference of a score, or of a coordinate in units of the input side; None: any.
    ap: difference of AP, in the columns named."""

    largest: float | None
    ap: float
    columns: tuple[str, ...] = ("AP >=.1", "AP >=.05")


LIMITS = {
    "float32": Limit(1e-4, 0.002),
    "float16": Limit(1e-2, 0.002),
    # Single values of an int8 network may be far off where no face is; what counts is which faces it finds.
    "int8": Limit(None, 0.010, ("AP >=.1",)),
}


@dataclass(frozen=True)
class ParityReport:
    """What was found out about a file.

    differences: from PyTorch; None for a runtime that does not run here, where `checked` says what was looked at
    instead. expected, found: figures of PyTorch and of the file on `labelled_pictures` labelled pictures, if any.
    """

    differences: Differences | None = None
    checked: str | None = None
    labelled_pictures: int = 0
    expected: Figures | None = None
    found: Figures | None = None

    def faults(self, limit: Limit) -> list[str]:
        """Where the limit is not held, in words."""
        faults = []
        if self.differences and not self.differences.largest <= (limit.largest or float("inf")):
            faults.append(f"it and PyTorch differ by more than {limit.largest:.0e}: {self.differences}")
        elif self.differences and not self.differences.largest < float("inf"):
            faults.append("it gives values that are not finite, or of another shape")
        for column in limit.columns if self.expected and self.found else ():
            assert self.expected and self.found
            expected, found = self.expected[column], self.found[column]
            if limit.largest is None and not expected:
                faults.append(
                    f"no face was found in the proof: {column} of PyTorch is {_number(expected)} on"
                    f" {self.labelled_pictures:,} labelled pictures, so that nothing was compared"
                )
                continue
            if expected is not None and not (found is not None and abs(found - expected) <= limit.ap):
                faults.append(
                    f"{column} is {_number(found)} on {self.labelled_pictures:,} pictures, PyTorch's {_number(expected)}:"
                    f" more than {limit.ap:g} apart"
                )
        return faults

    def table(self) -> str:
        """For the terminal."""
        lines = []
        if self.checked:
            lines.append(self.checked)
        if self.differences:
            gap = self.differences
            lines += [
                f"{'difference from PyTorch':28s}{'largest':>10s}{'mean':>10s}",
                f"{'  scores':28s}{gap.scores:10.1e}{gap.mean_scores:10.1e}",
                f"{'  coordinates / input side':28s}{gap.coordinates:10.1e}{gap.mean_coordinates:10.1e}",
                f"{'  logits':28s}{gap.logits:10.1e}",
                f"{'  regressions':28s}{gap.regressions:10.1e}",
            ]
        if self.expected and self.found:
            title = f"val, {self.labelled_pictures:,} pictures"
            lines.append(f"{title:28s}{'PyTorch':>10s}{'file':>10s}")
            lines += [
                f"  {name:26s}{_number(self.expected[name]):>10s}{_number(self.found[name]):>10s}"
                for name in ("AP >=.1", "AP >=.05")
            ]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        labelled = {
            "split": "val",
            "pictures": self.labelled_pictures,
            "pytorch": self.expected,
            "file": self.found,
        }
        return {
            "differences": asdict(self.differences) if self.differences else None,
            "checked": self.checked,
            "accuracy": labelled if self.found else None,
        }


def check_parity(
    network: BlazeFace,
    run: Run,
    pictures: list[Image],
    options: Options,
    labelled: LabelledSet | None,
    runtime: str,
) -> ParityReport:
    """Run a file on real pictures, and on labelled ones where there are some."""
    multiple = max(network.layout.strides)
    sides = [(9, 16), (16, 9), (3, 4)] if options.free_shape else []
    shapes = [base_shape(height, width, network.spec, multiple) for height, width in sides]
    differences = compare(network, run, pictures, shapes)
    if labelled is None or not differences.largest < float("inf"):
        return ParityReport(differences)
    found = labelled.figures(run, f"{runtime} {options.precision}")
    return ParityReport(differences, None, labelled.pictures, labelled.expected, found)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
