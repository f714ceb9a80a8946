"""Checkpoints that lie about their tensors are refused before PyTorch takes memory for them."""

from __future__ import annotations

import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from blazeface.models import torch_archive
from blazeface.models.torch_archive import check_archive, load_archive
from blazeface.training.checkpoint import FILE, load_checkpoint, save_checkpoint
from blazeface.training.config import TrainConfig
from blazeface.training.distributed import Processes
from blazeface.training.faces import FaceTrainer, rebuild
from blazeface.training.loop import Machine
from reliability.material import tiny_network


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(FaceTrainer(tiny_network(0), TrainConfig(), Machine(), Processes()).checkpoint(9), folder)
    return folder / FILE


def saved(value: Any, path: Path) -> Path:
    torch.save(value, path)
    return path


def test_a_checkpoint_passes(good: Path) -> None:
    check_archive(good.read_bytes())
    rebuild(load_checkpoint(good.parent))


def test_tensors_in_any_order_of_axes_pass(tmp_path: Path) -> None:
    kept = {
        "last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "turned": torch.randn(3, 4).T.contiguous().T,
        "number": torch.tensor(3),
        "none": torch.zeros(0, 3),
        "half": torch.zeros(3, dtype=torch.float16),
        "truth": torch.ones(2, dtype=torch.bool),
    }
    found = load_archive(saved(kept, tmp_path / "x.pt"))
    assert all(torch.equal(found[name], tensor) for name, tensor in kept.items())


class Malice:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (print, ("run!",))


def test_pytorch_s_own_refusal_stands_behind_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = saved({"step": Malice()}, tmp_path / "x.pt")
    with pytest.raises(ValueError):
        load_archive(path)
    monkeypatch.setattr(torch_archive, "check_archive", lambda data: None)
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        load_archive(path)
    assert "run!" not in capfd.readouterr().out


def rewritten(
    source: Path, path: Path, change: Callable[[str, bytes], bytes | None], compress: int = zipfile.ZIP_STORED
) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", compress) as new:
        for entry in old.infolist():
            data = change(entry.filename, old.read(entry))
            if data is not None:
                new.writestr(entry.filename, data)
    return path


def expanded(path: Path) -> Path:
    """A gigabyte of one number."""
    return saved({"network": torch.zeros(1).expand(1 << 28)}, path)


def two_on_each_other(path: Path) -> Path:
    whole = torch.zeros(100)
    return saved({"a": whole, "b": whole[:50]}, path)


def with_holes(path: Path) -> Path:
    return saved({"a": torch.zeros(100)[::2]}, path)


def longer_than_its_entry(path: Path) -> Path:
    """The pickle speaks of 100 numbers, the entry has 25."""
    whole = saved({"a": torch.zeros(100)}, path.with_name("whole.pt"))
    return rewritten(whole, path, lambda name, data: data[:100] if name.endswith("data/0") else data)


def without_its_entry(path: Path) -> Path:
    whole = saved({"a": torch.zeros(100)}, path.with_name("whole.pt"))
    return rewritten(whole, path, lambda name, data: None if name.endswith("data/0") else data)


def compressed(path: Path) -> Path:
    whole = saved({"a": torch.zeros(1 << 24)}, path.with_name("whole.pt"))
    return rewritten(whole, path, lambda name, data: data, zipfile.ZIP_DEFLATED)


def with_pickle(data: bytes, path: Path) -> Path:
    whole = saved({"a": torch.zeros(4)}, path.with_name("whole.pt"))
    return rewritten(whole, path, lambda name, old: data if name.endswith("data.pkl") else old)


def named_twice(path: Path) -> Path:
    saved({"a": torch.zeros(4)}, path)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr(archive.namelist()[0], b"N.")
    return path


def old_format(path: Path) -> Path:
    torch.save({"a": torch.zeros(4)}, path, _use_new_zipfile_serialization=False)
    return path


def cycle() -> bytes:
    """A list that holds itself."""
    held: list[Any] = []
    held.append(held)
    return pickle.dumps(held, 2)


LIES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a stride of zero": (expanded, "has numbers that lie on each other"),
    "tensors that overlap": (two_on_each_other, "two of its tensors lie on each other"),
    "a tensor with holes": (with_holes, "has numbers that lie on each other"),
    "a storage longer than its entry": (longer_than_its_entry, "its storage 0 is not of the 100 numbers that it says"),
    "a storage that is not there": (without_its_entry, "its storage 0 is not of the 100 numbers that it says"),
    "compressed entries": (compressed, "its entries are compressed"),
    "an entry twice": (named_twice, "two of its entries have one name"),
    "the old format": (old_format, "it is no archive"),
    "no archive": (lambda path: (path.write_bytes(b"PK" * 99) and path) or path, "it is no archive"),
    "a byte array of gigabytes": (
        partial(with_pickle, b"\x80\x02c__builtin__\nbytearray\n\x8a\x05\x00\x00\x00\x00\x02\x85R."),
        "its pickle names __builtin__.bytearray",
    ),
    "a memo of gigabytes": (partial(with_pickle, b"\x80\x02]r\xff\xff\xff\x7f."), "its pickle is too long, or made so"),
    "a call": (partial(with_pickle, pickle.dumps(print, 2)), "its pickle names __builtin__.print"),
    "an object": (partial(with_pickle, b"\x80\x02cos\nsystem\n)\x81."), "its pickle holds the step NEWOBJ"),
    "a million lists": (partial(with_pickle, b"\x80\x02(" + b"]" * 1_000_000 + b"t."), "its pickle is too long"),
    "a pickle without an end": (partial(with_pickle, b"\x80\x02]"), "pickle exhausted before seeing STOP"),
    "a tensor of no storage": (
        partial(with_pickle, b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(NK\x00))\x89}tR."), "a tensor of its is no tensor",
    ),
    "too few arguments": (partial(with_pickle, b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R."), "its pickle cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("kind", LIES)
def test_lies_are_found_before_anything_is_built(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, words = LIES[kind]
    path = make(tmp_path / "x.pt")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("was handed to PyTorch"))
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        load_archive(path)


def test_a_list_that_holds_itself_is_no_checkpoint(tmp_path: Path) -> None:
    from blazeface.errors import BlazeFaceError

    with_pickle(cycle(), tmp_path / FILE)
    with pytest.raises(BlazeFaceError, match="not a readable checkpoint"):
        load_checkpoint(tmp_path)


MEASURE = """
import resource, sys
from pathlib import Path
from blazeface.errors import BlazeFaceError
from blazeface.models.weights import load_weights
from blazeface.training.checkpoint import load_checkpoint
from blazeface.training.faces import rebuild
good, *others = map(Path, sys.argv[1:])
rebuild(load_checkpoint(good))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for other in others:
    try:
        load_weights(other) if other.is_file() else rebuild(load_checkpoint(other))
    except BlazeFaceError as error:
        print(str(error)[:200], file=sys.stderr)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts kilobytes as Linux does")
def test_a_file_of_a_megabyte_takes_no_more_than_64(good: Path, tmp_path: Path) -> None:
    """Each kind of lie, and honest files whose layout, or whose spec, asks for much."""
    from dataclasses import replace

    from safetensors.torch import save_file

    from blazeface.models.layouts import Block, Layout
    from blazeface.models.weights import LAYOUT_KEY
    from blazeface.spec import METADATA_KEY, AnchorMap

    others: list[Any] = []
    for kind, (make, _) in LIES.items():
        if kind != "compressed entries":  # made by way of a large file
            folder = tmp_path / str(len(others))
            folder.mkdir()
            make(folder / FILE)
            others.append(folder)
    network = tiny_network(0)
    blocks = tuple(Block(4096, bottleneck=4096) for _ in range(200))
    wide = Layout(
        4096, 3, (Block(4096, stride=2, feeds_head=True), *blocks, Block(4096, stride=2, feeds_head=True))
    )
    many = replace(network.spec, anchor_maps=(AnchorMap(256, (0.2,) * 4),))
    told = torch.load(good, weights_only=True)
    for number, (spec, layout) in enumerate(((network.spec, wide), (many, network.layout))):
        folder = tmp_path / f"layout{number}"
        folder.mkdir()
        torch.save({**told, "spec": spec.to_json(), "layout": layout.to_json()}, folder / FILE)
        path = tmp_path / f"{number}.safetensors"
        tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        save_file(tensors, path, {METADATA_KEY: spec.to_json(), LAYOUT_KEY: layout.to_json()})
        others += [folder, path]
    assert all(
        (path / FILE if path.is_dir() else path).stat().st_size <= 1 << 20 for path in others if path.name != "13"
    )
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(good.parent), *map(str, others)],
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.split()[-1]) <= 64, run.stderr
    assert run.stderr.count("\n") == len(others)
