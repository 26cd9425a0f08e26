"""Random changes of training crops that leave their labels true, on whole batches of tensors.

All draws come from the generator that is passed in, so a seed repeats them and nothing else in the program shifts them: the
random transforms of torchvision draw from the global generator, therefore only its functional forms are called here.

References
----------
.. [1] Li B. et al. (2019). A facial affect analysis system for autism spectrum disorder. ICIP. doi:10.1109/ICIP.2019.8803604
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch.nn import functional
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

_Change = Callable[[torch.Tensor, torch.Generator], torch.Tensor]

_CROP_ATTEMPTS = 10
_CROP_ASPECT = (3 / 4, 4 / 3)
"""How often torchvision's RandomResizedCrop draws a crop that fits before it takes the whole image, and its range of
width / height."""

_DCT_SIDE = 8
_LUMINANCE_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How far training crops are changed; each amount is the limit of a uniform draw, one a face.

    Attributes
    ----------
    geometry
        ``"warp"``: flip, rotation, shear, scale, aspect and shift are one resampling of the whole batch. ``"torchvision"``: one
        after the other as in the code released with [1]_: RandomResizedCrop by `scale` of the area, RandomAffine by
        `rotation_deg` and `shear_deg` along x with black beyond the edge, flip; `aspect` and `shift` do not apply.
    flip
        Probability of a mirror image. Labels do not name a side, so they stay true.
    rotation_deg, shear_deg
        Either way.
    scale, aspect
        Relative, either way: 0.1 is 0.9 to 1.1; `aspect` stretches one axis only.
    shift
        Fraction of the side, either way, in both directions.
    brightness, contrast, gamma, colour
        Relative, either way; `colour` scales each channel by itself.
    noise
        Largest standard deviation of Gaussian noise, pixels being 0 to 1.
    blur
        Probability that a face is shrunk to 35 to 80 % and enlarged again.
    compression
        Probability that the blocks of a face are quantised as JPEG does, at qualities 20 to 80.
    """

    geometry: Literal["warp", "torchvision"] = "warp"
    flip: float = 0.5
    rotation_deg: float = 5.0
    shear_deg: float = 20.0
    scale: float = 0.1
    aspect: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    colour: float = 0.0
    noise: float = 0.0
    blur: float = 0.0
    compression: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "geometry":
                continue
            if value < 0 or (field.name in {"flip", "blur", "compression"} and value > 1):
                raise ValueError(f"Expected {field.name} to be 0 or more, a probability at most 1, got {value}.")
        if self.geometry == "torchvision" and (self.aspect or self.shift):
            raise ValueError(
                f"Expected no aspect or shift with torchvision's geometry, got {self.aspect} and {self.shift}."
            )


PUBLISHED_AUGMENTATION = Augmentation(geometry="torchvision")
"""Flip, crop, rotation and shear with the limits of the code released with Li et al. (2019), by torchvision's transforms."""


def augment(images: torch.Tensor, amount: Augmentation, *, size: int, generator: torch.Generator) -> torch.Tensor:
    """Change a batch at random and bring it to another size.

    Parameters
    ----------
    images
        Shape (n, 3, S, S), float, 0 to 1.
    amount
        How far.
    size
        Side of the result in pixels.
    generator
        Source of all randomness, on the CPU.

    Returns
    -------
    Tensor, shape (n, 3, size, size), 0 to 1, channels last in memory
    """
    geometry = _transform if amount.geometry == "torchvision" else _warp
    out = geometry(images, amount, size, generator)
    out = _change_light(out, amount, generator)
    out = _where_drawn(out, amount.blur, generator, _lose_resolution)
    if amount.noise:
        deviation = _draw(len(out), 0, amount.noise, generator).view(-1, 1, 1, 1).to(out)
        out = out + deviation * torch.randn(out.shape, generator=generator).to(out)
    out = _where_drawn(out.clamp(0, 1), amount.compression, generator, _quantise_blocks)
    return out.clamp(0, 1).contiguous(memory_format=torch.channels_last)


def resize(images: torch.Tensor, size: int) -> torch.Tensor:
    """Bring a batch (n, 3, S, S) to `size` pixels a side, averaging where it shrinks."""
    if images.shape[-1] == size:
        return images
    shape = (size, size)
    return functional.interpolate(images, shape, mode="bilinear", antialias=True, align_corners=False)


def _draw(n: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(n, generator=generator) * (high - low) + low


def _draw_around(n: int, limit: float, generator: torch.Generator) -> torch.Tensor:
    return _draw(n, -limit, limit, generator)


def _warp(images: torch.Tensor, amount: Augmentation, size: int, generator: torch.Generator) -> torch.Tensor:
    n = len(images)
    angle = torch.deg2rad(_draw_around(n, amount.rotation_deg, generator))
    shear = torch.tan(torch.deg2rad(_draw_around(n, amount.shear_deg, generator)))
    zoom = 1 / (1 + _draw_around(n, amount.scale, generator))
    stretch = 1 + _draw_around(n, amount.aspect, generator)
    mirror = torch.where(torch.rand(n, generator=generator) < amount.flip, -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    zoom_x, zoom_y = zoom * stretch, zoom / stretch
    rows = torch.stack(
        [
            mirror * zoom_x * cos, zoom_y * (shear * cos - sin), 2 * _draw_around(n, amount.shift, generator),
            mirror * zoom_x * sin, zoom_y * (shear * sin + cos), 2 * _draw_around(n, amount.shift, generator),
        ],
        dim=1,
    )  # fmt: skip
    halvings = max(0, int(math.log2(images.shape[-1] / size)))
    if halvings:
        images = functional.avg_pool2d(images, 2**halvings)
    grid = functional.affine_grid(rows.view(n, 2, 3).to(images), [n, 3, size, size], align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _transform(images: torch.Tensor, amount: Augmentation, size: int, generator: torch.Generator) -> torch.Tensor:
    """Crop and resize, rotate and shear, mirror: each image by draws of its own."""
    n = len(images)
    windows = _draw_windows(n, images.shape[-1], amount.scale, generator)
    angles = _draw_around(n, amount.rotation_deg, generator).tolist()
    shears = _draw_around(n, amount.shear_deg, generator).tolist()
    mirrored = (torch.rand(n, generator=generator) < amount.flip).tolist()
    out = []
    for image, window, angle, shear, mirror in zip(images, windows, angles, shears, mirrored, strict=True):
        part = transforms.resized_crop(image, *window, [size, size], InterpolationMode.BILINEAR, antialias=True)
        turned = transforms.affine(
            part, angle, translate=[0, 0], scale=1.0, shear=[shear, 0.0], interpolation=InterpolationMode.BILINEAR
        )
        out.append(transforms.horizontal_flip(turned) if mirror else turned)
    return torch.stack(out)


def _draw_windows(n: int, side: int, scale: float, generator: torch.Generator) -> list[tuple[int, int, int, int]]:
    """Windows (top, left, height, width) as RandomResizedCrop draws them: the first of ten that fits, else the whole image.

    With a scale around 1 most draws do not fit, for an area above 1 or a width beyond the image: this is where the published
    limits end, and most images are used whole.
    """
    area = side * side * (1 + _draw(n * _CROP_ATTEMPTS, -scale, scale, generator).view(n, _CROP_ATTEMPTS))
    low, high = (math.log(limit) for limit in _CROP_ASPECT)
    aspect = torch.exp(_draw(n * _CROP_ATTEMPTS, low, high, generator).view(n, _CROP_ATTEMPTS))
    widths, heights = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
    fits = (widths <= side) & (heights <= side)
    first = fits.int().argmax(dim=1, keepdim=True)
    places = torch.rand(n, 2, generator=generator).tolist()
    windows = []
    for row, (down, across) in enumerate(places):
        height, width = int(heights[row, first[row]]), int(widths[row, first[row]])
        if not fits[row].any() or not scale:
            height = width = side
        windows.append((int(down * (side - height + 1)), int(across * (side - width + 1)), height, width))
    return windows


def _change_light(images: torch.Tensor, amount: Augmentation, generator: torch.Generator) -> torch.Tensor:
    n = len(images)
    if amount.gamma:
        exponent = torch.exp(_draw_around(n, math.log1p(amount.gamma), generator)).view(-1, 1, 1, 1)
        images = images.clamp(min=1e-4) ** exponent.to(images)
    gain = 1 + _draw_around(n, amount.brightness, generator).view(-1, 1)
    gain = gain * (1 + _draw_around(3 * n, amount.colour, generator).view(-1, 3))
    contrast = 1 + _draw_around(n, amount.contrast, generator).view(-1, 1, 1, 1).to(images)
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    return (middle + (images - middle) * contrast) * gain.view(n, 3, 1, 1).to(images)


def _where_drawn(images: torch.Tensor, probability: float, generator: torch.Generator, change: _Change) -> torch.Tensor:
    if not probability:
        return images
    chosen = torch.rand(len(images), generator=generator) < probability
    if not chosen.any():
        return images
    chosen = chosen.to(images.device)
    out = images.clone()
    out[chosen] = change(images[chosen], generator)
    return out


def _lose_resolution(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    size = images.shape[-1]
    smaller = max(8, round(size * float(_draw(1, 0.35, 0.8, generator))))
    small = functional.interpolate(images, (smaller, smaller), mode="bilinear", antialias=True, align_corners=False)
    return functional.interpolate(small, (size, size), mode="bilinear", align_corners=False)


def _quantise_blocks(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    n, channels, height, width = images.shape
    if height % _DCT_SIDE or width % _DCT_SIDE:
        raise ValueError(f"Expected a side that is a multiple of {_DCT_SIDE} for compression, got {height}x{width}.")
    basis = _dct_basis().to(images)
    quality = _draw(n, 20, 80, generator)
    factor = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    table = torch.tensor(_LUMINANCE_TABLE).to(images) / 255 * factor.to(images).view(-1, 1, 1)
    step = table.view(n, 1, 1, _DCT_SIDE, 1, _DCT_SIDE)
    blocks = images.reshape(n, channels, height // _DCT_SIDE, _DCT_SIDE, width // _DCT_SIDE, _DCT_SIDE)
    frequencies = torch.einsum("ui,ncyixj,vj->ncyuxv", basis, blocks, basis)
    quantised = (frequencies / step).round() * step
    return torch.einsum("ui,ncyuxv,vj->ncyixj", basis, quantised, basis).reshape(images.shape)


def _dct_basis() -> torch.Tensor:
    index = torch.arange(_DCT_SIDE, dtype=torch.float32)
    basis = torch.cos(math.pi * (2 * index[None, :] + 1) * index[:, None] / (2 * _DCT_SIDE)) * math.sqrt(2 / _DCT_SIDE)
    basis[0] /= math.sqrt(2)
    return basis
