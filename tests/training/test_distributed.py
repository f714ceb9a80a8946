"""Two processes under torchrun (gloo) train one network together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from blazeface.training.checkpoint import load_checkpoint
from blazeface.training.log import read_rows

PROGRAM = """
import sys, torch
from pathlib import Path
from blazeface.data.samples import load_split
from blazeface.models.network import build
from blazeface.training.config import TrainConfig
from blazeface.training.distributed import join_processes
from blazeface.training.faces import FaceTrainer
from blazeface.training.loop import Machine
import blazeface.training.loop as loop

loop.LOG_EVERY = 1
torch.set_num_threads(1)
data, out = map(Path, sys.argv[1:3])
processes = join_processes()
torch.manual_seed(0)
trainer = FaceTrainer(build("front-128"), TrainConfig(epochs=2, batch=8, warmup=2),
                  Machine(workers=0, quiet=True, evaluate_every=100), processes)
ranks = torch.tensor([float(processes.rank), 10.0])
assert processes.mean(ranks).tolist() == [0.5, 10.0], "the mean of 0 and 1, and of 10 and 10"
assert ranks[0] == processes.rank, "the mean leaves what it is given"
assert trainer.loss.mean(ranks).tolist() == [0.5, 10.0], "the loss divides by the mean over all processes"
assert processes.any(processes.rank == 1) and not processes.any(False)
trainer.train(load_split(data, "train"), out, lambda network: {"AP": 0.0})
torch.save(trainer.network.state_dict(), out / f"rank{processes.rank}.pt")
"""


def test_two_processes_stay_in_step(tiny_data: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, str(program), str(tiny_data), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert result.returncode == 0, result.stderr

    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    for name, value in first.items():
        if "running" not in name:  # each process keeps statistics of its own crops
            assert torch.equal(value, second[name]), name
    rows = read_rows(tmp_path / "log.csv")
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert load_checkpoint(tmp_path).step == 6
