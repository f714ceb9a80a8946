"""What fine-tuning on 200 labelled pictures of a new kind gives, and what it costs elsewhere.

    python -m benchmarks.training.fine_tune --data ROOT --work FOLDER [--kind K] [--recipe NAME ...] [--seeds N ...]

The kinds are those of `benchmarks.training.new_kinds`. Their 200 pictures come from the data set's train, so that nobody in
them is on a picture of val; front-128 saw what they were made from, but nothing of the kind. From the shipped front-128 each recipe is
trained by `train.py`, one thread, once a seed. Before and after, recall is measured at 10 false positives in 1,000 face-less pictures: on
the kind (faces of val and houses, both made into it), and on an even choice of val's own pictures, on which nothing shall be lost. Weights
and data stay in FOLDER. Writes benchmarks/results/fine_tuning.json and .md; what is there already and is not named stays.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks import RESULTS
from benchmarks.training.new_kinds import KINDS, ORDINARY, add_ordinary, make_data
from blazeface.cli.main import run_command
from blazeface.data.even_choice import chosen_evenly
from blazeface.data.pictures import PictureCache
from blazeface.data.samples import Sample, load_split
from blazeface.detector import model_path
from blazeface.evaluation.headline import headline_figures
from blazeface.evaluation.report import figures
from blazeface.files.staged import write_text
from blazeface.models.weights import load_weights, save_weights
from blazeface.training.calibrate import calibrate
from blazeface.training.checkpoint import load_checkpoint
from blazeface.training.faces import averaged
from blazeface.training.finish import averaged_with, score_network
from blazeface.training.runs.initial import FILE_OF_INITIAL

RESULT = RESULTS / "fine_tuning.json"
START = "front-128"
OTHERS = 700
"""Pictures of val with faces on which it is measured what is lost; all houses besides."""

HOUSES = "neg_houses"
MACHINE = ["--threads", "1", "--workers", "0", "--quiet", "--checkpoint-minutes", "60", "--evaluate-every", "1000"]


@dataclass(frozen=True)
class Recipe:
    """flags: of `train.py`, beside --init front-128. share: its --init-share; recipes that differ in it alone are one run.
    mixed: ordinary pictures, as many again, with labels that `detect` wrote, are trained on as well. retained: they are not, but are
    what --retain names; half of them show no face."""

    flags: tuple[str, ...]
    share: float = 0.0
    mixed: bool = False
    retained: bool = False

    @property
    def text(self) -> str:
        retain = ["--retain", "ordinary"] if self.retained else []
        return " ".join([*self.flags, *retain, *(["--init-share", f"{self.share:g}"] if self.share else [])])


RECIPES = {
    "advised": Recipe(("--epochs", "20"), 0.4, retained=True),
    "own pictures alone": Recipe(("--epochs", "20"), 0.6),
    "tuned weights alone": Recipe(("--epochs", "20")),
    "with ordinary pictures": Recipe(("--epochs", "10"), 0.6, mixed=True),
    "guide of before": Recipe(("--epochs", "5")),
}

TIMING = "seconds.json"

SHOWN = ("recall >=.1 at houses", "recall >=.05 at houses", "AP >=.05")
Figures = dict[str, dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder in the WIDER FACE layout")
    parser.add_argument("--work", type=Path, required=True, help="where data and runs go")
    parser.add_argument("--kind", default="false-colour", choices=KINDS)
    parser.add_argument("--recipe", nargs="*", default=list(RECIPES), choices=RECIPES)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    torch.set_num_threads(1)
    folder = args.work / args.kind
    own = make_data(args.data, args.kind, folder / "data")
    parts = {
        "kind": load_split(folder / "data", "val"),
        "others": other_pictures(args.data, KINDS[args.kind].source),
    }
    result: dict[str, Any] = json.loads(args.out.read_text("utf-8")) if args.out.is_file() else {}
    result |= {"start": START, "others": OTHERS}
    rows = result.setdefault("kinds", {}).setdefault(args.kind, {})
    rows["train"] = own
    if "before" not in rows:
        rows["before"] = measured(model_path(START, "torch"), parts)
    for name in args.recipe:
        recipe = RECIPES[name]
        row = rows.setdefault("recipes", {}).setdefault(name, {})
        if row.get("flags") != recipe.text:
            row |= {"flags": recipe.text, "mixed": recipe.mixed, "seeds": {}}
        data, name_of_run = folder / "data", "data"
        flags = list(recipe.flags)
        if recipe.mixed or recipe.retained:
            mixed = add_ordinary(args.data, data, folder / "mixed")
            data = mixed if recipe.mixed else data
            name_of_run = "mixed" if recipe.mixed else "retained"
            flags += ["--retain", str(mixed / ORDINARY)] if recipe.retained else []
        for seed in args.seeds:
            run = folder / "-".join([name_of_run, *recipe.flags, f"seed-{seed}"]).replace("--", "")
            trained(data, run, seed, flags)
            seconds = json.loads((run / TIMING).read_text("utf-8"))
            weights = ended_with(data, run, recipe)
            row["seeds"][str(seed)] = {"cpu_seconds": seconds, **measured(weights, parts)}
            write_text(args.out, json.dumps(result, indent=2) + "\n")
            write_text(args.out.with_suffix(".md"), markdown(result))
    print(markdown(result))


def other_pictures(root: Path, source: str) -> list[Sample]:
    """Pictures of val as they are: those of every source, and all houses. source: the one that the kind is made from, which counts
    among them where its pictures were changed."""
    val = load_split(root, "val")
    unlike = {HOUSES} | (
        {source} if all(kind.source != source or kind.val is None for kind in KINDS.values()) else set()
    )
    return [sample for sample in val if sample.source == HOUSES] + chosen_evenly(
        [sample for sample in val if sample.source not in unlike], OTHERS
    )


def trained(data: Path, run: Path, seed: int, flags: Sequence[str]) -> None:
    """A run of `train.py`, and the seconds that it took, where it is not there."""
    if not (run / TIMING).is_file():
        start = time.process_time()
        command = ["--data", str(data), "--out", str(run), "--init", START, "--seed", str(seed), *flags, *MACHINE]
        if run_command("train", command) != 0:
            raise SystemExit(f"the run {run} failed")
        write_text(run / TIMING, json.dumps(round(time.process_time() - start)))


def ended_with(data: Path, run: Path, recipe: Recipe) -> Path:
    """The weights that the run would have ended with under the recipe's --init-share, which changes nothing before its end."""
    weights = run / f"share-{recipe.share:g}.safetensors"
    network = averaged_with(averaged(load_checkpoint(run)), load_weights(run / FILE_OF_INITIAL), recipe.share)
    if not recipe.retained:
        samples = load_split(data, "train")
        pictures = PictureCache([sample.path for sample in samples], 0, quiet=True)
        calibrate(network, score_network(network, samples, pictures))
    save_weights(network, weights)
    return weights


def measured(weights: Path, parts: dict[str, list[Sample]]) -> Figures:
    """SHOWN figures of a network on each part."""
    network = load_weights(weights)
    rows = {}
    for name, samples in parts.items():
        pictures = PictureCache([sample.path for sample in samples], 0, quiet=True)
        found = score_network(network, samples, pictures)
        row = figures(found) | headline_figures(found)
        rows[name] = {key: round(row[key], 4) for key in SHOWN}
    return rows


def markdown(result: dict[str, Any]) -> str:
    """A table for each kind: before, and each recipe, the mean of its seeds."""
    lines: list[str] = []
    for kind, rows in result["kinds"].items():
        train = rows["train"]
        head = [f"{kind}: {name}" for name in SHOWN] + [f"others: {name}" for name in SHOWN]
        lines += [
            f"`{result['start']}` fine-tuned on {train['pictures']} pictures of the kind {kind} ({train['faces']} faces), measured on"
            f" pictures of this kind from val and on {result['others']} other pictures of val. Means of the seeds; worst: the largest loss"
            " of any of the three figures of the others, with any seed.",
            "",
            "| recipe | flags | " + " | ".join(head) + " | seeds | worst | CPU s |",
            "| --- | --- |" + " ---: |" * (len(head) + 3),
        ]
        lines.append(f"| before |  | {' | '.join(cells([rows['before']]))} |  |  |  |")
        for name, row in rows.get("recipes", {}).items():
            runs = list(row["seeds"].values())
            known = [run["cpu_seconds"] for run in runs if run["cpu_seconds"] is not None]
            seconds = round(sum(known) / len(known)) if known else ""
            lines.append(
                f"| {name} | {row['flags']} | {' | '.join(cells(runs))} | {len(runs)} | {worst(rows['before'], runs):+.3f} | {seconds} |"
            )
        lines.append("")
    return "\n".join(lines)


def cells(runs: Sequence[Figures]) -> list[str]:
    """The means of SHOWN over runs, of the kind and of the others."""
    return [
        f"{sum(run[part][key] for run in runs) / len(runs):.3f}".lstrip("0")
        for part in ("kind", "others")
        for key in SHOWN
    ]


def worst(before: Figures, runs: Sequence[Figures]) -> float:
    """The largest loss, or the smallest gain, of a figure of the others."""
    return min(run["others"][key] - before["others"][key] for run in runs for key in SHOWN)


if __name__ == "__main__":
    main()
