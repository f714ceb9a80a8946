"""One process alone: every call is the obvious nothing."""

from __future__ import annotations

import pytest
import torch

from blazeface.training.distributed import Processes, join_processes


def test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    alone = join_processes()
    assert (alone.rank, alone.world, alone.leads) == (0, 1, True)
    assert alone.mean(torch.tensor([3.0, 4.0])).tolist() == [3.0, 4.0]
    assert alone.any(True) and not alone.any(False)
    alone.wait()


def test_the_first_process_leads_and_no_other() -> None:
    assert [Processes(rank, 3).leads for rank in range(3)] == [True, False, False]
