"""`blazeface data`: look at labelled pictures before training; unpack WIDER FACE."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from blazeface.cli.data.flags import add_label_flags
from blazeface.cli.shared_flags import add_overwrite, refuse_unless
from blazeface.data.check import draw
from blazeface.data.check.split import NAMED, SplitCheck, check_split, split_text
from blazeface.data.check.survey import look_at, same_pictures
from blazeface.data.crops import CropRecipe, views_for
from blazeface.data.formats import find_labels, unread_labels
from blazeface.data.labels import NoLabels
from blazeface.data.prepare import prepare
from blazeface.data.samples import SPLITS, read_labels
from blazeface.errors import BlazeFaceError, install_command
from blazeface.files.names import listed, printable
from blazeface.files.staged import write_errors
from blazeface.models.named_layouts import NAMED_LAYOUTS
from blazeface.spec import NAMED_SPECS

DRAWN = (
    "check.json",
    "sizes.png",
    "train.png",
    "val.png",
    "batches.png",
    "turned.png",
    "doubtful.png",
    "duplicates.png",
)
"""What a check may write into the folder of --out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(
        dest="action", required=True, metavar="check|prepare", parser_class=argparse.ArgumentParser
    )
    check = commands.add_parser("check", help="count, look for faults, and draw sheets of labels and batches")
    add = check.add_argument
    add("root", type=Path, metavar="ROOT", help="folder of pictures and labels, or a label file")
    add("--out", type=Path, metavar="DIR", help="write check.json, sizes.png and the contact sheets")
    add_overwrite(check)
    add_label_flags(check)
    add(
        "--model",
        default="front-128",
        metavar="NAME|FILE",
        help="whose input: a named model, or what train's --init takes (default front-128)",
    )
    add("--seed", type=int, default=0, help="of the batches, as for train (default 0)")
    add("--quiet", action="store_true", help="no progress bar")
    unpack = commands.add_parser("prepare", help="unpack WIDER FACE's zips and check what is in them")
    add = unpack.add_argument
    add("zips", type=Path, metavar="FOLDER", help="where the zips lie")
    add("--out", type=Path, required=True, metavar="ROOT", help="the data folder to make")
    add("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Status 1 where training would refuse the data, or pictures of it are missing or broken."""
    if args.action == "prepare":
        for line in prepare(args.zips, args.out, args.quiet):
            print(line)
        return 0
    if args.seed < 0:
        raise BlazeFaceError(f"--seed must be 0 or more, not {args.seed}")
    if args.out:
        refuse_unless(args.overwrite, "--out", [args.out / name for name in DRAWN])
        with write_errors(args.out):
            args.out.mkdir(parents=True, exist_ok=True)
    size, recipe = _input_of(args.model)
    splits = _checked(args, size, recipe)
    train, val = splits["train"], splits.get("val")
    both = same_pictures(val.looks, train.looks) if val else []
    if val and both:
        i, j = both[0]
        names = printable(f"{val.samples[i].path} and {train.samples[j].path}")
        print(f"{len(both):,} pictures of val look like one of train: {names}")
    refused = [] if train.counts.faces else ["no face is labelled in train"]
    refused += [f"no picture of {split} can be read" for split, check in splits.items() if not check.readable]
    for sentence in refused:
        print(f"training refuses this: {sentence}")
    if args.out:
        _write(args, splits, both, size, recipe)
    return 1 if refused or any(check.missing or check.broken for check in splits.values()) else 0


def _input_of(model: str) -> tuple[int, CropRecipe]:
    """Side of the input of a model in pixels, and the recipe of what it gets to see. Weights of one's own are read with PyTorch."""
    if model in NAMED_SPECS:
        spec, strides = NAMED_SPECS[model], NAMED_LAYOUTS[model].strides
    else:
        try:
            from blazeface.training.runs.initial import load_network
        except ImportError as error:
            raise BlazeFaceError(
                f"--model: weights of one's own are read with PyTorch: {install_command('train')} ({error})"
            ) from error
        network = load_network(model)
        spec, strides = network.spec, network.layout.strides
    return spec.input_size, views_for(CropRecipe(), spec.input_size, max(strides))


def _checked(args: argparse.Namespace, size: int, recipe: CropRecipe) -> dict[str, SplitCheck]:
    """Each split that there is; each is printed as soon as it is known. size: side of the model's input in pixels."""
    splits: dict[str, SplitCheck] = {}
    read: list[Path] = []
    for split in SPLITS:
        try:
            found = find_labels(args.root, split, args.format, args.category or ())
        except NoLabels as error:
            if split == "train":
                raise
            print(printable(f"{error}; train takes --val-split 0.1"))
            continue
        read.append(found.labels)
        samples = read_labels(found, print)
        looks = look_at([sample.path for sample in samples], args.quiet)
        inside = found.labels.is_relative_to(args.root) and found.labels != args.root
        labels = str(found.labels.relative_to(args.root) if inside else found.labels)
        splits[split] = check_split(split, found.form, labels, samples, looks, size, recipe)
        print(split_text(splits[split]))
    if args.root.is_dir() and (unread := unread_labels(args.root, read)):
        names = listed([str(path.relative_to(args.root)) for path in unread], NAMED)
        print(
            f"these labels are there as well, and are not read: {names} (--format, or the file itself, takes others)"
        )
    return splits


def _write(
    args: argparse.Namespace,
    splits: dict[str, SplitCheck],
    both: list[tuple[int, int]],
    size: int,
    recipe: CropRecipe,
) -> None:
    """All files that there is something for; one that cannot be drawn is said, the others are written."""
    train = splits["train"]
    wanted: dict[str, Callable[[Path], None]] = {
        "check.json": lambda path: draw.write_numbers(splits, both, path),
        "sizes.png": lambda path: draw.write_sizes(splits, path),
    }
    for split, check in splits.items():
        if check.readable:
            wanted[f"{split}.png"] = lambda path, check=check: draw.write_labels(check, path)  # type: ignore[misc]
    if train.readable:
        wanted["batches.png"] = lambda path: draw.write_batches(train, size, recipe, args.seed, path)
    if any(check.turned for check in splits.values()):
        wanted["turned.png"] = lambda path: draw.write_turned(splits, path)
    if any(check.doubts for check in splits.values()):
        wanted["doubtful.png"] = lambda path: draw.write_doubtful(splits, path)
    if both:
        wanted["duplicates.png"] = lambda path: draw.write_duplicates(splits, both, path)
    written = []
    for name, write in wanted.items():
        try:
            with write_errors(args.out / name):
                write(args.out / name)
            written.append(name)
        except BlazeFaceError as error:
            print(printable(str(error)))
    print(f"written to {args.out}: {', '.join(written)}")
