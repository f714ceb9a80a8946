"""The published classifiers: their published sizes, ShuffleNet's by a formula of its own, and that they learn. That they
export is tested in tests/export/test_classifier_files.py."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from blazeface.errors import BlazeFaceError
from blazeface.models.light.classifiers import (
    CLASSIFIERS,
    SHUFFLE_WIDTHS,
    build_classifier,
    shufflenet,
    shufflenet_32,
    squeezenet,
)

PARAMETERS = {
    "squeezenet-1.0": 1_248_424,
    "squeezenet-1.1": 1_235_496,
    "mobilenet-v1": 4_231_976,
    "mobilenet-v2": 3_504_872,
    "shufflenet": 1_865_728,
    "shufflenet-32-g2": 887_582,
    "shufflenet-32-g3": 862_768,
    "xception": 22_855_952,
}


def shufflenet_parameters(groups: int) -> int:
    """Counted from the paper's table alone: weights of convolutions, two numbers a channel of each batch norm."""
    width, channels = 24, SHUFFLE_WIDTHS[groups]
    total = 3 * 24 * 9 + 2 * 24
    for stage in (2, 3, 4):
        inner = channels // 4
        for unit in range({2: 4, 3: 8, 4: 4}[stage]):
            grown = channels - width if unit == 0 else channels
            first = 1 if stage == 2 and unit == 0 else groups
            total += width * inner // first + 2 * inner  # pointwise in groups
            total += 9 * inner + 2 * inner  # depthwise
            total += inner * grown // groups + 2 * grown  # pointwise in groups
            width = channels
        channels *= 2
    return total + width * 1000 + 1000


@pytest.mark.parametrize("name", sorted(CLASSIFIERS))
def test_parameters_are_the_published_ones(name: str) -> None:
    with torch.device("meta"):
        network = CLASSIFIERS[name]()
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("groups", sorted(SHUFFLE_WIDTHS))
def test_shufflenet_counted_by_an_independent_formula(groups: int) -> None:
    with torch.device("meta"):
        network = shufflenet(groups=groups)
    assert sum(p.numel() for p in network.parameters()) == shufflenet_parameters(groups)


def shufflenet_32_costs(groups: int, widths: tuple[int, ...]) -> tuple[int, int]:
    """Parameters and multiply-accumulates at 32 x 32, from the description: four, eight and four units, ten classes."""
    side, width = 32, 24
    parameters, macs = 3 * 24 + 2 * 24, 3 * 24 * side**2
    for stage, (channels, units) in enumerate(zip(widths, (4, 8, 4), strict=True)):
        for unit in range(units):
            grown = channels - width if unit == 0 else channels
            inner = grown // 4
            first = width * inner // (1 if stage == unit == 0 else groups)
            macs += first * side**2  # before the stride
            side //= 2 if unit == 0 else 1
            rest = 9 * inner + inner * grown // groups
            parameters, macs = parameters + first + rest + 2 * (2 * inner + grown), macs + rest * side**2
            width = channels
    return parameters + 10 * width + 10, macs + 10 * width


@pytest.mark.parametrize(
    ("groups", "widths", "costs", "with_the_papers_inner_width"),
    [
        (2, (200, 400, 800), (887_582, 39_614_080), 940_858),
        (3, (240, 480, 960), (862_768, 38_605_056), 914_338),
    ],
)
def test_shufflenet_for_small_pictures(
    groups: int, widths: tuple[int, ...], costs: tuple[int, int], with_the_papers_inner_width: int
) -> None:
    with torch.device("meta"):
        network, x = shufflenet_32(groups=groups).eval(), torch.zeros(1, 3, 32, 32)
        with FlopCounterMode(display=False) as counter:
            assert network(x).shape == (1, 10)
        found = sum(p.numel() for p in network.parameters())
        larger = sum(p.numel() for p in shufflenet(classes=10, groups=groups).parameters())
    assert (found, counter.get_total_flops() // 2) == costs == shufflenet_32_costs(groups, widths)
    assert larger == with_the_papers_inner_width
    with pytest.raises(ValueError, match="not 5"):
        shufflenet_32(groups=5)


@pytest.mark.parametrize(
    ("name", "macs"),
    # Published as 569 and 300 million (arXiv 1704.04861, table 8; 1801.04381, table 4).
    [("mobilenet-v1", 568_740_352), ("mobilenet-v2", 300_774_272)],
)
def test_multiply_accumulates_at_224(name: str, macs: int) -> None:
    with torch.device("meta"):
        network = CLASSIFIERS[name]().eval()
        with FlopCounterMode(display=False) as counter:
            assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)
    assert counter.get_total_flops() // 2 == macs


@pytest.mark.parametrize(
    "name",
    [
        "squeezenet-1.0",
        "mobilenet-v1",
        "mobilenet-v2",
        "shufflenet",
        "shufflenet-32-g3",
        pytest.param("xception", marks=pytest.mark.slow),
    ],
)
def test_each_learns(name: str) -> None:
    torch.manual_seed(0)
    network = build_classifier(name)
    images, classes = torch.randn(4, 3, 64, 64), torch.tensor([1, 5, 5, 9])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(4):
        loss = F.cross_entropy(network(images), classes)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_last_relu_of_a_fresh_squeezenet_passes_every_class_on(version: str) -> None:
    """A class whose logits are zero for all pictures gets no gradient; with all ten silent, the loss stays at ln 10."""
    torch.manual_seed(0)
    network = squeezenet(10, version).eval()
    with torch.no_grad():
        logits = network(torch.randn(4, 3, 32, 32))
    assert logits.min() > 0


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(BlazeFaceError, match=r"unknown classifier 'resnet'.*squeezenet-1\.0"):
        build_classifier("resnet")
    with pytest.raises(ValueError, match="5"):
        shufflenet(groups=5)
    assert squeezenet(classes=7)(torch.zeros(1, 3, 32, 32)).shape == (1, 7)
