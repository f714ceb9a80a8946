"""The comparison that lets an export through or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from blazeface.export.pictures import enough_pictures, synthetic_pictures
from blazeface.export.verify import compare
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace


def answers(network: BlazeFace, batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    with torch.no_grad():
        logits, regressions = network.eval()(torch.from_numpy(batch))
    return logits.numpy().copy(), regressions.numpy().copy()


def test_differences_are_the_largest_of_any_anchor_and_picture(
    network: BlazeFace, photographs: list[Image]
) -> None:
    def run(batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        logits, regressions = answers(network, batch)
        if len(batch) == 3:  # only the whole batch is wrong, only in its last picture
            regressions[2, 100, 7] += 0.16
            logits[2, 5] = -logits[2, 5]
        return logits, regressions

    found = compare(network, run, photographs)
    assert found.regressions == pytest.approx(0.16, rel=1e-4)
    assert found.coordinates == pytest.approx(0.16 / 32, rel=1e-4)
    assert found.logits > 0.01
    assert 0 < found.scores < found.logits / 3.9  # the sigmoid is nowhere steeper than 1/4
    assert found.largest == max(found.scores, found.coordinates)
    assert "on 3 pictures" in str(found)


def test_each_picture_is_also_compared_alone(network: BlazeFace, photographs: list[Image]) -> None:
    sizes: list[int] = []

    def run(batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        sizes.append(len(batch))
        return answers(network, batch)

    assert compare(network, run, photographs).largest < 1e-6
    assert sizes == [1, 1, 1, 3]


def test_wrong_shapes_and_nan_differ_infinitely(network: BlazeFace, photographs: list[Image]) -> None:
    def transposed(batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        logits, regressions = answers(network, batch)
        return logits[:, :1], regressions

    def nan(batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        logits, regressions = answers(network, batch)
        regressions[0, 0, 0] = np.nan
        return logits, regressions

    assert compare(network, transposed, photographs).largest == float("inf")
    assert compare(network, nan, photographs).largest == float("inf")
    with pytest.raises(ValueError, match="at least one picture"):
        compare(network, transposed, [])


def test_few_pictures_become_several_different_ones() -> None:
    picture = synthetic_pictures(1)[0]
    more = enough_pictures([picture])
    assert len(more) == 4 and all(part.flags.c_contiguous and part.size for part in more)
    assert (more[1] == picture[:, ::-1]).all() and not (more[1] == picture).all()
    assert [part.shape[:2] for part in more] == [(240, 320), (240, 320), (120, 320), (240, 160)]
    assert len(enough_pictures([np.zeros((1, 1, 3), np.uint8)])) == 4
    several = synthetic_pictures(5)
    assert enough_pictures(several) == several


def test_made_up_pictures_use_the_whole_range_and_stay_the_same() -> None:
    first, second = synthetic_pictures(), synthetic_pictures()
    assert len(first) == 8
    for a, b in zip(first, second, strict=True):
        assert (a == b).all()
        assert a.dtype == np.uint8 and a.min() == 0 and a.max() == 255
