"""A trained classifier in a file: weights, and what is needed to build the network and to name its answers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from blazeface.errors import BlazeFaceError
from blazeface.models.light.classifiers import CLASSIFIERS, Classifier, build_classifier
from blazeface.models.tensor_file import fill, read_tensors, write_tensors

CLASSIFIER_KEY = "blazeface.classifier"
"""Name of the metadata entry, in weights and in exported files, that holds the JSON of a ClassifierSpec."""

MEAN = STD = 127.5
"""Pixels become (value - MEAN) / STD."""


@dataclass(frozen=True)
class ClassifierSpec:
    """network: one of CLASSIFIERS. classes: the names of its answers, in order. size: side in pixels of the pictures, a
    multiple of 32 (8 for those of 32 x 32). multiplier: of its widths, for the MobileNets."""

    network: str
    classes: tuple[str, ...]
    size: int
    multiplier: float = 1.0

    def __post_init__(self) -> None:
        step = 8 if "-32-" in self.network else 32
        if self.network in CLASSIFIERS and (not 32 <= self.size <= 1024 or self.size % step):
            raise BlazeFaceError(
                f"--size: {self.network} takes sides of 32 to 1024 in steps of {step}, not {self.size}"
            )
        if len(self.classes) < 2:
            raise BlazeFaceError("a classifier needs two classes or more")

    def build(self) -> Classifier:
        """A fresh network. Raises BlazeFaceError as `build_classifier` does."""
        return build_classifier(self.network, len(self.classes), self.multiplier)

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    def about(self) -> str:
        """What an exported file says of its input and output; the channel axis as the format has it."""
        return (
            f"Classifier {self.network}. pictures: {self.size} x {self.size}, RGB float32, (value - {MEAN:g}) / {STD:g},"
            f" letterboxed. logits: one for each of {len(self.classes)} classes, named in {CLASSIFIER_KEY}."
        )


def save_classifier(network: Classifier, spec: ClassifierSpec, path: Path) -> None:
    """Write the weights. The file appears whole or not at all."""
    write_tensors(network, path, {CLASSIFIER_KEY: spec.to_json()})


def load_classifier(path: Path) -> tuple[Classifier, ClassifierSpec]:
    """The network of a file that `save_classifier` wrote, in eval mode. Raises BlazeFaceError naming the file."""
    metadata, tensors = read_tensors(path)
    try:
        given = json.loads(metadata[CLASSIFIER_KEY])
        spec = ClassifierSpec(
            str(given["network"]),
            tuple(map(str, given["classes"])),
            int(given["size"]),
            float(given["multiplier"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BlazeFaceError(f"{path}: it holds no classifier of blazeface") from error
    network = spec.build()
    fill(network, tensors, path)
    return network.eval(), spec
