"""What the export tests share."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from small_network import small_network

from blazeface.cli.export import SHIPPED_PICTURES
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace


@pytest.fixture(scope="session")
def network() -> BlazeFace:
    return small_network()


@pytest.fixture(scope="session")
def photographs() -> list[Image]:
    """Parts of the shipped portrait, in several shapes."""
    portrait = cv2.imread(str(SHIPPED_PICTURES / "astronaut.png"))
    assert portrait is not None
    return [np.ascontiguousarray(part) for part in (portrait, portrait[:200, 150:330], portrait[::-2, 40:60])]
