"""One process or several under `torchrun`: the few calls that differ."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from blazeface.errors import BlazeFaceError


@dataclass(frozen=True)
class Processes:
    """This process (rank) among all (world), and (local_rank) among those on this machine. Alone, every method is the
    obvious nothing."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    on_this_machine: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the files and talks to the user."""
        return self.rank == 0

    def mean(self, value: Tensor) -> Tensor:
        """Mean of a tensor over the processes."""
        if self.world == 1:
            return value
        total = value.detach().clone().float()
        distributed.all_reduce(total)
        return total / self.world

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any process."""
        return flag if self.world == 1 else bool(self.mean(torch.tensor(float(flag))) > 0)

    def wait(self) -> None:
        """Until all processes have come here."""
        if self.world > 1:
            distributed.barrier()


def card(device: str, processes: Processes, cards: int) -> str:
    """The device of this process: each that torchrun starts on a machine has a card of its own.

    device: "cpu" or "cuda". cards: how many this machine has. Raises BlazeFaceError where they are too few.
    """
    if device != "cuda" or processes.world == 1:
        return device
    if processes.on_this_machine > cards:
        raise BlazeFaceError(
            f"--device cuda: {processes.on_this_machine} processes on this machine have {cards} card{'s' * (cards != 1)};"
            " each needs one of its own (--nproc-per-node)"
        )
    return f"cuda:{processes.local_rank}"


def join_processes() -> Processes:
    """Meet the other processes that torchrun started (gloo: gradients here are small); alone otherwise."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Processes()
    if not distributed.is_initialized():
        distributed.init_process_group("gloo")
    local = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return Processes(distributed.get_rank(), world, *local)
