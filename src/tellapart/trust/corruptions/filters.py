"""Blurs by the Fourier transform, and images moved by a map; a batch at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate, pad

from tellapart.trust.corruptions.draws import Draws

Transfer = Callable[[Tensor, Tensor], Tensor]
"""From frequencies down (rows, 1) and right (columns,), in cycles per pixel, to a filter's
response, (rows, columns) or (batch, 1, rows, columns)."""


def filtered(images: Tensor, reach: float, transfer: Transfer) -> Tensor:
    """Convolve images with a symmetric kernel that is given by its Fourier transform.

    One transform whatever the size of the kernel, which may differ from image to image. The area
    outside an image repeats its edge.

    Args:
        images: float32 (batch, channels, height, width).
        reach: how far the kernel reaches from its middle, in pixels.
        transfer: the kernel's transform.
    """
    margin = math.ceil(reach) + 1
    padded = pad(images, (margin, margin, margin, margin), mode="replicate")
    height, width = padded.shape[-2:]
    down = torch.fft.fftfreq(height, device=images.device)[:, None]
    right = torch.fft.rfftfreq(width, device=images.device)
    spectrum = torch.fft.rfft2(padded) * transfer(down, right)
    blurred: Tensor = torch.fft.irfft2(spectrum, s=(height, width))
    return blurred[..., margin:-margin, margin:-margin]


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Blur with a Gaussian of ``sigma`` pixels."""
    return filtered(
        images,
        3 * sigma,
        lambda down, right: torch.exp(-2 * (math.pi * sigma) ** 2 * (down**2 + right**2)),
    )


def disk_blur(images: Tensor, radius: float) -> Tensor:
    """Blur with a disk of ``radius`` pixels, as a lens out of focus does.

    The transform of a disk is ``2 J1(z) / z`` with ``z = 2 pi radius f``.
    """

    def transfer(down: Tensor, right: Tensor) -> Tensor:
        z = 2 * math.pi * radius * (down**2 + right**2).sqrt()
        return torch.where(z == 0, 1.0, 2 * torch.special.bessel_j1(z) / z.clamp_min(1e-6))

    return filtered(images, radius, transfer)


def line_blur(images: Tensor, length: float, angles: Tensor) -> Tensor:
    """Blur along a line, as a motion does.

    Args:
        images: float32 (batch, channels, height, width).
        length: of the line in pixels.
        angles: in radians from the horizontal, (batch,).
    """
    cos, sin = (part.view(-1, 1, 1, 1) for part in (angles.cos(), angles.sin()))
    return filtered(
        images, length / 2, lambda down, right: torch.sinc(length * (down * sin + right * cos))
    )


def glass_blur(
    images: Tensor, sigma: float, distance: int, num_rounds: int, draws: Draws
) -> Tensor:
    """Blur, take each pixel from a place near it, ``num_rounds`` times, and blur again.

    The places are drawn anew for every pixel; Hendrycks and Dietterich exchange pixels one after
    the other instead.
    """
    blurred = gaussian_blur(images, sigma)
    batch, _, height, width = images.shape
    rows = torch.arange(height, device=images.device).view(1, height, 1)
    columns = torch.arange(width, device=images.device).view(1, 1, width)
    side = 2 * distance + 1
    for _ in range(num_rounds):
        near = (draws.uniform(batch, height, width) * side**2).long().clamp_max(side**2 - 1)
        down, right = near // side - distance, near % side - distance
        places = (rows + down).clamp(0, height - 1) * width + (columns + right).clamp(0, width - 1)
        flat = places.view(batch, 1, -1).expand(-1, images.shape[1], -1)
        blurred = blurred.flatten(2).gather(2, flat).view_as(images)
    return gaussian_blur(blurred, sigma)


def moved(
    images: Tensor, matrices: Tensor, fill: Literal["zeros", "border"], shift: Tensor | None = None
) -> Tensor:
    """Resample images by ``old = matrix new + shift``, in pixels around the middle.

    Args:
        images: float32 (batch, channels, height, width).
        matrices: (batch, 2, 2), on (right, down).
        fill: what is outside: black, or the image's edge.
        shift: (batch, 2), right and down; None is none.
    """
    height, width = images.shape[-2:]
    x, y = (torch.arange(side, device=images.device) - (side - 1) / 2 for side in (width, height))
    new = torch.stack(
        [x.view(1, width).expand(height, -1), y.view(height, 1).expand(-1, width)], dim=-1
    )  # (height, width, 2)
    old = torch.einsum("bij,hwj->bhwi", matrices, new)
    if shift is not None:
        old = old + shift[:, None, None]
    return sampled(images, old, fill)


def sampled(images: Tensor, places: Tensor, fill: Literal["zeros", "border"]) -> Tensor:
    """Take each pixel from a place: (batch, height, width, 2), right and down from the middle."""
    height, width = images.shape[-2:]
    grid = places * torch.tensor([2 / width, 2 / height], device=images.device)
    return grid_sample(images, grid, mode="bilinear", padding_mode=fill, align_corners=False)


def smooth_noise(
    draws: Draws, shape: tuple[int, int, int], nodes: tuple[int, int], mode: str = "bicubic"
) -> Tensor:
    """Return noise (batch, 1, height, width) interpolated between ``nodes`` (rows, columns)."""
    batch, height, width = shape
    drawn = draws.uniform(batch, 1, *nodes)
    smooth: Tensor = interpolate(drawn, (height, width), mode=mode, align_corners=True)
    return smooth
