"""Pixel augmentation of whole batches on a GPU: the transforms of `blazeface.data.augment`, in PyTorch, with its numbers
(but for `brightness_contrast`, which leaves something to be seen).

Images are (B, 3, H, W) float32 RGB in 0..255. Which images of a batch a transform touches, and by how much, is drawn on the
CPU, so that the GPU need not be waited for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from blazeface.data.augment import BLUR_SIZE
from blazeface.models.blocks import LUMINANCE

Rng = np.random.Generator

# Tables K.1 and K.2 of ITU-T T.81 (JPEG), which its encoders scale by the quality.
LUMA_STEPS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA_STEPS = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *4 * ((99, 99, 99, 99, 99, 99, 99, 99),),
)


def disturb(images: Tensor, input_size: int, rng: Rng) -> Tensor:
    """A batch with every transform applied to its share of the images; (B, 3, H, W) uint8 or float, gives float32."""
    images = images.float()
    blur = input_size / BLUR_SIZE
    steps: tuple[tuple[float, Callable[[Tensor, Rng], Tensor]], ...] = (
        (0.5, brightness_contrast),
        (0.3, hue_saturation_value),
        (0.1, rgb_shift),
        (0.2, gamma),
        (0.15, to_gray),
        (0.05, coloured_light),
        (0.07, lambda part, r: gaussian_blur(part, blur, r)),
        (0.07, lambda part, r: motion_blur(part, blur, r)),
        (0.12, noise),
        (0.15, jpeg),
        (0.12, downscale),
        (0.08, dropout),
    )
    for share, step in steps:
        chosen = np.flatnonzero(rng.random(len(images)) < share)
        if len(chosen):
            index = torch.from_numpy(chosen).to(images.device, non_blocking=True)
            images[index] = step(images[index], rng).clamp(0, 255)
    return images


def _drawn(values: NDArray[np.float64], like: Tensor) -> Tensor:
    """(B,) or (B, 3) numbers as (B, 1 or 3, 1, 1) beside images."""
    flat = torch.from_numpy(values.astype(np.float32)).to(like.device, non_blocking=True)
    return flat.reshape(len(values), -1, 1, 1)


def brightness_contrast(images: Tensor, rng: Rng) -> Tensor:
    images = images * _drawn(1 + rng.uniform(-0.7, 0.35, len(images)), images)
    shift = _drawn(255 * rng.uniform(-0.35, 0.35, len(images)), images)
    # Not so far that all is black or white: there is nothing to learn from a face that cannot be seen.
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return images + shift.clamp(-0.6 * mean, 0.6 * (255 - mean).clamp(min=0))


def hue_saturation_value(images: Tensor, rng: Rng) -> Tensor:
    count = len(images)
    value, darkest = images.amax(dim=1), images.amin(dim=1)
    span = (value - darkest).clamp(min=1e-6)
    red, green, blue = images.unbind(1)
    hue = torch.where(
        value == red,
        ((green - blue) / span) % 6,
        torch.where(value == green, (blue - red) / span + 2, (red - green) / span + 4),
    )
    saturation = (value - darkest) / value.clamp(min=1e-6) * 255
    # A step of OpenCV's hue is two degrees, a sixth of the circle is one unit here.
    hue = (hue + _drawn(rng.uniform(-12, 12, count) / 30, images)[:, 0]) % 6
    saturation = (saturation + _drawn(rng.uniform(-35, 35, count), images)[:, 0]).clamp(0, 255) / 255
    value = (value + _drawn(rng.uniform(-20, 20, count), images)[:, 0]).clamp(0, 255)
    parts = []
    for offset in (5.0, 3.0, 1.0):
        place = (hue + offset) % 6
        parts.append(value * (1 - saturation * torch.minimum(place, 4 - place).clamp(0, 1)))
    return torch.stack(parts, dim=1)


def rgb_shift(images: Tensor, rng: Rng) -> Tensor:
    return images + _drawn(rng.uniform(-60, 60, (len(images), 3)), images)


def gamma(images: Tensor, rng: Rng) -> Tensor:
    return (images / 255).clamp(min=1e-6) ** _drawn(rng.uniform(0.6, 1.6, len(images)), images) * 255


def to_gray(images: Tensor, _: Rng) -> Tensor:
    weights = torch.tensor(LUMINANCE, device=images.device)
    return torch.einsum("bchw,c->bhw", images, weights)[:, None].expand_as(images)


def coloured_light(images: Tensor, rng: Rng) -> Tensor:
    return images * _drawn(rng.uniform(0.1, 1.4, (len(images), 3)), images)


def gaussian_blur(images: Tensor, scale: float, rng: Rng) -> Tensor:
    sigma = _drawn(rng.uniform(0.5 * scale, 2.2 * scale, len(images)), images)[:, :, 0, 0]
    radius = round(6.6 * scale)
    place = torch.arange(-radius, radius + 1, device=images.device, dtype=torch.float32)
    line = torch.exp(-((place / sigma) ** 2) / 2)
    line = line / line.sum(dim=1, keepdim=True)
    return _filtered(_filtered(images, line[:, :, None]), line[:, None, :])


def motion_blur(images: Tensor, scale: float, rng: Rng) -> Tensor:
    longest = max(3, round(9 * scale)) // 2 * 2 + 1
    length = _drawn(rng.choice(np.arange(3, longest + 1, 2), len(images)).astype(np.float64), images)[:, 0]
    angle = rng.uniform(0, np.pi, len(images))
    cosine, sine = (_drawn(values, images)[:, 0] for values in (np.cos(angle), np.sin(angle)))
    place = torch.arange(-(longest // 2), longest // 2 + 1, device=images.device, dtype=torch.float32)
    y, x = torch.meshgrid(place, place, indexing="ij")
    along, across = (x * cosine + y * sine).abs(), (y * cosine - x * sine).abs()
    kernel = (1 - across).clamp(min=0) * ((length + 1) / 2 - along).clamp(0, 1)
    return _filtered(images, kernel / kernel.sum(dim=(1, 2), keepdim=True))


def _filtered(images: Tensor, kernels: Tensor) -> Tensor:
    """Each image (B, 3, H, W) by its own kernel (B, h, w), mirrored beyond the edges."""
    (count, channels, height, width), (down, right) = images.shape, kernels.shape[1:]
    padded = F.pad(images, (right // 2, right // 2, down // 2, down // 2), mode="reflect")
    weight = kernels.repeat_interleave(channels, dim=0)[:, None]
    flat = padded.reshape(1, count * channels, *padded.shape[2:])
    return F.conv2d(flat, weight, groups=count * channels).reshape(count, channels, height, width)


def noise(images: Tensor, rng: Rng) -> Tensor:
    return images + torch.randn_like(images) * _drawn(255 * rng.uniform(0.01, 0.08, len(images)), images)


def jpeg(images: Tensor, rng: Rng) -> Tensor:
    """What is left after compression at half the resolution of colour; sides must be multiples of 16."""
    quality = np.round(rng.uniform(20, 90, len(images)))
    scale = _drawn(np.where(quality < 50, 50 / quality, 2 - quality / 50), images)[:, :, 0, 0]
    red, green, blue = images.unbind(1)
    luma = LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue
    chroma = F.avg_pool2d(torch.stack([(blue - luma) * 0.564, (red - luma) * 0.713], dim=1), 2)
    luma = _quantised(luma[:, None] - 128, scale, LUMA_STEPS) + 128
    chroma = F.interpolate(_quantised(chroma, scale, CHROMA_STEPS), scale_factor=2.0, mode="bilinear")
    blue, red = luma[:, 0] + chroma[:, 0] / 0.564, luma[:, 0] + chroma[:, 1] / 0.713
    green = (luma[:, 0] - LUMINANCE[0] * red - LUMINANCE[2] * blue) / LUMINANCE[1]
    return torch.stack([red, green, blue], dim=1)


def _quantised(planes: Tensor, scale: Tensor, steps: tuple[tuple[int, ...], ...]) -> Tensor:
    """Planes (B, C, H, W) after rounding the cosine transform of their 8 x 8 blocks to multiples of `steps` * `scale` (B, 1)."""
    count, channels, height, width = planes.shape
    frequency = torch.arange(8, device=planes.device, dtype=torch.float32)
    basis = torch.cos((2 * frequency + 1) * frequency[:, None] * torch.pi / 16) / 2
    basis[0] *= 0.5**0.5
    table = (
        (torch.tensor(steps, device=planes.device, dtype=torch.float32) * scale[..., None]).round().clamp(min=1)
    )
    blocks = planes.reshape(count, channels, height // 8, 8, width // 8, 8)
    waves = torch.einsum("ku,bcyuxv,lv->bcykxl", basis, blocks, basis)
    table = table[:, None, None, :, None, :]
    waves = (waves / table).round() * table
    return torch.einsum("ku,bcykxl,lv->bcyuxv", basis, waves, basis).reshape(planes.shape)


def downscale(images: Tensor, rng: Rng) -> Tensor:
    """To a smaller size and back, by the nearest pixel."""
    scale = rng.uniform(0.35, 0.8, len(images))
    rows, columns = (_nearest(side, scale, images.device) for side in images.shape[2:])
    taken = images.gather(2, rows[:, None, :, None].expand_as(images))
    return taken.gather(3, columns[:, None, None, :].expand_as(images))


def _nearest(side: int, scale: NDArray[np.float64], device: torch.device) -> Tensor:
    """(B, side) int64: the pixel of a line that each pixel shows after its way through a smaller size."""
    small = np.maximum(1, (side * scale).astype(np.int64))[:, None]
    middle = np.arange(side) * small // side
    return torch.from_numpy(middle * side // small).to(device, non_blocking=True)


def dropout(images: Tensor, rng: Rng) -> Tensor:
    """One to three rectangles of one colour each."""
    count, _, height, width = images.shape
    y = torch.arange(height, device=images.device)[:, None] / height
    x = torch.arange(width, device=images.device)[None] / width
    holes = rng.integers(1, 4, count)
    for hole in range(3):
        tall, wide = rng.uniform(0.06, 0.25, (2, count))
        top, left = rng.uniform(0, 1 - tall), rng.uniform(0, 1 - wide)
        tall = np.where(hole < holes, tall, -1.0)
        upper, lower, near, far = (_drawn(edge, images)[:, 0] for edge in (top, top + tall, left, left + wide))
        inside = (y >= upper) & (y < lower) & (x >= near) & (x < far)
        colour = _drawn(rng.uniform(0, 255, (count, 3)), images)
        images = torch.where(inside[:, None], colour, images)
    return images
