"""Corruptions of drawings: light strokes on a dark, plain background.

Source of the kinds: N. Mu and J. Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision",
2019. It has one strength of each kind; noise, shear, scale, rotation and brightness have the five
that its authors' program offers, the others five of our own. Lengths are in pixels of 28x28 images,
and grow with the images.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tellapart.trust.corruptions import filters, weather
from tellapart.trust.corruptions.draws import Corruption, Draws, unit
from tellapart.trust.corruptions.strokes import canny_edges, dotted_line, zigzag

_SIDE = 28
_RADIANS_FORTY_FIVE = torch.pi / 4


def shot_noise(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Count so few photons that chance shows."""
    photons = (60, 25, 12, 5, 3)[strength]
    return draws.poisson(images * photons) / photons


def impulse_noise(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Make pixels black or white."""
    fraction = (0.03, 0.06, 0.09, 0.17, 0.27)[strength]
    drawn = draws.uniform(*images.shape)
    salted = torch.where(drawn > 1 - fraction / 2, 1.0, images)
    return torch.where(drawn < fraction / 2, 0.0, salted)


def glass_blur(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Look through frosted glass: pixels are exchanged with others near them."""
    sigma, distance, rounds = (((0.4, 1, 1), (0.5, 1, 2), (0.7, 1, 2), (0.8, 1, 3), (0.9, 2, 2)))[
        strength
    ]
    pixel = unit(images, _SIDE)
    return filters.glass_blur(images, sigma * pixel, max(1, round(distance * pixel)), rounds, draws)


def motion_blur(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Move the camera, up to 45 degrees from the horizontal."""
    length = (3, 5, 7, 9, 11)[strength] * unit(images, _SIDE)
    limit = _RADIANS_FORTY_FIVE
    return filters.line_blur(images, length, draws.uniform(len(images), low=-limit, high=limit))


def shear(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Slant to either side: so many pixels sideways per pixel upwards."""
    slant = (0.2, 0.4, 0.6, 0.8, 1.0)[strength] * draws.signs(len(images))
    zero, one = torch.zeros_like(slant), torch.ones_like(slant)
    return _moved(images, (one, slant), (zero, one))


def scale(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Shrink, in the middle."""
    factor = (0.9, 0.8, 0.7, 0.6, 0.5)[strength] * torch.ones(len(images), device=images.device)
    del draws
    zero = torch.zeros_like(factor)
    return _moved(images, (1 / factor, zero), (zero, 1 / factor))


def rotate(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Rotate by so many radians to either side."""
    angle = (0.2, 0.4, 0.6, 0.8, 1.0)[strength] * draws.signs(len(images))
    return _moved(images, (angle.cos(), -angle.sin()), (angle.sin(), angle.cos()))


def brightness(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Add to every pixel."""
    del draws
    return images + (0.1, 0.2, 0.3, 0.4, 0.5)[strength]


def translate(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Shift by so many pixels along both axes, in either direction."""
    distance = (1, 2, 3, 4, 5)[strength] * unit(images, _SIDE)
    shift = distance * torch.stack([draws.signs(len(images)), draws.signs(len(images))], dim=1)
    matrices = torch.eye(2, device=images.device).expand(len(images), 2, 2)
    return filters.moved(images, matrices, "zeros", shift)


def stripe(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Invert a vertical stripe through the middle."""
    del draws
    width = images.shape[-1]
    half = (1, 2, 3, 4, 5)[strength] * unit(images, _SIDE)
    distance = (torch.arange(width, device=images.device) - (width - 1) / 2).abs()
    return torch.where(distance < max(half, 1), 1 - images, images)


def _moved(images: Tensor, first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> Tensor:
    """Resample by the matrices with these rows, with black outside."""
    matrices = torch.stack([torch.stack(first, dim=1), torch.stack(second, dim=1)], dim=1)
    return filters.moved(images, matrices, "zeros")


DRAWINGS: Mapping[str, Corruption] = {
    "shot noise": shot_noise,
    "impulse noise": impulse_noise,
    "glass blur": glass_blur,
    "motion blur": motion_blur,
    "shear": shear,
    "scale": scale,
    "rotate": rotate,
    "brightness": brightness,
    "translate": translate,
    "stripe": stripe,
    "fog": weather.fog,
    "spatter": weather.spatter,
    "dotted line": dotted_line,
    "zigzag": zigzag,
    "canny edges": canny_edges,
}
