"""`blazeface lighten` of a detector: its layout says what was changed, so that it is saved, trained and exported like any other."""

from __future__ import annotations

import argparse
import dataclasses
import re
from typing import TYPE_CHECKING

from blazeface.cli.lighten.record import stage_table, write_record
from blazeface.data.even_choice import chosen_evenly
from blazeface.data.samples import load_split
from blazeface.detector import model_path
from blazeface.errors import BlazeFaceError

if TYPE_CHECKING:
    from blazeface.models.light.lighten import Report
    from blazeface.models.network import BlazeFace


def run_detector(args: argparse.Namespace) -> int:
    """Write the light weights; print the report, and the figures before, after and after fine-tuning. Without a rule: the plan."""
    import torch

    from blazeface.models.light.plan import plan, plan_table
    from blazeface.models.weights import load_weights, save_weights
    from blazeface.training.finish import val_score

    if args.finetune is not None and args.data is None:
        raise BlazeFaceError("--finetune needs --data: the folder to train on")
    for flag in ("steps", "input", "format"):
        if getattr(args, flag) is not None:
            raise BlazeFaceError(f"--{flag} is for a network of your own, FILE.py:FUNCTION")
    network = load_weights(model_path(args.weights, "torch"))
    if args.rule is None:
        size = network.spec.input_size
        print(plan_table(plan(network, torch.zeros(1, 3, size, size), args.groups)))
        return 0
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
    record = {
        "model": network.spec.name,
        "rule": args.rule,
        "init": args.init,
        "finetune_epochs": args.finetune,
        "train_pictures": args.train_pictures,
        "val_pictures": args.val_pictures if args.data else None,
        **dataclasses.asdict(report),
        "figures": stages,
    }
    write_record(args.out, record)
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


def _finetune(light: BlazeFace, args: argparse.Namespace) -> BlazeFace | None:
    from blazeface.training.config import TrainConfig
    from blazeface.training.faces import train_in_folder
    from blazeface.training.loop import Machine

    config = TrainConfig(model="front-128", epochs=args.finetune, learning_rate=args.learning_rate, warmup=100)
    samples = chosen_evenly(load_split(args.data, "train"), args.train_pictures)
    return train_in_folder(light, config, samples, args.out, Machine(quiet=True, evaluate_every=10**6))
