"""`blazeface lighten`: replace convolutions of trained weights by cheaper ones, and measure the loss and what fine-tuning regains."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blazeface.cli.shared_flags import add_overwrite, refuse_unless
from blazeface.data.even_choice import chosen_evenly
from blazeface.data.samples import load_split
from blazeface.detector import model_path
from blazeface.errors import BlazeFaceError, install_command
from blazeface.files.staged import staged_file
from blazeface.models.layouts import BETWEEN, RULES

if TYPE_CHECKING:
    from blazeface.models.light.lighten import Report
    from blazeface.models.network import BlazeFace

MISSING = f"making weights light needs PyTorch and a few more: {install_command('train')}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("weights", metavar="WEIGHTS", help="a .safetensors file, or the name of a shipped model")
    add("--rule", required=True, choices=RULES, help="what dense convolutions become")
    add("--groups", type=int, default=4, help="of the rule grouped (default 4)")
    add(
        "--between",
        choices=BETWEEN,
        default="nothing",
        help="what stands between the two parts of separable and factorized: nothing (default), batch norm, or batch norm"
        " and ReLU (which needs --init random)",
    )
    add("--only", metavar="REGEX", help="change only layers in whose names this is found")
    add("--stem", action="store_true", help="change the first convolution, too")
    add("--init", choices=("svd", "random"), default="svd", help="start nearest to the old kernels, or at random")
    add("--out", type=Path, required=True, metavar="DIR", help="where light.safetensors and lighten.json go")
    add_overwrite(parser)
    add("--data", type=Path, metavar="ROOT", help="score before and after on the val pictures of this folder")
    add(
        "--finetune",
        type=int,
        metavar="EPOCHS",
        help="train the light network for so many epochs, then score again",
    )
    add("--train-pictures", type=int, metavar="N", help="train on an even choice of N pictures instead of all")
    add("--learning-rate", type=float, default=5e-4, help="peak of the fine-tuning's schedule (default 0.0005)")
    add("--val-pictures", type=int, default=500, help="pictures to score on (default 500)")
    add("--threads", type=int, default=1, help="CPU threads of the network (default 1)")


def run(args: argparse.Namespace) -> int:
    """Write the light weights; print the report, and the figures before, after and after fine-tuning."""
    try:
        import torch

        from blazeface.models.weights import load_weights, save_weights
        from blazeface.training.finish import val_score
    except ImportError as error:
        raise BlazeFaceError(f"{MISSING} ({error})") from error
    if args.finetune is not None and args.data is None:
        raise BlazeFaceError("--finetune needs --data: the folder to train on")
    if args.finetune is not None and not 1 <= args.finetune <= 100_000:
        raise BlazeFaceError(f"--finetune must be 1 or more epochs, not {args.finetune}")
    if args.val_pictures < 1:
        raise BlazeFaceError(f"--val-pictures must be 1 or more, not {args.val_pictures}")
    if args.train_pictures is not None and args.train_pictures < 1:
        raise BlazeFaceError(f"--train-pictures must be 1 or more, not {args.train_pictures}")
    stopped = (args.out / "checkpoint.pt").exists()  # a fine-tuning that goes on in its own folder
    made = [args.out / "lighten.json"] if stopped else [args.out / "lighten.json", args.out / "light.safetensors"]
    refuse_unless(args.overwrite, "--out", made)
    torch.set_num_threads(max(1, args.threads))
    network = load_weights(model_path(args.weights, "torch"))
    light, report = lightened(network, args.rule, args.groups, args.only, args.stem, args.init, args.between)
    print(report.markdown())
    args.out.mkdir(parents=True, exist_ok=True)
    save_weights(light, args.out / "light.safetensors")
    stages: dict[str, dict[str, float]] = {}
    if args.data is not None:
        score = val_score(load_split(args.data, "val"), args.val_pictures)
        stages["before"], stages["after"] = score(network), score(light)
        if args.finetune is not None:
            tuned = _finetune(light, args)
            if tuned is None:
                print(f"stopped; the same command goes on in {args.out}")
                return 130
            save_weights(tuned, args.out / "light.safetensors")
            stages["fine-tuned"] = score(tuned)
        print(f"\n{stage_table(stages)}")
    record: dict[str, Any] = {
        "model": network.spec.name,
        "rule": args.rule,
        "init": args.init,
        "finetune_epochs": args.finetune,
        "train_pictures": args.train_pictures,
        "val_pictures": args.val_pictures if args.data else None,
        **dataclasses.asdict(report),
        "figures": stages,
    }
    with staged_file(args.out / "lighten.json") as part:
        part.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return 0


def lightened(
    network: BlazeFace,
    rule: str,
    groups: int = 4,
    only: str | None = None,
    stem: bool = False,
    init: str = "svd",
    between: str = "nothing",
) -> tuple[BlazeFace, Report]:
    """A detector made light, heads excepted, and the report; the network given is left as it is.

    The changes are written into its layout, so that it is saved, loaded, trained and exported like any other. Raises
    BlazeFaceError where there is nothing to change, and for a `between` that the weights or `init` rule out.
    """
    import torch

    from blazeface.models.layouts import Lightened
    from blazeface.models.light.lighten import chosen, lighten
    from blazeface.models.network import BlazeFace

    try:
        pattern = re.compile(only or "")
    except re.error as error:
        raise BlazeFaceError(f"--only: {only!r} is no regular expression: {error}") from error

    def where(name: str, _: object) -> bool:
        return "_heads." not in name and pattern.search(name) is not None

    if between == "norm-relu" and init == "svd":
        raise BlazeFaceError(
            "--between norm-relu: the nearest kernels are those of a linear map: add --init random"
        )
    norm = "stem.1.weight" in network.state_dict()
    if between != "nothing" and not norm:
        raise BlazeFaceError(
            f"--between {between}: these weights have their batch norms folded into the convolutions"
        )
    copy = BlazeFace(network.spec, network.layout, norm)
    copy.load_state_dict(network.state_dict())
    names = chosen(copy, rule, where, stem, last=True, groups=groups)
    if not names:
        raise BlazeFaceError(f"--rule {rule}: the network has no layer that it would change")
    size = network.spec.input_size
    example = torch.zeros(1, 3, size, size)
    report = lighten(
        copy, rule, where=where, stem=stem, last=True, groups=groups, between=between, init=init, example=example
    )
    change = Lightened(rule, tuple(names), groups, between)
    layout = dataclasses.replace(network.layout, lightened=(*network.layout.lightened, change))
    light = BlazeFace(network.spec, layout, norm)
    light.load_state_dict(copy.state_dict())
    light.origin = network.origin
    return light.eval(), report


def stage_table(stages: dict[str, dict[str, float]]) -> str:
    """One row a figure, one column a stage."""
    names = list(stages)
    lines = [f"| figure | {' | '.join(names)} |", f"| --- |{' ---: |' * len(names)}"]
    for figure in stages[names[0]]:
        lines.append(f"| {figure} | {' | '.join(f'{stages[name][figure]:.3f}' for name in names)} |")
    return "\n".join(lines)


def _finetune(light: BlazeFace, args: argparse.Namespace) -> BlazeFace | None:
    from blazeface.training.config import TrainConfig
    from blazeface.training.faces import train_in_folder
    from blazeface.training.loop import Machine

    config = TrainConfig(model="front-128", epochs=args.finetune, learning_rate=args.learning_rate, warmup=100)
    samples = chosen_evenly(load_split(args.data, "train"), args.train_pictures)
    return train_in_folder(light, config, samples, args.out, Machine(quiet=True, evaluate_every=10**6))
