"""Inputs as the network gets them while it trains: views, mosaics and augmentation included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from blazeface.errors import BlazeFaceError, install_command

if TYPE_CHECKING:
    from blazeface.data.crops import Crop, CropRecipe
    from blazeface.data.samples import Sample


def first_inputs(
    samples: Sequence[Sample], input_size: int, recipe: CropRecipe, seed: int, count: int
) -> list[Crop]:
    """The first inputs of a training run of that seed, with a batch of 1.

    Raises BlazeFaceError where the packages that training needs are not installed, or no picture can be read.
    """
    try:
        from blazeface.data.augment import Augmentation, augmentations
        from blazeface.data.dataset import CropDataset
        from blazeface.data.pictures import PictureCache
    except ImportError as error:
        raise BlazeFaceError(
            f"batches are drawn with what training needs: {install_command('train')} ({error})"
        ) from error
    pictures = PictureCache([sample.path for sample in samples], budget_mb=0, quiet=True)
    augment = Augmentation(augmentations(input_size))
    dataset = CropDataset(list(samples), pictures, input_size, recipe, augment, seed)
    return [dataset[number] for number in range(count)]
