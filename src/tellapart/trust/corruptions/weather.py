"""Fog, snow, frost and spatter, as layers over an image."""

from __future__ import annotations

import math
from statistics import NormalDist

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from tellapart.trust.corruptions.draws import Draws, unit
from tellapart.trust.corruptions.filters import gaussian_blur, line_blur, smooth_noise

# How fast finer detail fades. Hendrycks and Dietterich let fog become rougher as it becomes denser.
_DECAY_OF_FOG, _DECAY_OF_FROST = 1.7, 1.4
_NORMAL = NormalDist()


def cloud(images: Tensor, decay: float, draws: Draws) -> Tensor:
    """Return fractal noise in 0..1, (batch, 1, height, width): octaves of smooth noise.

    Each octave is twice as fine as the one before and weaker by ``decay``. It takes the place of
    the diamond-square algorithm, which computes a pixel at a time.
    """
    batch, _, height, width = images.shape
    total = torch.zeros(batch, 1, height, width, device=images.device)
    for octave in range(1, math.ceil(math.log2(max(height, width))) + 1):
        nodes = min(2**octave + 1, height), min(2**octave + 1, width)
        total += smooth_noise(draws, (batch, height, width), nodes, "bilinear") * decay**-octave
    low, high = total.amin((2, 3), keepdim=True), total.amax((2, 3), keepdim=True)
    return (total - low) / (high - low).clamp_min(1e-6)


def fog(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Add fractal noise, and scale back to the image's own brightest value."""
    amount = (1.0, 1.5, 2.0, 2.5, 3.0)[strength]
    brightest = images.amax((1, 2, 3), keepdim=True).clamp_min(0.2)
    return (
        (images + amount * cloud(images, _DECAY_OF_FOG, draws)) * brightest / (brightest + amount)
    )


def frost(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Cover an image with crystals: the ridges of fractal noise.

    Hendrycks and Dietterich paste photographs of frosted glass; this needs no files.
    """
    covered = (0.3, 0.45, 0.6, 0.75, 0.9)[strength]
    texture = cloud(images, _DECAY_OF_FROST, draws)
    ridges = 1 - (2 * texture - 1).abs()
    return images + covered * ridges**2 * (0.6 + 0.4 * texture - images)


def snow(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Whiten an image and let flakes fall over it, blurred along their way."""
    fraction = (0.01, 0.02, 0.03, 0.045, 0.06)[strength]
    whitened = (0.2, 0.3, 0.3, 0.35, 0.45)[strength]
    batch, _, height, width = images.shape
    pixel = unit(images, 112)
    coarse = max(2, round(height / max(pixel, 1))), max(2, round(width / max(pixel, 1)))
    drawn = draws.uniform(batch, 1, *coarse)
    flakes = interpolate((drawn < fraction).float(), (height, width), mode="nearest")
    angles = draws.uniform(batch, low=math.radians(-135), high=math.radians(-45))
    falling = (line_blur(flakes, 6 * pixel, angles).clamp_min(0) * 3).clamp_max(1)
    grey = images.mean(1, keepdim=True) * 1.5 + 0.5
    return (1 - whitened) * images + whitened * torch.maximum(images, grey) + falling


def spatter(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Let drops of a liquid that is neither black nor white hide parts of an image."""
    covered = (0.03, 0.06, 0.1, 0.14, 0.18)[strength]
    batch, _, height, width = images.shape
    layer = gaussian_blur(draws.uniform(batch, 1, height, width), unit(images, 28) * 1.2)
    # Sums of many numbers are nearly normal. Drops contain those of the strengths below.
    spread, middle = torch.std_mean(layer, dim=(2, 3), keepdim=True)
    limit = middle + _NORMAL.inv_cdf(1 - covered) * spread
    drops = gaussian_blur((layer > limit).float(), unit(images, 28) * 0.4).clamp(0, 1)
    return images * (1 - drops) + 0.6 * drops
