"""All numbers of a training run. A run's folder keeps them, and `--resume` goes on with the same."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from blazeface.data.crops import CropRecipe
from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.training.losses import LossRecipe


@dataclass(frozen=True)
class TrainConfig:
    """What a run is, apart from where its data lies and on what machine it runs.

    model: the name of the network that is trained, its spec's. epochs: passes, counted in crops: one epoch is as many crops as the data has
    pictures. batch: crops per step, in all processes together. learning_rate: the peak of a cosine that
    starts with `warmup` steps and ends at `final_rate` of the peak; decay: share of the steps, at the end, in which it
    falls, the rate being constant before, so that a run can be lengthened. weight_decay: on weights, not on
    biases and norms. ema: decay of the averaged weights, which are what a run ends with. clip: largest
    norm of the gradient. seed: of the first weights and of every crop. freeze: train the heads alone. freeze_norm: with
    it, and with pictures to retain, the backbone's batch norms keep their running statistics. init: what the run started from, in words. patience:
    end after so many evaluations in a row without a better one, with the best weights; 0: go to the last step. licence:
    what the files of the weights say of their terms. init_share: share of the weights it started from in those it ends with.
    retain: pictures on which the network is held to the answers of the weights that it started from, in words; "" where there are none.
    width: multiplier of xception-aligned-128; 0 for the model's own.
    """

    model: str = "front-128"
    epochs: int = 30
    batch: int = 32
    learning_rate: float = 2e-3
    final_rate: float = 0.01
    decay: float = 1.0
    warmup: int = 500
    weight_decay: float = 0.02
    ema: float = 0.999
    clip: float = 10.0
    seed: int = 0
    freeze: bool = False
    freeze_norm: bool = False
    init: str = ""
    patience: int = 0
    licence: str = ""
    init_share: float = 0.0
    retain: str = ""
    width: float = 0.0
    crops: CropRecipe = field(default_factory=CropRecipe)
    loss: LossRecipe = field(default_factory=LossRecipe)

    def __post_init__(self) -> None:
        if type(self.model) is not str:
            raise BlazeFaceError(f"--model must be a name, not {self.model!r}")
        for name, low, high in (
            ("epochs", 1, 100_000),
            ("batch", 1, 65_536),
            ("warmup", 0, 10**9),
            ("seed", 0, 2**31 - 1),
            ("patience", 0, 10**9),
        ):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise BlazeFaceError(f"--{name} must be a whole number from {low} to {high}, not {value!r}")
        if not 0 < self.learning_rate <= 10:
            raise BlazeFaceError(f"--learning-rate must lie in (0, 10], not {self.learning_rate!r}")
        if not 0 <= self.decay <= 1:
            raise BlazeFaceError(f"--decay must lie in [0, 1], not {self.decay!r}")
        if self.width and self.model != "xception-aligned-128":
            raise BlazeFaceError(f"--width is for xception-aligned-128: {self.model} has no width multiplier")
        if not 0 <= self.width <= 2:
            raise BlazeFaceError(f"--width must lie in (0, 2], not {self.width!r}")
        if not 0 <= self.init_share < 1:
            raise BlazeFaceError(f"--init-share must lie in [0, 1), not {self.init_share!r}")
        if not 0 <= self.ema < 1:
            raise BlazeFaceError(f"--ema must lie in [0, 1), not {self.ema!r}")

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str, source: str) -> TrainConfig:
        """Read what `to_json` wrote; `source` names the file in the error of a damaged text."""
        try:
            data: dict[str, Any] = json.loads(text)
            crops = data.pop("crops")
            crops["mosaic"] = tuple(crops["mosaic"])
            crops["shapes"] = tuple(tuple(shape) for shape in crops["shapes"])
            return cls(crops=CropRecipe(**crops), loss=LossRecipe(**data.pop("loss")), **data)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise BlazeFaceError(
                f"{source}: not a training configuration of this version: {printable(str(error))}"
            ) from error


RECIPE_FLAGS = tuple(
    f.name for f in fields(TrainConfig) if f.name not in ("crops", "loss", "init", "freeze_norm", "retain")
)
"""Fields of the recipe that `train.py` takes as flags, where it has one for them."""

CHANGEABLE = ("epochs", "patience", "licence", "init_share")
"""Of those, what may change when a run goes on: epochs become more, never fewer."""

FINE_TUNING: dict[str, Any] = {"learning_rate": 3e-4, "warmup": 50}
"""Where a run starts from trained weights and the flags do not say otherwise (measured: docs/training.md)."""
