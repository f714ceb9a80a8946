"""`blazeface train`: flags in, a trained, exported and scored model out."""

from __future__ import annotations

import argparse
import copy
import dataclasses
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from blazeface.cli.data.flags import add_label_flags
from blazeface.errors import BlazeFaceError
from blazeface.files.staged import write_text
from blazeface.spec import NAMED_SPECS, ModelSpec, named_spec
from blazeface.training.preflight import (
    claimed,
    load_data,
    require_batch,
    require_device,
    require_packages,
    tell_of_data,
)
from blazeface.training.runs.data_flags import keep_data_flags, restore_data_flags

if TYPE_CHECKING:
    from blazeface.models.network import BlazeFace
    from blazeface.training.checkpoint import Checkpoint
    from blazeface.training.config import TrainConfig
    from blazeface.training.distributed import Processes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        metavar="ROOT",
        help="folder of pictures and labels, or a label file (with --resume: by default the run's own)",
    )
    add_label_flags(parser)
    add(
        "--val-split",
        type=float,
        metavar="SHARE",
        help="score on this share of the pictures of train, drawn by their names, where there is no val (0.1, say)",
    )
    add(
        "--regions",
        type=Path,
        metavar="FILE",
        help="more ignore regions, and decoys to look at (docs/training.md)",
    )
    add("--out", type=Path, metavar="DIR", help="where the run's files go (default: the folder of --resume)")
    add("--resume", type=Path, metavar="DIR", help="go on with the run in this folder, exactly where it stopped")
    add("--accept-data", action="store_true", help="with --resume: go on although the training data has changed")
    recipe = parser.add_argument_group("recipe (fixed once a run has begun)")
    add = recipe.add_argument
    add("--model", help=f"what to train: {', '.join(sorted(NAMED_SPECS))} (default front-128)")
    add("--width", type=float, metavar="X", help="width multiplier of xception-aligned-128, in (0, 2]")
    add(
        "--init",
        metavar="NAME|FILE",
        help="start from these weights (a shipped model's name, a .safetensors file, or the folder of a run) instead of at"
        " random; with --model, put them into that model",
    )
    add(
        "--init-share",
        type=float,
        metavar="SHARE",
        help="end with weights that are this share --init's and the rest what was learnt, so that less of the old is lost"
        " (default 0; 0.6 for a few pictures of one's own)",
    )
    add(
        "--retain",
        type=Path,
        metavar="DIR",
        help="pictures of all that --init finds well (no labels needed): on them the network goes on answering as --init does",
    )
    add("--freeze", action="store_true", default=None, help="train the heads alone, keep the backbone of --init")
    add("--epochs", type=int, help="passes over the data (default 30; with --resume, more lengthen the run)")
    add("--batch", type=int, help="crops per step, in all processes together (default 32)")
    add(
        "--learning-rate",
        type=float,
        help="peak of the schedule (default 0.002, with --init less: docs/training.md)",
    )
    add("--decay", type=float, help="share of the run, at its end, in which the rate falls (default 1: all of it)")
    add("--warmup", type=int, help="steps up to the peak (default 500, with --init 50)")
    add("--ema", type=float, help="decay of the averaged weights (default 0.999)")
    add("--keypoint-weight", type=float, help="of the keypoints' loss beside that of the scores (default 2)")
    add(
        "--patience",
        type=int,
        metavar="N",
        help="end when N evaluations in a row were no better, with the best weights (default: the weights of the last step)",
    )
    add(
        "--licence", metavar="TEXT", help="terms that the files of the weights state (default: what --init states)"
    )
    add("--seed", type=int, help="of the first weights and of all crops (default 0)")
    machine = parser.add_argument_group("machine (may differ when resuming)")
    add = machine.add_argument
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: cuda where there is one")
    add("--threads", type=int, default=0, help="CPU threads of the network (default: all cores)")
    add("--workers", type=int, default=1, help="processes that prepare crops (default 1)")
    add("--cache-mb", type=int, default=4096, help="memory for decoded pictures (default 4096)")
    add("--checkpoint-minutes", type=float, default=3.0, help="time between checkpoints (default 3)")
    add("--evaluate-every", type=int, default=1, metavar="EPOCHS", help="epochs between evaluations (default 1)")
    add("--val-pictures", type=int, default=500, help="pictures of an evaluation on the way (default 500)")
    add("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Train, then write model.safetensors, model.onnx and report.json into the run's folder."""
    _check(args)
    restore_data_flags(args)
    require_packages()
    require_device(args.device)
    from blazeface.training.checkpoint import load_checkpoint
    from blazeface.training.distributed import join_processes

    processes = join_processes()
    checkpoint = load_checkpoint(args.resume) if args.resume else None
    config = _config(args, checkpoint)
    require_batch(config.batch, processes.world)
    with claimed(args.out or args.resume, args.resume) if processes.leads else nullcontext():
        return _train(args, config, checkpoint, processes)


def _train(
    args: argparse.Namespace, config: TrainConfig, checkpoint: Checkpoint | None, processes: Processes
) -> int:
    import torch

    from blazeface.data.regions import with_regions
    from blazeface.detector import FaceDetector
    from blazeface.models.weights import load_weights, save_weights
    from blazeface.training.distributed import card
    from blazeface.training.faces import FaceTrainer, rebuild
    from blazeface.training.finish import NetworkBackend, finish, val_score
    from blazeface.training.loop import Machine
    from blazeface.training.memory import keep_freed_memory
    from blazeface.training.retain import Retained, retained_pictures, seen_samples
    from blazeface.training.runs.initial import FILE_OF_INITIAL
    from blazeface.training.runs.labels_seen import LabelsSeen, check_same_data

    keep_freed_memory()
    torch.set_num_threads(args.threads or max(1, (os.cpu_count() or 1) // processes.world))
    out: Path = args.out or args.resume
    say = _say if processes.leads else lambda _: None
    network, initial = (rebuild(checkpoint), None) if checkpoint else _fresh(config, args)
    config = dataclasses.replace(config, model=network.spec.name)
    samples, val = load_data(args.data, args.val_split, say, args.format, args.category or ())
    if processes.leads:
        tell_of_data(samples, val, network.spec.input_size, config.crops)
    if args.regions:
        samples = with_regions(samples, args.regions)
    if checkpoint:
        planned = checkpoint.total, checkpoint.config.epochs, checkpoint.config.batch
        check_same_data(checkpoint.data, *planned, samples, args.accept_data)
    if config.patience and all(sample.ignore.all() for sample in val):
        raise BlazeFaceError("--patience: the pictures of val have no labelled face to tell the best weights by")
    if processes.leads:
        _write_config(out, config, args)
        if initial:
            save_weights(initial, out / FILE_OF_INITIAL)
        _say_what_differs(network, config, checkpoint)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if args.device == "auto" else args.device
    machine = Machine(
        device=card(device, processes, torch.cuda.device_count()),
        workers=args.workers,
        cache_mb=args.cache_mb,
        checkpoint_seconds=60 * args.checkpoint_minutes,
        evaluate_every=args.evaluate_every,
        quiet=args.quiet,
    )
    retained = None
    if args.retain:
        teacher = initial or load_weights(args.resume / FILE_OF_INITIAL)
        paths = retained_pictures(args.retain)
        detect = FaceDetector.from_backend(NetworkBackend(teacher)).detect
        retained = Retained(seen_samples(paths, detect, say), teacher)
    trainer = FaceTrainer(network, config, machine, processes, retained)
    if checkpoint:
        trainer.restore(checkpoint)
    if not trainer.train(samples, out, val_score(val, args.val_pictures)):
        if processes.leads:
            _say(f"stopped at step {trainer.step}; go on with --resume {out}")
        return 130
    if processes.leads:
        labels = LabelsSeen(**trainer.data)
        try:
            finish(trainer.ema.network, config, trainer.history, labels, samples, val, out)
        except KeyboardInterrupt:
            _say(f"interrupted when the training was over; --resume {out} writes the files that it ends with")
            return 130
    return 0


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _check(args: argparse.Namespace) -> None:
    """Refuse absurd machine flags by name (the recipe's are checked by TrainConfig)."""
    if args.out is None and args.resume is None:
        raise BlazeFaceError("--out is needed: the folder for the run's files")
    if args.init and args.resume:
        raise BlazeFaceError("--init and --resume exclude each other: a resumed run has weights of its own")
    if args.val_split is not None and not 0 < args.val_split < 1:
        raise BlazeFaceError(f"--val-split must lie between 0 and 1, not {args.val_split}")
    if args.init_share and args.model:
        raise BlazeFaceError(
            "--init-share and --model exclude each other: only a network's own weights can be averaged"
        )
    if args.init_share and not (args.init or args.resume):
        raise BlazeFaceError("--init-share needs --init: it is a share of those weights")
    if args.retain and args.model:
        raise BlazeFaceError("--retain and --model exclude each other: answers are compared anchor by anchor")
    if args.retain and not (args.init or args.resume):
        raise BlazeFaceError("--retain needs --init: it retains what those weights find")
    if args.freeze and not (args.init or args.resume):
        raise BlazeFaceError("--freeze needs --init: a random backbone is not worth keeping")
    for name, low, high in (
        ("threads", 0, 1024),
        ("workers", 0, 1024),
        ("cache_mb", 0, 2**40),
        ("evaluate_every", 1, 10**9),
        ("val_pictures", 1, 10**9),
    ):
        value = getattr(args, name)
        if not low <= value <= high:
            raise BlazeFaceError(
                f"--{name.replace('_', '-')} must be a number from {low:,} to {high:,}, not {value}"
            )
    if not 0 <= args.checkpoint_minutes < 1e6:
        raise BlazeFaceError(f"--checkpoint-minutes must be 0 or more, not {args.checkpoint_minutes}")


def _config(args: argparse.Namespace, checkpoint: Checkpoint | None) -> TrainConfig:
    """The recipe from the flags; of a resumed run, its own, which the flags must not contradict."""
    from blazeface.training.config import CHANGEABLE, FINE_TUNING, RECIPE_FLAGS, TrainConfig
    from blazeface.training.retain import fingerprint, retained_pictures
    from blazeface.training.runs.initial import described

    if args.model is not None:
        try:
            named_spec(args.model)
        except BlazeFaceError as error:
            raise BlazeFaceError(f"--model: {error}") from error
    before = None
    if checkpoint:
        # Of a run that began with --init and no --model, an earlier version kept front-128, whatever the network was.
        name = ModelSpec.from_json(checkpoint.spec).name
        before = dataclasses.replace(checkpoint.config, model=name)
    given = {name: getattr(args, name) for name in RECIPE_FLAGS if getattr(args, name, None) is not None}
    if args.keypoint_weight is not None:
        loss = (before or TrainConfig()).loss
        given["loss"] = dataclasses.replace(loss, keypoint_weight=args.keypoint_weight)
    retain = fingerprint(args.retain, retained_pictures(args.retain)) if args.retain else ""
    if before is None and args.init:
        frozen = bool(args.freeze or retain)
        given = FINE_TUNING | {"init": described(args.init), "freeze_norm": frozen, "retain": retain} | given
    if before and before.retain != retain and not (args.accept_data and before.retain and retain):
        raise BlazeFaceError(
            f"--resume: the pictures of --retain are not those that the run began with: {before.retain or 'none'} then,"
            f" {retain or 'none'} now; bring them back, or add --accept-data"
        )
    if before is None:
        return dataclasses.replace(TrainConfig(), **given)
    for name, value in given.items():
        own = getattr(before, name)
        may_change = name in CHANGEABLE and not (name == "epochs" and value < own)
        if own != value and not may_change:
            flag = f"--{name.replace('_', '-')}"
            if name == "loss":
                flag, own, value = "--keypoint-weight", own.keypoint_weight, value.keypoint_weight
            raise BlazeFaceError(f"{flag} {value} differs from {own} of the run in {args.resume}")
    return dataclasses.replace(before, **given, retain=retain)


def _fresh(config: TrainConfig, args: argparse.Namespace) -> tuple[BlazeFace, BlazeFace | None]:
    """The network of --init, else one at random; with both --init and --model, the weights in the model's place. Then the network
    of --init as it is, for the report."""
    import torch

    from blazeface.models.network import build
    from blazeface.training.runs.initial import in_model, load_network

    torch.manual_seed(config.seed)
    if args.init is None:
        return build(config.model, config.width), None
    if config.width:
        raise BlazeFaceError("--width is for a network that starts at random: --init brings its own layout")
    network = load_network(args.init)
    initial = copy.deepcopy(network)
    if args.model is not None:
        return in_model(network, config.model, args.init), initial
    # Crops are resampled in our own way, so that is what the network will expect from now on.
    network.spec = dataclasses.replace(network.spec, resampling="supersample")
    return network, initial


def _say_what_differs(network: BlazeFace, config: TrainConfig, checkpoint: Checkpoint | None) -> None:
    """Keypoints that no label has; and that a run which is lengthened gets the schedule of the longer one."""
    from blazeface.spec import KEYPOINT_NAMES
    from blazeface.training.optim import learning_rate

    unknown = [name for name in network.spec.keypoint_names if name not in KEYPOINT_NAMES]
    if unknown:
        _say(
            f"keypoints that no label has, left untrained: {', '.join(unknown)} (known: {', '.join(KEYPOINT_NAMES)})"
        )
    if checkpoint and config.epochs != checkpoint.config.epochs:
        before, step = checkpoint.config, checkpoint.step
        then = learning_rate(max(0, step - 1), checkpoint.total, before)
        now = learning_rate(step, checkpoint.total // before.epochs * config.epochs, config)
        _say(
            f"--epochs: {config.epochs} in place of {before.epochs}; the learning rate goes from {then:.2g} to {now:.2g}, as in"
            f" a run of {config.epochs} epochs"
        )


def _write_config(out: Path, config: TrainConfig, args: argparse.Namespace) -> None:
    keep_data_flags(args, out)
    write_text(out / "config.json", config.to_json() + "\n")
