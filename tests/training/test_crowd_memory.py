"""One picture with more faces than any of WIDER FACE's (1,968) does not blow up the memory of a step."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="Windows does not say how much memory a process had at most")

PROGRAM = """
import resource, sys, torch
from blazeface.data.dataset import Batch
from blazeface.spec import named_spec
from blazeface.training.losses import DetectionLoss, LossRecipe

spec, faces, crops = named_spec(sys.argv[1]), 2000, 32
torch.manual_seed(0)
corner = torch.rand(crops, faces, 2)
boxes = torch.cat([corner, corner + 0.02], 2)
face = torch.zeros(crops, faces, dtype=torch.bool)
face[0] = True  # the others are padded to its number
points = boxes[..., None, :2].repeat(1, 1, 6, 1)
side = spec.input_size
batch = Batch(torch.zeros(crops, 3, side, side, dtype=torch.uint8), boxes, points,
              torch.full((crops, faces, 6), 2, dtype=torch.uint8), face, torch.zeros_like(face))
logits = torch.zeros(crops, spec.num_anchors, requires_grad=True)
regressions = torch.zeros(crops, spec.num_anchors, 16, requires_grad=True)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
losses = DetectionLoss(spec, LossRecipe())(logits, regressions, batch)
losses.total.backward()
assert logits.grad is not None and torch.isfinite(losses.total) and losses.positives > 50
unit = 2**20 if sys.platform == "darwin" else 2**10
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit)
"""


@pytest.mark.parametrize("model", ["front-128", "back-256"])
def test_a_step_with_a_crowd(model: str) -> None:
    """In MiB; anchors x faces of the padded batch would be 32 x 896 x 2,000 numbers, which is 219 MiB each of several times."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, model], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 300
