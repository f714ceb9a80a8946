"""The small U-Net's loss, score and training."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from blazeface.data.face_masks import MaskedPictures
from blazeface.errors import BlazeFaceError
from blazeface.models.light.segmenters import SEGMENT_SIZE, build_segmenter, load_segmenter, save_segmenter
from blazeface.models.light.unet import UNet
from blazeface.training.tasks.segment import inputs, mask_iou, mask_loss, segment_config, train_segmenter


def discs(count: int = 4) -> MaskedPictures:
    y, x = np.mgrid[:SEGMENT_SIZE, :SEGMENT_SIZE]
    masks = np.stack([(x - 30 - 8 * i) ** 2 + (y - 48) ** 2 < 400 for i in range(count)])
    images = np.repeat(np.where(masks, 220, 40).astype(np.uint8)[..., None], 3, axis=3)
    return MaskedPictures(images, masks.astype(np.uint8) * 255, np.ones_like(masks))


@torch.no_grad()
def loss_on_discs(network: torch.nn.Module) -> float:
    """By the batch's own statistics, since those that were kept follow slowly."""
    masks = torch.from_numpy(discs().masks).float() / 255
    return mask_loss(
        copy.deepcopy(network).train()(inputs(discs().images)), masks, torch.ones_like(masks).bool()
    ).item()


def test_it_learns_and_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    config = segment_config("light", epochs=24, batch=4)
    lines: list[str] = []
    network = train_segmenter(discs(), config, tmp_path, log=lines.append)
    assert network is not None and lines and "step 24 of 24" in lines[-1]
    torch.manual_seed(config.seed)
    assert loss_on_discs(network) < 0.8 * loss_on_discs(build_segmenter("light"))
    again = train_segmenter(discs(), config, tmp_path, log=lines.append)
    assert again is not None and len(lines) == 1
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), again.state_dict().values(), strict=True)
    )
    save_segmenter(network, "light", tmp_path / "x.safetensors")
    x = torch.zeros(1, 3, SEGMENT_SIZE, SEGMENT_SIZE)
    assert torch.allclose(load_segmenter(tmp_path / "x.safetensors")(x), network(x), atol=1e-5)
    with pytest.raises(BlazeFaceError, match="another kind"):
        train_segmenter(discs(), segment_config("dense", epochs=24, batch=4), tmp_path)


def test_the_loss_of_a_sure_answer_and_of_what_is_not_known() -> None:
    masks = torch.zeros(1, 4, 4)
    masks[0, :2] = 1
    margin = torch.where(masks > 0, 20.0, -20.0)
    logits = torch.stack([torch.zeros_like(margin), margin], dim=1)
    known = torch.ones(1, 4, 4, dtype=torch.bool)
    assert mask_loss(logits, masks, known) < 1e-4
    wrong = 1 - masks
    assert mask_loss(logits, wrong, known) > 20
    assert mask_loss(logits, wrong, torch.zeros_like(known)) < 1e-4


def test_iou_by_hand() -> None:
    class Left(UNet):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            face = torch.zeros(len(x), *x.shape[2:])
            face[:, :, :4] = 1
            return torch.stack([1 - face, face], dim=1)

    images = np.zeros((1, 8, 8, 3), np.uint8)
    masks = np.zeros((1, 8, 8), np.uint8)
    masks[:, :4] = 255
    known = np.ones((1, 8, 8), bool)
    network = Left((2, 4))
    assert mask_iou(network, MaskedPictures(images, masks, known)) == pytest.approx(16 / 48)
    known[:, 4:] = False
    assert mask_iou(network, MaskedPictures(images, masks, known)) == pytest.approx(16 / 32)


def test_inputs_are_rgb_planes() -> None:
    image = np.zeros((1, 2, 2, 3), np.uint8)
    image[..., 2] = 255
    assert inputs(image)[0, :, 0, 0].tolist() == [1, -1, -1]
