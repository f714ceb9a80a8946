"""What a run keeps: which data it saw, its best weights, where it started; and how it goes on."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from small_network import small_network
from wider_material import write_data

from blazeface.data.samples import load_split
from blazeface.errors import BlazeFaceError
from blazeface.models.network import BlazeFace, build
from blazeface.models.origin import Origin
from blazeface.models.torch_archive import load_archive
from blazeface.models.weights import load_weights, save_weights
from blazeface.training.checkpoint import load_checkpoint
from blazeface.training.config import TrainConfig
from blazeface.training.distributed import Processes, card
from blazeface.training.faces import FaceTrainer, Score, point_columns, with_points
from blazeface.training.finish import averaged_with, best_network, origin_of
from blazeface.training.loop import Machine
from blazeface.training.runs.best import (
    FILE,
    best_evaluation,
    deciding_figure,
    evaluations_since_best,
    keep_if_best,
)
from blazeface.training.runs.data_flags import keep_data_flags, restore_data_flags
from blazeface.training.runs.initial import described, finished_network, in_model, load_network
from blazeface.training.runs.labels_seen import LabelsSeen, check_same_data

NAN = float("nan")
MACHINE = Machine(workers=0, quiet=True)
CONFIG = TrainConfig(epochs=6, batch=8, warmup=2, seed=3)  # 24 pictures: 3 steps an epoch


def trainer(config: TrainConfig) -> FaceTrainer:
    torch.manual_seed(config.seed)
    return FaceTrainer(small_network(), config, MACHINE, Processes())


def scores(*values: float) -> Score:
    left = list(values)
    return lambda network: {"AP >=.05": left.pop(0)}


def test_the_data_is_known_by_its_labels_wherever_it_lies(tmp_path: Path) -> None:
    first, second = (load_split(write_data(tmp_path / name), "train") for name in ("one", "other"))
    seen = LabelsSeen.of(first)
    assert (seen.pictures, seen.faces) == (24, 24)
    assert LabelsSeen.of(second) == seen
    assert LabelsSeen.of(first[::-1]) != seen  # the draws follow from the order
    moved = [dataclasses.replace(first[0], boxes=first[0].boxes + np.float32(1)), *first[1:]]
    assert LabelsSeen.of(moved).sha256 != seen.sha256
    ignored = [dataclasses.replace(first[0], ignore=np.ones(1, bool)), *first[1:]]
    assert LabelsSeen.of(ignored).faces == 23


def test_other_data_is_one_sentence_with_the_choice(tiny_data: Path) -> None:
    samples = load_split(tiny_data, "train")
    before = LabelsSeen.of(samples).to_dict()
    check_same_data(before, 18, 6, 8, samples, False)
    with pytest.raises(
        BlazeFaceError, match=r"24 pictures with 24 faces then, 20 pictures with 20 faces now; .* --accept-data"
    ):
        check_same_data(before, 18, 6, 8, samples[:20], False)
    moved = [dataclasses.replace(samples[0], boxes=samples[0].boxes + np.float32(1)), *samples[1:]]
    with pytest.raises(BlazeFaceError, match="24 faces, some of other names or labels then"):
        check_same_data(before, 18, 6, 8, moved, False)
    check_same_data(before, 18, 6, 8, samples[:20], True)
    # A checkpoint of an earlier version tells by its number of steps alone.
    check_same_data({}, 18, 6, 8, moved, False)
    with pytest.raises(BlazeFaceError, match=r"about 24 pictures then, 9 pictures .* epochs of 3 steps as before"):
        check_same_data({}, 18, 6, 8, samples[:9], False)


def test_with_more_data_the_schedule_stays(tiny_data: Path, tmp_path: Path) -> None:
    """No jump of the rate, and the number of steps that was planned."""
    samples = load_split(tiny_data, "train")
    checkpoint = trainer(CONFIG).checkpoint(18)
    checkpoint.step = 17
    for data in (samples + samples, samples[:2]):
        run = trainer(CONFIG)
        run.restore(checkpoint)
        assert run.train(data, tmp_path, scores(0.5))
        assert run.step == 18
    assert load_checkpoint(tmp_path).data["pictures"] == 2
    assert load_checkpoint(tmp_path).ended


def test_the_best_is_the_first_of_the_highest() -> None:
    rows = [{"AP >=.05": value, "AP >=.1": 1.0} for value in (0.1, 0.4, 0.3, 0.4, 0.2)]
    assert best_evaluation(rows) == 1
    assert evaluations_since_best(rows) == 3
    assert deciding_figure({"AP >=.05": NAN, "AP >=.1": 0.7}) == 0.7
    assert best_evaluation([{"AP": 1.0}, {"AP >=.1": NAN}]) is None
    assert evaluations_since_best([{"AP": 1.0}] * 9) == 0
    assert best_evaluation([]) is None


def test_only_the_best_is_kept(tmp_path: Path) -> None:
    network = small_network()
    with torch.no_grad():
        history = []
        for value in (0.2, 0.5, 0.3):
            network.get_parameter("score_heads.0.bias").fill_(value)
            history.append({"AP >=.05": value})
            keep_if_best(network, history, tmp_path)
    assert load_weights(tmp_path / FILE).get_parameter("score_heads.0.bias")[0] == 0.5


def test_a_run_out_of_patience_ends_there_and_a_resumed_one_as_well(tiny_data: Path, tmp_path: Path) -> None:
    samples = load_split(tiny_data, "train")
    config = dataclasses.replace(CONFIG, patience=2)
    run = trainer(config)
    assert run.train(samples, tmp_path, scores(0.1, 0.4, 0.3, 0.4, 0.9, 0.9))
    assert run.step == 12  # the fourth evaluation is the second in a row that is not better
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint.ended and checkpoint.step == 12 and checkpoint.total == 18
    best = best_network(run.ema.network, config, run.history, tmp_path)
    assert any(not torch.equal(a, b) for a, b in zip(best.parameters(), run.ema.network.parameters(), strict=True))
    again = trainer(config)
    again.restore(checkpoint)
    assert again.train(samples, tmp_path, scores())
    assert again.step == 12
    # More patience goes on.
    longer = trainer(dataclasses.replace(config, patience=3))
    longer.restore(checkpoint)
    assert longer.train(samples, tmp_path, scores(0.3))
    assert longer.step == 15


def test_without_patience_a_run_ends_with_its_last_weights(tmp_path: Path) -> None:
    network = small_network()
    save_weights(network, tmp_path / FILE)
    assert best_network(network, CONFIG, [{"AP >=.05": 1.0, "epoch": 1}], tmp_path) is network


def test_a_best_file_that_is_gone_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = small_network()
    config = dataclasses.replace(CONFIG, patience=2)
    assert best_network(network, config, [{"AP >=.05": 1.0, "epoch": 4}], tmp_path) is network
    assert "best.safetensors is gone: the run ends with its last weights" in capsys.readouterr().out


def test_frozen_batch_norms_keep_their_statistics(tiny_data: Path, tmp_path: Path) -> None:
    """The running means of a frozen backbone are part of it."""
    samples = load_split(tiny_data, "train")
    moved = {}
    for frozen in (True, False):
        run = trainer(dataclasses.replace(CONFIG, epochs=1, freeze=True, freeze_norm=frozen))
        before = {name: value.clone() for name, value in run.network.state_dict().items()}
        run.train(samples, tmp_path / str(frozen), scores(0.5))
        after = {**run.network.state_dict(), **{f"ema.{k}": v for k, v in run.ema.network.state_dict().items()}}
        moved[frozen] = {k for k, v in after.items() if not torch.equal(v, before[k.removeprefix("ema.")])}
    assert moved[True] and all("heads" in name for name in moved[True])
    assert any("running_mean" in name for name in moved[False])


def test_keypoints_are_mapped_by_name(tiny_data: Path) -> None:
    five = ("right_eye", "left_eye", "nose_tip", "mouth_right", "left_ear")
    assert point_columns(small_network().spec.keypoint_names) is None
    assert point_columns(five) == [0, 1, 2, -1, 5]
    run = trainer(CONFIG)
    batch = next(iter(run._loader(load_split(tiny_data, "train"), 0, 3, 64)))
    batch.visibility[:] = 2
    mapped = with_points(batch, point_columns(five))
    assert mapped.keypoints.shape[2:] == (5, 2)
    assert torch.equal(mapped.keypoints[:, :, 4], batch.keypoints[:, :, 5])
    assert (mapped.visibility == torch.tensor([2, 2, 2, 0, 2])).all()


def test_a_network_of_five_points_learns_those_that_are_known(tiny_data: Path, tmp_path: Path) -> None:
    names = ("right_eye", "left_eye", "nose_tip", "mouth_right", "mouth_left")
    spec = dataclasses.replace(small_network().spec, keypoint_names=names)
    torch.manual_seed(0)
    run = FaceTrainer(
        BlazeFace(spec, small_network().layout), dataclasses.replace(CONFIG, epochs=1), MACHINE, Processes()
    )
    assert run.train(load_split(tiny_data, "train"), tmp_path, scores(0.5))
    assert run.network.spec.num_coords == 14


def test_data_flags_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "faces").mkdir()
    keep_data_flags(
        argparse.Namespace(data=Path("faces"), regions=None, val_split=0.2, category=["mask"], other=1), run
    )
    args = argparse.Namespace(data=None, regions=None, val_split=None, category=[], resume=run)
    restore_data_flags(args)
    assert (args.data, args.regions, args.val_split, args.category) == (tmp_path / "faces", None, 0.2, ["mask"])
    said = argparse.Namespace(data=Path("elsewhere"), regions=None, val_split=None, resume=run)
    restore_data_flags(said)
    assert (said.data, said.val_split) == (
        Path("elsewhere"),
        0.2,
    )  # where the data lies now; the rest is as before
    (tmp_path / "faces").rmdir()
    with pytest.raises(
        BlazeFaceError, match=r"the run's --data was .*faces, which is not here: --data names where"
    ):
        restore_data_flags(argparse.Namespace(data=None, regions=None, val_split=None, resume=run))
    (run / "data.json").write_text("{}")
    with pytest.raises(BlazeFaceError, match=r"data\.json: not readable: .*name the data with --data"):
        restore_data_flags(argparse.Namespace(data=None, regions=None, val_split=None, resume=run))
    for resume in (None, tmp_path):
        with pytest.raises(BlazeFaceError, match="--data is needed"):
            restore_data_flags(argparse.Namespace(data=None, regions=None, val_split=None, resume=resume))


def test_networks_by_name_file_and_run(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load_network("front-128").spec.name == "front-128"
    assert described("front-128").startswith("front-128 (sha256 ")
    run = trainer(dataclasses.replace(CONFIG, epochs=1))
    run.train(load_split(tiny_data, "train"), tmp_path, scores(0.5))
    averaged = run.ema.network.state_dict()
    for name in (str(tmp_path), str(tmp_path / "checkpoint.pt")):
        found = finished_network(name)
        assert all(torch.equal(value, averaged[key]) for key, value in found.state_dict().items())
        assert not found.training
        assert "the run stands at step 3 of 3; its averaged weights so far" in capsys.readouterr().err
    # What an ended run has written is calibrated, and is what is exported; a run starts from what was learnt.
    save_weights(small_network(), tmp_path / "model.safetensors")
    own = small_network().state_dict()
    assert all(torch.equal(value, own[key]) for key, value in finished_network(str(tmp_path)).state_dict().items())
    assert torch.equal(load_network(str(tmp_path)).state_dict()["stem.0.weight"], averaged["stem.0.weight"])
    with pytest.raises(BlazeFaceError, match=r"a folder without checkpoint\.pt is no training run"):
        load_network(str(tiny_data))
    with pytest.raises(BlazeFaceError, match=r"none\.safetensors: no such weights file"):
        described(str(tmp_path / "none.safetensors"))


def test_weights_in_a_model_that_they_do_not_fit_are_refused() -> None:
    with pytest.raises(BlazeFaceError, match="--init: the weights in x do not fit front-128"):
        in_model(small_network(), "front-128", "x")
    network = build("paper-128")
    network.origin = Origin("somewhere")
    assert in_model(network, "paper-128", "x").origin == Origin("somewhere")


def test_the_share_of_the_initial_weights() -> None:
    """A quarter of the way back, batch norms' statistics as well; whole numbers are counts and stay."""
    first, tuned = small_network(), small_network()
    with torch.no_grad():
        for value in tuned.state_dict().values():
            value.add_(4)
    mixed = averaged_with(tuned, first, 0.25)
    for name, value in mixed.state_dict().items():
        expected = tuned.state_dict()[name] - (1 if value.is_floating_point() else 0)
        assert torch.allclose(value, expected, atol=1e-5), name
    for share in (1.0, -0.1, NAN):
        with pytest.raises(BlazeFaceError, match="--init-share must lie in"):
            TrainConfig(init_share=share)


def test_the_origin_grows_with_each_run() -> None:
    network = small_network()
    network.origin = Origin("made by hand", "research only", "a thousand faces.")
    labels = LabelsSeen(200, 300, "ab" * 32)
    own = origin_of(network, TrainConfig(init="front-128 (sha256 1)"), labels)
    assert own.origin.endswith("from front-128 (sha256 1)")
    assert own.licence == "research only"
    assert (
        own.training_data == "a thousand faces. Then: 200 pictures with 300 faces (labels sha256 abababababababab)"
    )
    network.origin = Origin()
    assert origin_of(network, TrainConfig(licence="CC0"), labels).licence == "CC0"
    assert origin_of(network, TrainConfig(), labels).licence.startswith("not stated")


def test_each_process_of_a_machine_has_a_card_of_its_own() -> None:
    assert [card("cuda", Processes(rank, 4, rank % 2, 2), 2) for rank in range(4)] == ["cuda:0", "cuda:1"] * 2
    assert card("cuda", Processes(), 1) == "cuda"
    assert card("cpu", Processes(1, 2, 1, 2), 0) == "cpu"
    with pytest.raises(BlazeFaceError, match="2 processes on this machine have 1 card; each needs one of its own"):
        card("cuda", Processes(0, 2, 0, 2), 1)


def test_a_checkpoint_of_before_loads(tmp_path: Path, tiny_data: Path) -> None:
    """Fields that were added have defaults, in the checkpoint and in its recipe."""
    run = trainer(dataclasses.replace(CONFIG, epochs=1))
    run.train(load_split(tiny_data, "train"), tmp_path, scores(0.5))
    data = load_archive(tmp_path / "checkpoint.pt")
    config = json.loads(data["config"])
    for name in ("freeze_norm", "init", "patience", "licence", "init_share"):
        del config[name]
    for name in ("data", "origin", "ended"):
        del data[name]
    torch.save({**data, "config": json.dumps(config)}, tmp_path / "checkpoint.pt")
    found = load_checkpoint(tmp_path)
    assert (found.data, found.ended, found.config.patience) == ({}, False, 0)
    assert found.config == dataclasses.replace(CONFIG, epochs=1)
