"""The ladder of U-Net, rung by rung; and the small one, that it learns and exports."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from blazeface.errors import BlazeFaceError
from blazeface.models.light.segmenters import SEGMENT_SIZE, SEGMENTERS, build_segmenter
from blazeface.models.light.unet import STEPS, WIDTHS, build_unet

PUBLISHED = (31_155_586, 28_719_900, 26_285_660, 11_635_292, 9_035_594, 5_919_434)


def counted(step: int) -> int:
    """A second count of the ladder, from the rules in words, without building anything."""

    def conv(wide: int, out: int, height: int, width: int, groups: int = 1) -> int:
        return wide * out * height * width // groups + out

    def norm(channels: int) -> int:
        return 2 * channels

    def square(channels: int, late: bool) -> int:
        """A 3 x 3 in its own width as this step has it."""
        groups = 4 if late and step in (3, 4) else channels if late and step == 5 else 1
        if step < 4:
            return conv(channels, channels, 3, 3, groups)
        return conv(channels, channels, 1, 3, groups) + norm(channels) + conv(channels, channels, 3, 1, groups)

    total, before = 0, 3
    for width in WIDTHS:
        if step == 0:
            total += conv(before, width, 3, 3) + norm(width) + conv(width, width, 3, 3) + norm(width)
        else:
            total += square(before, late=False) + norm(before) + conv(before, width, 1, 1) + norm(width)
            total += square(width, late=True) + norm(width)
        before = width
    for width in (512, 256, 128, 64):
        total += 2 * width * width * 4 + width
        if step < 2:
            total += conv(2 * width, width, 3, 3) + norm(width) + conv(width, width, 3, 3) + norm(width)
        else:
            total += conv(2 * width, width, 1, 1, 4 if step >= 3 else 1) + norm(width)
            total += 2 * (square(width, late=True) + norm(width))
    return total + conv(128, 64, 3, 3) + norm(64) + conv(64, 64, 3, 3) + norm(64) + conv(64, 2, 3, 3)


@pytest.mark.parametrize("step", range(6))
def test_each_rung_has_its_published_parameters(step: int) -> None:
    with torch.device("meta"):
        network = build_unet(step)
        assert network(torch.zeros(1, 3, 572, 572)).shape == (1, 2, 386, 386)
    assert sum(p.numel() for p in network.parameters()) == PUBLISHED[step] == STEPS[step] == counted(step)


def test_the_last_rung_holds_what_it_should() -> None:
    with torch.device("meta"):
        network = build_unet(5)
    kinds = {name: m for name, m in network.named_modules() if isinstance(m, nn.Conv2d)}
    assert kinds["encoder.2.0.0.0"].groups == 1 and kinds["encoder.2.0.0.0"].kernel_size == (1, 3)
    assert kinds["encoder.2.3"].groups == 1 and kinds["encoder.2.3"].kernel_size == (1, 1)
    assert kinds["encoder.2.6.0.0"].groups == kinds["encoder.2.6.1"].groups == 256
    assert kinds["decoder.1.0"].groups == 4 and kinds["decoder.1.3.1"].groups == 256
    assert kinds["tail.0"].kernel_size == (3, 3) and kinds["tail.0"].groups == 1


@pytest.mark.parametrize("kind", SEGMENTERS)
def test_the_small_one_learns_where_a_bright_disc_is(kind: str) -> None:
    torch.manual_seed(0)
    network = build_segmenter(kind)
    y, x = torch.meshgrid(torch.arange(SEGMENT_SIZE), torch.arange(SEGMENT_SIZE), indexing="ij")
    disc = ((x - 40) ** 2 + (y - 50) ** 2 < 400).long()[None]
    images = disc[:, None].float().expand(-1, 3, -1, -1) - 0.5
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(10):
        loss = F.cross_entropy(network(images), disc)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert network(images).shape == (1, 2, SEGMENT_SIZE, SEGMENT_SIZE)


def test_a_rung_that_there_is_not() -> None:
    with pytest.raises(BlazeFaceError, match="no step 6"):
        build_unet(6)
    with pytest.raises(BlazeFaceError, match="unknown kind"):
        build_segmenter("thin")
