"""Corruptions of photographs.

Source of the kinds, and of most strengths: D. Hendrycks and T. Dietterich, "Benchmarking Neural
Network Robustness to Common Corruptions and Perturbations", ICLR 2019. Lengths are in pixels of
224x224 images, and grow and shrink with the images. Noise is weaker than theirs at the two highest
strengths: on images smaller than 224 pixels it hides more.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from tellapart.trust.corruptions import filters, weather
from tellapart.trust.corruptions.drawings import impulse_noise, shot_noise
from tellapart.trust.corruptions.draws import Corruption, Draws, unit
from tellapart.trust.corruptions.jpeg import compressed

_SIDE = 224
_NUM_ZOOMS = 8


def gaussian_noise(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Add noise to every value, as a sensor in the dark does."""
    std = (0.06, 0.09, 0.13, 0.18, 0.24)[strength]
    return images + std * draws.normal(*images.shape)


def defocus_blur(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Blur with a disk, as a lens out of focus does."""
    del draws
    radius = (3, 4, 6, 8, 10)[strength] * unit(images, _SIDE)
    return filters.disk_blur(images, max(radius, 0.6 + 0.1 * strength))


def glass_blur(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Look through frosted glass: pixels are exchanged with others near them."""
    sigma, distance, rounds = (
        ((0.5, 1.5, 1), (0.7, 2.5, 2), (0.9, 3.5, 2), (1.1, 5, 2), (1.5, 7, 2))
    )[strength]
    pixel = max(unit(images, _SIDE), 0.4)  # below half a pixel, nothing could be exchanged
    near = max(1, round(distance * pixel))
    return filters.glass_blur(images, sigma * pixel, near, rounds, draws)


def motion_blur(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Move the camera, up to 45 degrees from the horizontal."""
    length = max((10, 15, 20, 27, 35)[strength] * unit(images, _SIDE), 1.5 + 0.5 * strength)
    limit = torch.pi / 4
    return filters.line_blur(images, length, draws.uniform(len(images), low=-limit, high=limit))


def zoom_blur(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Move towards the image: the mean of ever larger images."""
    del draws
    largest = (1.11, 1.16, 1.21, 1.26, 1.33)[strength]
    total = torch.zeros_like(images)
    for zoom in torch.linspace(1, largest, _NUM_ZOOMS).tolist():
        matrix = torch.eye(2, device=images.device) / zoom
        total += filters.moved(images, matrix.expand(len(images), 2, 2), "border")
    return total / _NUM_ZOOMS


def brightness(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Raise the brightest channel, and the others in proportion: the colour stays."""
    del draws
    added = (0.1, 0.2, 0.3, 0.4, 0.5)[strength]
    value = images.amax(1, keepdim=True)
    brighter = (value + added).clamp_max(1)
    return torch.where(value > 0, images * brighter / value.clamp_min(1e-6), brighter)


def contrast(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Bring every value nearer to the mean of its channel."""
    del draws
    kept = (0.4, 0.3, 0.2, 0.1, 0.05)[strength]
    mean = images.mean((2, 3), keepdim=True)
    return mean + kept * (images - mean)


def elastic(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Stretch and press parts of an image, as if it were printed on rubber."""
    side = min(images.shape[-2:])
    pixels = (0.006, 0.01, 0.014, 0.018, 0.022)[strength] * side
    batch, _, height, width = images.shape
    nodes = (max(4, round(8 * height / side)), max(4, round(8 * width / side)))
    x, y = (torch.arange(n, device=images.device) - (n - 1) / 2 for n in (width, height))
    right, down = (
        (2 * filters.smooth_noise(draws, (batch, height, width), nodes) - 1)[:, 0] * 2 * pixels
        for _ in range(2)
    )
    places = torch.stack([x.view(1, 1, -1) + right, y.view(1, -1, 1) + down], dim=-1)
    return filters.sampled(images, places, "border")


def pixelate(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Shrink, and enlarge again without smoothing."""
    del draws
    factor = (0.5, 0.4, 0.33, 0.25, 0.2)[strength]
    height, width = images.shape[-2:]
    small = max(1, round(height * factor)), max(1, round(width * factor))
    return interpolate(interpolate(images, small, mode="area"), (height, width), mode="nearest")


def jpeg(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Compress as JPEG, at ever lower quality."""
    del draws
    return compressed(images, (25, 18, 15, 10, 7)[strength])


PHOTOGRAPHS: Mapping[str, Corruption] = {
    "gaussian noise": gaussian_noise,
    "shot noise": shot_noise,
    "impulse noise": impulse_noise,
    "defocus blur": defocus_blur,
    "glass blur": glass_blur,
    "motion blur": motion_blur,
    "zoom blur": zoom_blur,
    "snow": weather.snow,
    "frost": weather.frost,
    "fog": weather.fog,
    "brightness": brightness,
    "contrast": contrast,
    "elastic": elastic,
    "pixelate": pixelate,
    "jpeg": jpeg,
}
