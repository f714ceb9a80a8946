"""The second stage's network: its places, its weights on disk, its file, and that both kinds learn."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from blazeface.crop import CropSpec
from blazeface.data.face_crops import FaceCrops
from blazeface.errors import BlazeFaceError
from blazeface.export.refine import export_refine, export_refine_tflite
from blazeface.models.blocks import SameConv2d
from blazeface.models.cost import count
from blazeface.models.refine import (
    KINDS,
    RefineNet,
    SecondStage,
    build_refine,
    lightened_refine,
    load_refine,
    save_refine,
)
from blazeface.refine import KeypointRefiner
from blazeface.training.tasks.refine import keypoint_loss, refine_config, train_refine

COSTS = {
    "dense": (145_294, 15_040_512),
    "separable": (26_174, 3_457_536),
    "residual": (407_764, 14_862_336),
    "residual-separable": (74_228, 2_627_328),
}


def seen(kind: str, size: int = 64) -> SecondStage:
    torch.manual_seed(0)
    network = build_refine(kind, CropSpec(size=size))
    with torch.no_grad():
        network(torch.randn(4, 3, size, size))
    return network.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_cost_and_folding(kind: str) -> None:
    network = seen(kind)
    folded = network.folded()
    assert not [m for m in folded.modules() if isinstance(m, nn.BatchNorm2d)]
    cost = count(folded, torch.zeros(1, 3, 64, 64))
    assert (cost.parameters, cost.macs) == COSTS[kind]
    crops = torch.randn(2, 3, 64, 64)
    assert torch.allclose(network(crops), folded(crops), atol=1e-5)


def test_a_hot_cell_is_a_place() -> None:
    network = seen("dense")
    assert isinstance(network, RefineNet)
    hot = torch.full((1, 6, 16, 16), -50.0)
    for keypoint in range(6):
        hot[0, keypoint, 3, 2 * keypoint] = 50.0
    network.heat.register_forward_hook(lambda *_: hot)
    expected = [[(2 * k + 0.5) / 16, 3.5 / 16] for k in range(6)]
    np.testing.assert_allclose(network(torch.zeros(1, 3, 64, 64))[0].detach(), expected, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_find_back(kind: str, tmp_path: Path) -> None:
    network = seen(kind)
    save_refine(network, tmp_path / "x.safetensors")
    loaded = load_refine(tmp_path / "x.safetensors")
    assert loaded.kind == kind and loaded.spec == network.spec
    crops = torch.randn(1, 3, 64, 64)
    assert torch.equal(loaded(crops), network(crops))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(BlazeFaceError, match="no such weights file"):
        load_refine(tmp_path / "none.safetensors")
    (tmp_path / "x.safetensors").write_bytes(b"junk")
    with pytest.raises(BlazeFaceError, match="not a readable safetensors file"):
        load_refine(tmp_path / "x.safetensors")
    detector = Path(__file__).parents[2] / "blazeface" / "weights" / "front-128.safetensors"
    with pytest.raises(BlazeFaceError, match="holds no second stage"):
        load_refine(detector)
    with pytest.raises(BlazeFaceError, match="unknown kind"):
        build_refine("thin")


def test_the_file_gives_the_networks_answers(tmp_path: Path) -> None:
    network = seen("separable", size=32)
    assert export_refine(network, tmp_path / "x.onnx") < 1e-5
    refiner = KeypointRefiner(tmp_path / "x.onnx")
    assert refiner.spec == network.spec
    crops = np.random.default_rng(3).normal(size=(3, 3, 32, 32)).astype(np.float32)
    with torch.no_grad():
        np.testing.assert_allclose(refiner.run(crops), network(torch.from_numpy(crops)), atol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["x.onnx"]


def test_residual_blocks_and_what_stands_between() -> None:
    """Six basic blocks of two 3 x 3 convolutions; the separable form replaces all twelve, with batch norm and ReLU between."""
    dense, light = build_refine("residual"), build_refine("residual-separable")
    wide = [m for m in dense.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(wide) == 13 and len([m for m in wide if m.stride == (2, 2)]) == 4
    assert not any(
        m.kernel_size == (1, 1) and m.stride == (2, 2) for m in dense.modules() if isinstance(m, nn.Conv2d)
    )
    thin = [m for m in light.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert [m.groups == m.in_channels for m in thin] == [False] + 12 * [True]  # the stem stays
    kinds = [type(m) for m in light.get_submodule("blocks.0.first").modules() if not isinstance(m, nn.Sequential)]
    assert kinds == [SameConv2d, nn.BatchNorm2d, nn.ReLU, SameConv2d, nn.BatchNorm2d]
    torch.testing.assert_close(dense(torch.randn(2, 3, 64, 64)), torch.full((2, 6, 2), 0.5), atol=0.2, rtol=0)
    with pytest.raises(BlazeFaceError, match="divisible by 16, not 40"):
        build_refine("residual", CropSpec(size=40))
    with pytest.raises(BlazeFaceError, match="a residual second stage cannot be the start"):
        lightened_refine(dense)


@pytest.mark.parametrize("kind", ["separable", "residual-separable"])
def test_it_runs_in_litert(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
    assert export_refine_tflite(seen(kind, size=32), tmp_path / "x.tflite") < 1e-5


def made_up_crops(count: int = 12) -> FaceCrops:
    """Six coloured dots at places that differ a little from face to face."""
    random = np.random.default_rng(0)
    base = np.array([[40, 45], [64, 45], [52, 58], [52, 70], [28, 48], [76, 48]], np.float32)
    colors = np.array([[0, 0, 255], [255, 0, 0], [0, 255, 255], [255, 0, 255], [0, 0, 120], [120, 0, 0]], np.uint8)
    images = np.full((count, 104, 104, 3), 128, np.uint8)
    points = base + random.normal(0, 2, (count, 6, 2)).astype(np.float32)
    for image, places in zip(images, points, strict=True):
        for (x, y), color in zip(places, colors, strict=True):
            image[int(y) - 3 : int(y) + 3, int(x) - 3 : int(x) + 3] = color
    return FaceCrops(images, points, np.full((count, 6), 2, np.uint8), np.full(count, 47.3, np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_learn(kind: str, tmp_path: Path) -> None:
    steps = 24 if kind.startswith("residual") else 8  # its linear layer starts at almost nothing
    config = refine_config(kind, epochs=steps, batch=12, warmup=2, ema=0.0)
    losses: list[float] = []
    import blazeface.training.tasks.refine as room

    def noted(*args: torch.Tensor) -> torch.Tensor:
        losses.append(keypoint_loss(*args).item())  # type: ignore[arg-type]
        return keypoint_loss(*args)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "keypoint_loss", noted)
        network = train_refine(made_up_crops(), config, tmp_path, log=lambda _: None)
    assert network is not None and not network.training
    assert len(losses) == steps and losses[-1] < 0.8 * losses[0]


def test_a_run_in_two_pieces_is_the_run_in_one(tmp_path: Path) -> None:
    import blazeface.training.tasks.refine as room

    crops, config = made_up_crops(8), refine_config("dense", epochs=4, batch=4, warmup=2)
    whole = train_refine(crops, config, tmp_path / "whole", log=lambda _: None)
    steps = 0

    def stop_after_three(*args: torch.Tensor) -> torch.Tensor:
        nonlocal steps
        steps += 1
        if steps == 3:
            # Called, not sent: OpenVINO, once loaded into this process, leaves no stack for handlers to run on.
            handler = signal.getsignal(signal.SIGTERM)
            assert callable(handler)
            handler(signal.SIGTERM, None)
        return keypoint_loss(*args)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "keypoint_loss", stop_after_three)
        assert train_refine(crops, config, tmp_path / "pieces", log=lambda _: None) is None
    pieces = train_refine(crops, config, tmp_path / "pieces", log=lambda _: None)
    assert whole is not None and pieces is not None
    for name, value in whole.state_dict().items():
        assert torch.equal(value, pieces.state_dict()[name]), name
    with pytest.raises(BlazeFaceError, match="another epochs"):
        train_refine(crops, refine_config("dense", epochs=5, batch=4, warmup=2), tmp_path / "pieces")


def test_the_loss_is_the_distance_in_betas_of_known_keypoints_inside_the_crop() -> None:
    found, expected = torch.full((1, 6, 2), 0.5), torch.full((1, 6, 2), 0.5)
    expected[0, 0], expected[0, 1] = 0.9, 1.2  # unknown; outside of the crop
    weights = torch.tensor([[0.0, 1, 1, 1, 0.5, 0.5]])
    assert keypoint_loss(found, expected, weights, 0.01) == 0
    expected[0, 2] = torch.tensor([0.53, 0.54])  # five betas off: sqrt(26) - 1, over weights 1 + 1 + .5 + .5
    assert keypoint_loss(found, expected, weights, 0.01).item() == pytest.approx((26**0.5 - 1) / 3, rel=1e-4)
    expected[0, 2] = 0.5
    expected[0, 4] = torch.tensor([0.53, 0.54])
    assert keypoint_loss(found, expected, weights, 0.01).item() == pytest.approx((26**0.5 - 1) / 6, rel=1e-4)


def test_a_dense_network_becomes_a_separable_one_that_remembers(tmp_path: Path) -> None:
    dense = seen("dense")
    light = lightened_refine(dense)
    assert light.kind == "separable" and dense.kind == "dense"
    fresh = build_refine("separable")
    assert {n: p.shape for n, p in light.state_dict().items()} == {
        n: p.shape for n, p in fresh.state_dict().items()
    }
    # Stem and heat map are taken over as they are, the rest comes near.
    for name in ("heat.weight", "stem.0.weight"):
        assert torch.equal(light.get_parameter(name), dense.get_parameter(name)), name
    depthwise, pointwise = (light.get_parameter(f"enter.0.{name}.weight") for name in ("0.0", "1"))
    product = pointwise * depthwise.permute(1, 0, 2, 3)
    expected = dense.get_parameter("enter.0.weight")
    assert (product - expected).norm() < 0.95 * expected.norm()
    with pytest.raises(BlazeFaceError, match="cannot be the start of another kind"):
        lightened_refine(light)
    config = refine_config("separable", epochs=1, batch=8, warmup=1)
    trained = train_refine(made_up_crops(8), config, tmp_path, log=lambda _: None, init=dense)
    assert trained is not None and trained.kind == "separable"
