"""`blazeface lighten FILE.py:FUNCTION`: a network of the user's own made light, scored, timed, fine-tuned and exported."""

from __future__ import annotations

import argparse
import copy
import dataclasses
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from blazeface.cli.lighten.own_file import OwnFile, open_own_file, own_errors
from blazeface.cli.lighten.record import stage_table, write_record
from blazeface.cli.lighten.timing import milliseconds
from blazeface.errors import BlazeFaceError
from blazeface.export.auxiliary import export_onnx, export_tflite
from blazeface.models.layouts import Lightened
from blazeface.models.light.lighten import Report, chosen, lighten
from blazeface.models.light.plan import plan, plan_table
from blazeface.models.light.saved import save_light
from blazeface.training.tasks.own import finetune, own_config

NAMES = ("inputs", "outputs")
"""Of the tensors in exported files."""


def run_own(args: argparse.Namespace) -> int:
    """Without a rule: print what each would save. With one: write the light network and print what it costs and gives."""
    if args.data is not None or args.finetune is not None:
        raise BlazeFaceError("--data and --finetune are for detectors: here the file's own score(), and --steps")
    print(f"blazeface lighten: running {args.weights}, as Python runs it", file=sys.stderr)
    own = open_own_file(args.weights)
    if args.steps is not None and (own.batches is None or own.loss is None):
        raise BlazeFaceError(f"{own.path}: --steps needs its functions batches(step) and loss(network, batch)")
    example = _example(own, args.input)
    with own_errors(f"calling the network on an input of shape {tuple(example.shape)}", own.path), torch.no_grad():
        own.network.eval()(example)
    if args.rule is None:
        print(plan_table(plan(own.network, example, args.groups)))
        return 0
    light, report, change = _lightened(own, args, example)
    print(report.markdown())
    args.out.mkdir(parents=True, exist_ok=True)
    stages = {"before": _scored(own, own.network), "after": _scored(own, light)}
    if args.steps is not None:
        tuned = _finetuned(own, light, args)
        if tuned is None:
            print(f"stopped; the same command goes on in {args.out}")
            return 130
        light = tuned
        stages["fine-tuned"] = _scored(own, light)
    save_light(light, [change], args.out / "light.safetensors")
    times, differences, faults = _timed(own, light, args, example)
    if own.score is not None:
        print(f"\n{stage_table(stages)}")
    print("\n| runtime | before, ms | after, ms |\n| --- | ---: | ---: |")
    for runtime, (before, after) in times.items():
        print(f"| {runtime} | {before:.3f} | {after:.3f} |")
    record = {
        "network": f"{own.path.name}:{own.title}",
        "rule": args.rule,
        "between": args.between,
        "init": args.init,
        "input": list(example.shape[1:]),
        "steps": args.steps,
        "learning_rate": args.learning_rate if args.steps else None,
        **dataclasses.asdict(report),
        "figures": stages,
        "milliseconds": times,
        "differences": differences,
    }
    write_record(args.out, record)
    for fault in faults:
        print(f"blazeface lighten: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _example(own: OwnFile, text: str | None) -> Tensor:
    """A batch of one: noise of the shape that was asked for, or the first input of batches(0)."""
    if text is not None:
        sizes = text.lower().split("x")
        if not 2 <= len(sizes) <= 4 or not all(size.isdecimal() and 1 <= int(size) <= 65_536 for size in sizes):
            raise BlazeFaceError(f"--input must be a shape such as 3x128x128, not {text}")
        return torch.randn(1, *map(int, sizes), generator=torch.Generator().manual_seed(0))
    if own.batches is None:
        raise BlazeFaceError(f"{own.path}: name the shape of one input with --input, as in --input 3x128x128")
    return _batch(own, 0)[0][:1]


def _batch(own: OwnFile, step: int) -> tuple[Tensor, ...]:
    assert own.batches is not None
    with own_errors(f"batches({step})", own.path):
        batch = tuple(own.batches(step))
    if not batch or not all(isinstance(part, Tensor) for part in batch) or not len(batch[0]):
        raise BlazeFaceError(f"{own.path}: batches({step}) must return a tuple of tensors, inputs first")
    return batch


def _lightened(own: OwnFile, args: argparse.Namespace, example: Tensor) -> tuple[nn.Module, Report, Lightened]:
    """A copy made light, the report, and the change as it is saved."""
    try:
        pattern = re.compile(args.only or "")
    except re.error as error:
        raise BlazeFaceError(f"--only: {args.only!r} is no regular expression: {error}") from error

    def where(name: str, _: object) -> bool:
        return pattern.search(name) is not None

    with own_errors("copying the network", own.path):
        light = copy.deepcopy(own.network)
    fixed: dict[str, Any] = {"where": where, "stem": args.stem, "groups": args.groups}
    names = chosen(light, args.rule, **fixed)
    if not names:
        raise BlazeFaceError(f"--rule {args.rule}: {own.path}: {own.title}() has no layer that it would change")
    try:
        report = lighten(light, args.rule, **fixed, between=args.between, init=args.init, example=example)
    except ValueError as error:
        raise BlazeFaceError(f"--rule {args.rule}: {error}") from error
    return light.eval(), report, Lightened(args.rule, tuple(names), args.groups, args.between)


def _scored(own: OwnFile, network: nn.Module) -> dict[str, float]:
    """What score() says of a network: its numbers by name, a single one as "score"; nothing where there is no score()."""
    if own.score is None:
        return {}
    with own_errors("score()", own.path), torch.no_grad():
        found = own.score(network.eval())
        named = found if isinstance(found, Mapping) else {"score": found}
        return {str(name): float(value) for name, value in named.items()}


def _finetuned(own: OwnFile, light: nn.Module, args: argparse.Namespace) -> nn.Module | None:
    assert own.loss is not None
    config = own_config(own.title, args.rule, args.steps, len(_batch(own, 0)[0]), args.learning_rate)

    def loss(model: Callable[[Tensor], Any], batch: Any) -> Any:
        assert own.loss is not None
        with own_errors("loss()", own.path):
            return own.loss(model, batch)

    return finetune(light, args.steps, lambda step: _batch(own, step), loss, config, args.out)


def _timed(
    own: OwnFile, light: nn.Module, args: argparse.Namespace, example: Tensor
) -> tuple[dict[str, tuple[float, float]], dict[str, float], list[BlazeFaceError]]:
    """Milliseconds of one input before and after by runtime, how far each exported file is from PyTorch, and what could not be
    exported. The files of before are written beside the others, as dense.onnx and dense.tflite."""
    networks = {"dense": own.network.eval(), "light": light.eval()}
    files: dict[str, tuple[Path, Path]] = {}
    differences: dict[str, float] = {}
    faults: list[BlazeFaceError] = []
    for kind in dict.fromkeys(args.format or ()):
        try:
            for name, network in networks.items():
                path = args.out / f"{name}.{kind}"
                about = f"{own.path.name}:{own.title}, {name}"
                with own_errors(f"exporting the {name} network as {kind}", own.path):
                    if kind == "onnx":
                        differences[path.name] = export_onnx(network, path, example.shape[1:], NAMES, {}, about)
                    else:
                        differences[path.name] = export_tflite(network, path, example.shape[1:], NAMES, {}, about)
            files[kind] = (args.out / f"dense.{kind}", args.out / f"light.{kind}")
        except BlazeFaceError as error:
            faults.append(error)
    return milliseconds(networks["dense"], networks["light"], example, files, args.threads), differences, faults
