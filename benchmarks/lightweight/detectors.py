"""The fair comparison: one recipe, the same pictures and crops in the same order, for each of the six networks.

The schedule is short, so that twelve runs fit into an hour of one core: it compares networks, it does not finish them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from blazeface.data.pictures import PictureCache
from blazeface.data.samples import Sample, load_split
from blazeface.evaluation.report import make_report
from blazeface.files.staged import staged_file
from blazeface.models.network import BlazeFace, build
from blazeface.models.weights import save_weights
from blazeface.training.config import TrainConfig
from blazeface.training.faces import train_in_folder
from blazeface.training.finish import score_network
from blazeface.training.loop import Machine

FIGURES = (
    "AP .05-.1",
    "AP .1-.2",
    "AP .2-.45",
    "AP >=.45",
    "AP >=.1",
    "AP >=.05",
    "false positives per face-less picture",
    "keypoint error",
)


def recipe(model: str, seed: int, epochs: int) -> TrainConfig:
    """What all six are trained with: smaller steps' worth of crops and a steeper schedule than a long run's."""
    return TrainConfig(model, epochs, batch=16, learning_rate=3e-3, warmup=60, ema=0.99, seed=seed)


def train_detector(data: Path, out: Path, config: TrainConfig, pictures: int, threads: int) -> bool:
    """Train on an even choice of the training pictures, score on all of val; goes on where it stopped.

    False when a signal stopped it. The folder gets model.safetensors, report.json, config.json and the log. Raises
    BlazeFaceError where the folder holds a run of another recipe.
    """
    if (out / "report.json").is_file():
        return True
    torch.set_num_threads(threads)
    whole = load_split(data, "train")
    pictures = min(pictures, len(whole))
    samples = [whole[i * len(whole) // pictures] for i in range(pictures)]
    torch.manual_seed(config.seed)
    machine = Machine(quiet=True, evaluate_every=10**6, cache_mb=2048)
    out.mkdir(parents=True, exist_ok=True)
    network = train_in_folder(build(config.model), config, samples, out, machine)
    if network is None:
        return False
    (out / "config.json").write_text(config.to_json() + "\n", encoding="utf-8")
    score(network, load_split(data, "val"), out)
    return True


def score(network: BlazeFace, val: list[Sample], out: Path) -> None:
    """Weights and figures, without the intervals and the export that `train.py` ends with."""
    save_weights(network, out / "model.safetensors")
    pictures = PictureCache([sample.path for sample in val], budget_mb=1024, quiet=True)
    report = make_report(score_network(network, val, pictures), resamples=0)
    with staged_file(out / "report.json") as part:
        part.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def detector_row(out: Path, pictures: int) -> dict[str, Any] | None:
    """One run as a row of detectors.json, or None while it is not finished."""
    if not (out / "report.json").is_file():
        return None
    report, config = json.loads((out / "report.json").read_text()), json.loads((out / "config.json").read_text())
    return {
        "model": config["model"],
        "seed": config["seed"],
        "crops": config["epochs"] * -(-pictures // config["batch"]) * config["batch"],
        "epochs": config["epochs"],
        "batch": config["batch"],
        "learning_rate": config["learning_rate"],
        "train_pictures": pictures,
        "val_pictures": report["pictures"],
        "figures": {name: report["figures"][name] for name in FIGURES},
    }
