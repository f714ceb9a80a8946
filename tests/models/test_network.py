"""The network: literal counts, true depthwise convolutions, SAME padding, and the order of its answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from blazeface.anchors import anchor_centers
from blazeface.errors import BlazeFaceError
from blazeface.models.blocks import BlazeBlock, DoubleBlazeBlock, SameConv2d, Shortcut
from blazeface.models.named_layouts import PAPER
from blazeface.models.network import BlazeFace, build
from blazeface.spec import BACK_256, FRONT_128


def settled(name: str = "front-128") -> BlazeFace:
    """A fresh network whose batch norms have seen something, in eval mode."""
    torch.manual_seed(0)
    network = build(name)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.2)
    return network.eval()


def macs(network: nn.Module, size: int) -> int:
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, size, size))
    return int(counter.get_total_flops()) // 2


def test_the_paper_s_network_in_numbers() -> None:
    network = build("paper-128")
    assert sum(p.numel() for p in network.parameters()) == 73_048
    assert sum(p.numel() for p in network.folded().parameters()) == 71_176
    assert macs(network.folded(), 128) == 34_140_672
    singles = [block for block in network.blocks if isinstance(block, BlazeBlock)]
    doubles = [block for block in network.blocks if isinstance(block, DoubleBlazeBlock)]
    assert (len(singles), len(doubles)) == (5, 6)


def test_every_5x5_behind_the_stem_is_depthwise() -> None:
    network = build("paper-128")
    wide = [
        module
        for module in network.blocks.modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size[0] > 1
    ]
    assert len(wide) == 5 + 2 * 6
    for module in wide:
        assert module.kernel_size == (5, 5)
        assert module.groups == module.in_channels == module.out_channels


def test_shapes() -> None:
    logits, regressions = settled()(torch.zeros(2, 3, 128, 128))
    assert logits.shape == (2, 896)
    assert regressions.shape == (2, 896, 16)
    logits, regressions = settled("back-256")(torch.zeros(1, 3, 256, 256))
    assert logits.shape == (1, 3072)
    assert regressions.shape == (1, 3072, 16)


@pytest.mark.parametrize(
    ("name", "parameters", "multiplications"),
    [("front-128", 192_360, 34_523_136), ("back-256", 274_137, 139_706_368), ("paper-128", 71_176, 34_140_672)],
)
def test_what_the_shipped_networks_cost(name: str, parameters: int, multiplications: int) -> None:
    network = build(name).folded()
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert macs(network, network.spec.input_size) == multiplications


@pytest.mark.parametrize(("height", "width"), [(96, 176), (32, 64), (160, 96)])
def test_an_input_of_any_shape_that_the_strides_divide(height: int, width: int) -> None:
    logits, regressions = settled()(torch.zeros(1, 3, height, width))
    count = len(anchor_centers(FRONT_128.anchor_maps, height / 128, width / 128))
    assert logits.shape == (1, count) and regressions.shape == (1, count, 16)


def test_a_batch_is_its_pictures_one_by_one() -> None:
    network, images = settled(), torch.randn(3, 3, 128, 128)
    logits, regressions = network(images)
    for i in range(3):
        one = network(images[i : i + 1])
        assert torch.allclose(one[0][0], logits[i], atol=1e-5)
        assert torch.allclose(one[1][0], regressions[i], atol=1e-4)


def test_folding_changes_no_answer_and_leaves_the_network_alone() -> None:
    network, images = settled(), torch.randn(2, 3, 128, 128)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    folded = network.folded()
    assert not [module for module in folded.modules() if isinstance(module, nn.BatchNorm2d)]
    for ours, theirs in zip(network(images), folded(images), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-3, rtol=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("name", ["front-128", "paper-128", "dense-middle-128"])
def test_biases_that_batch_norm_hides_are_gone_where_it_is_folded(name: str) -> None:
    """They drift in training, up to 22 in front-128, and beside them half precision loses the signal."""
    torch.manual_seed(0)
    network, images = build(name).eval(), torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        expected = [answer.clone() for answer in network(images)]
        for layer, convolution in network.named_modules():
            if isinstance(convolution, nn.Conv2d) and convolution.groups > 1:
                assert convolution.bias is not None
                convolution.bias += 500
                behind = layer.replace("depthwise_in", "project").replace("depthwise_mid", "expand")
                normed = network.get_submodule(layer.removesuffix(".0"))
                if normed is convolution:  # the batch norm stands behind the 1 x 1 convolution
                    pointwise = network.get_submodule(behind.replace("depthwise", "pointwise"))
                    pointwise[1].running_mean += pointwise[0].weight.sum((1, 2, 3)) * 500  # type: ignore[index]
                else:
                    normed[1].running_mean += 500  # type: ignore[index]
        folded = network.folded()
        for part in folded.modules():
            if isinstance(part, nn.Conv2d) and part.groups > 1:
                assert part.bias is not None and float(part.bias.abs().max()) == 0
        for found, answer in zip(folded(images), expected, strict=True):
            assert float((found - answer).abs().max()) < 2e-3 * float(answer.abs().max())


@pytest.mark.parametrize(("kernel", "stride", "before"), [(5, 2, 1), (3, 2, 0), (5, 1, 2), (3, 1, 1)])
def test_same_padding_is_tensorflow_s(kernel: int, stride: int, before: int) -> None:
    """An odd surplus goes right and down: against loops over every output pixel."""
    convolution = SameConv2d(1, 1, kernel, stride)
    image = torch.randn(1, 1, 8, 8)
    result = convolution(image)[0, 0].detach().numpy()
    assert convolution.bias is not None
    weight, bias = convolution.weight[0, 0].detach().numpy(), convolution.bias.item()
    assert result.shape == (8 // stride, 8 // stride)
    for y in range(8 // stride):
        for x in range(8 // stride):
            total = bias
            for i in range(kernel):
                for j in range(kernel):
                    row, column = y * stride - before + i, x * stride - before + j
                    if 0 <= row < 8 and 0 <= column < 8:
                        total += weight[i, j] * image[0, 0, row, column].item()
            assert result[y, x] == pytest.approx(total, abs=1e-5)


def test_the_shortcut_pools_and_appends_zero_channels() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    result = Shortcut(1, 3, 2)(x)
    assert result[0, 0].tolist() == [[5, 7], [13, 15]]
    assert result.shape == (1, 3, 2, 2)
    assert (result[0, 1:] == 0).all()
    with pytest.raises(ValueError, match="cannot narrow"):
        Shortcut(4, 2, 1)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (5, 11), (15, 3)])
def test_answers_come_in_the_anchors_order(row: int, column: int) -> None:
    """With every weight behind the first feeds_head set aside, a mark on one cell shows where its answers lie."""
    network = settled()
    head_inputs: list[torch.Tensor] = []
    network.score_heads[0].register_forward_pre_hook(lambda _, x: head_inputs.append(x[0]))
    network(torch.zeros(1, 3, 128, 128))
    mark = torch.zeros_like(head_inputs[0])
    mark[0, :, row, column] = 1
    network.blocks[network.layout.feeding[0]].register_forward_hook(lambda _, x, y: mark)
    plain = network.score_heads[0](torch.zeros_like(mark)).permute(0, 2, 3, 1).flatten()
    logits, regressions = network(torch.zeros(1, 3, 128, 128))
    changed = torch.nonzero((logits[0, :512] - plain).abs() > 1e-7).flatten().tolist()
    centers = anchor_centers(FRONT_128.anchor_maps)
    expected = np.array([(column + 0.5) / 16, (row + 0.5) / 16], np.float32)
    assert changed == [i for i in range(512) if (centers[i] == expected).all()]
    # All sixteen numbers of those anchors, and of no other of the map, depend on the cell.
    rows = regressions[0, :512]
    far = rows[(changed[0] + 100) % 512 // 2 * 2]
    assert (rows[changed[0]] - far).abs().min() > 0
    assert torch.allclose(rows[(changed[0] + 200) % 512 // 2 * 2], far)


def test_a_fresh_network_expects_hardly_a_face_and_boxes_of_the_anchors_size() -> None:
    network = build("front-128")
    assert network.score_heads[1].bias.sigmoid().tolist() == pytest.approx([0.01] * 6)  # type: ignore[operator]
    biases = network.regression_heads[1].bias.view(6, 16).detach()  # type: ignore[operator]
    assert biases[:, 2].tolist() == biases[:, 3].tolist() == pytest.approx([28, 38, 50, 66, 86, 110])
    assert biases[:, [0, 1, *range(4, 16)]].abs().max() == 0


def test_a_layout_that_does_not_fit_its_spec_is_refused() -> None:
    import dataclasses

    wrong = dataclasses.replace(BACK_256, input_size=128)
    with pytest.raises(BlazeFaceError, match="disagree"):
        BlazeFace(wrong, PAPER)
