"""Fixtures for the whole suite."""

from __future__ import annotations

from pathlib import Path

import pytest
from wider_material import write_data


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in the WIDER FACE layout with 24 pictures to train on and 8 to score."""
    return write_data(tmp_path_factory.mktemp("tiny") / "data")
