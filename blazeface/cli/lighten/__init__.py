"""`blazeface lighten`: replace convolutions of a trained network by cheaper ones, and measure the loss and what fine-tuning regains."""

from __future__ import annotations

import argparse
from pathlib import Path

from blazeface.cli.lighten.own_file import is_own_file
from blazeface.cli.shared_flags import add_overwrite, refuse_unless
from blazeface.errors import BlazeFaceError, install_command
from blazeface.models.layouts import BETWEEN, RULES

MISSING = f"making weights light needs PyTorch and a few more: {install_command('train')}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "weights",
        metavar="WEIGHTS|FILE.py:FUNCTION",
        help="a .safetensors file, the name of a shipped model, or a network of your own: this Python file IS RUN, and the"
        " function, called without arguments, returns a torch.nn.Module",
    )
    add(
        "--rule",
        choices=RULES,
        help="what dense convolutions become (default: print what each rule would save, write nothing)",
    )
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
    add("--out", type=Path, metavar="DIR", help="where light.safetensors and lighten.json go")
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
    own = parser.add_argument_group(
        "a network of your own",
        "The file may also hold score(network) -> a number or a dict of numbers, batches(step) -> a tuple of tensors, inputs"
        " first, and loss(network, batch) -> a tensor of one number.",
    ).add_argument
    own("--input", metavar="CxHxW", help="shape of one input (default: that of batches(0))")
    own("--steps", type=int, metavar="N", help="fine-tune for so many steps, on batches() and loss()")
    own(
        "--format",
        nargs="+",
        choices=("onnx", "tflite"),
        help="also write light.onnx, light.tflite, and time them",
    )


def run(args: argparse.Namespace) -> int:
    """Check the flags, then see `detector.run_detector` and `own.run_own`."""
    _refuse(args)
    try:
        import torch

        from blazeface.cli.lighten.detector import run_detector
        from blazeface.cli.lighten.own import run_own
    except ImportError as error:
        raise BlazeFaceError(f"{MISSING} ({error})") from error
    torch.set_num_threads(max(1, args.threads))
    try:
        return run_own(args) if is_own_file(args.weights) else run_detector(args)
    except ImportError as error:
        raise BlazeFaceError(f"{MISSING} ({error})") from error


def _refuse(args: argparse.Namespace) -> None:
    """Raise BlazeFaceError for numbers and files that cannot be, before anything slow begins."""
    for flag, what in (("finetune", "epochs"), ("steps", "steps")):
        value = getattr(args, flag)
        if value is not None and not 1 <= value <= 100_000:
            raise BlazeFaceError(f"--{flag} must be 1 or more {what}, not {value}")
    for flag in ("val_pictures", "train_pictures", "groups"):
        value = getattr(args, flag)
        if value is not None and value < 1:
            raise BlazeFaceError(f"--{flag.replace('_', '-')} must be 1 or more, not {value}")
    if args.rule is None:
        if args.finetune or args.steps or args.format:
            raise BlazeFaceError("name a --rule: without one, only what each would save is printed")
        return
    if args.out is None:
        raise BlazeFaceError("name a folder with --out: what --rule makes is written there")
    stopped = (args.out / "checkpoint.pt").exists()  # a fine-tuning that goes on in its own folder
    made = ["lighten.json", *(f"light.{suffix}" for suffix in args.format or ())]
    made += [] if stopped else ["light.safetensors"]
    refuse_unless(args.overwrite, "--out", [args.out / name for name in made])
