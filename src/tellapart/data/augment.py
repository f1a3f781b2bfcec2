"""Augmentation: images varied a batch at a time, on their device, with a generator passed in.

All geometric changes (flip, rotation, scale, shear, shift, elastic) become one sampling grid, so
that an image is resampled once. Mixing images mixes their labels too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn.functional import grid_sample, interpolate, one_hot

from tellapart.config import AugmentationRecipe

# A displacement is drawn on a coarse lattice of this many nodes a side and interpolated between
# them: as smooth as blurring noise (Simard et al. 2003, section 2), for a hundredth of the work.
_ELASTIC_NODES = 5
_VEIL_NODES = 4


def augment(
    images: torch.Tensor,
    labels: torch.Tensor,
    num_classes: int,
    recipe: AugmentationRecipe,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a randomly varied copy of a batch.

    Args:
        images: uint8, (batch, channels, height, width).
        labels: int64, (batch,).
        num_classes: classes of the data set.
        recipe: the kinds and amounts of augmentation; none by default.
        generator: on the device of ``images``.

    Returns:
        uint8 images of the same shape, and targets: the ``labels``, or for mixed images the weight
        of each class, float32 (batch, classes), with rows that sum to 1.
    """
    if recipe.is_geometric:
        images = _resample(images, sampling_grid(images.shape, recipe, generator), recipe)
    if recipe.veil:
        images = veil(images, recipe.veil, generator)
    if recipe.noise:
        images = add_noise(images, recipe.noise, generator)
    if recipe.erase_probability:
        images = erase(images, recipe.erase_probability, recipe.erase_fraction, generator)
    if recipe.mixup_alpha or recipe.cutmix_alpha:
        return mix(images, labels, num_classes, recipe, generator)
    return images, labels


def sampling_grid(
    shape: Sequence[int], recipe: AugmentationRecipe, generator: torch.Generator
) -> torch.Tensor:
    """Return the source position of each pixel: (batch, height, width, 2), in -1..1.

    The affine part maps new coordinates to old: ``old = R(rotation) S(shear) D(scale, flip)
    new + shift``, in pixels around the centre, so that rotations are right in oblong images too.
    """
    batch, _, height, width = shape
    device = generator.device

    def uniform(limit: float) -> torch.Tensor:
        return (torch.rand(batch, generator=generator, device=device) * 2 - 1) * limit

    turn, shear = uniform(math.radians(recipe.rotation_degrees)), uniform(recipe.shear)
    scale_x = torch.exp(uniform(math.log1p(recipe.scale)))
    scale_y = scale_x * torch.exp(uniform(math.log1p(recipe.stretch)))
    flip_x = _signs(batch, recipe.flip_horizontal, generator)
    flip_y = _signs(batch, recipe.flip_vertical, generator)
    cos, sin = torch.cos(turn), torch.sin(turn)
    a, b = cos * scale_x * flip_x, (cos * shear - sin) * scale_y * flip_y
    c, d = sin * scale_x * flip_x, (sin * shear + cos) * scale_y * flip_y
    aspect = height / width
    grid = _affine_grid(
        torch.stack(
            [
                torch.stack([a, b * aspect, uniform(2 * recipe.shift_pixels / width)], dim=1),
                torch.stack([c / aspect, d, uniform(2 * recipe.shift_pixels / height)], dim=1),
            ],
            dim=1,
        ),
        height,
        width,
    )
    if recipe.elastic_pixels:
        grid = grid + elastic_displacement(shape, recipe.elastic_pixels, generator)
    return grid


def _affine_grid(theta: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """``theta`` (batch, 2, 3) times (x, y, 1) of every pixel's centre: (batch, height, width, 2).

    The result is that of torch's ``affine_grid`` without ``align_corners``, which multiplies
    matrices of three columns. Adding a term of the row and a term of the column is the same, in a
    fraction of the time on a CPU (docs/decisions/speed-on-a-processor.md).
    """
    x, y = (2 * torch.arange(side, device=theta.device) + 1 for side in (width, height))
    columns = theta[:, :, 0, None] * (x / width - 1)  # (batch, 2, width)
    rows = theta[:, :, 1, None] * (y / height - 1) + theta[:, :, 2, None]  # (batch, 2, height)
    return (rows[:, :, :, None] + columns[:, :, None]).permute(0, 2, 3, 1)


def elastic_displacement(
    shape: Sequence[int], pixels: float, generator: torch.Generator
) -> torch.Tensor:
    """Return a smooth random field (batch, height, width, 2) in grid units.

    Its standard deviation is ``pixels`` at the nodes, and smaller between them, where neighbours
    are averaged: two thirds of it on average over an image.

    Source: Simard et al., "Best Practices for Convolutional Neural Networks", 2003, section 2.
    """
    batch, _, height, width = shape
    nodes = torch.randn(
        batch, 2, _ELASTIC_NODES, _ELASTIC_NODES, generator=generator, device=generator.device
    )
    unit = torch.tensor([2 / width, 2 / height], device=generator.device).view(1, 2, 1, 1)
    field = interpolate(nodes * unit, (height, width), mode="bilinear", align_corners=True)
    return pixels * field.permute(0, 2, 3, 1)


def _signs(batch: int, probability: float, generator: torch.Generator) -> torch.Tensor:
    """-1 with ``probability``, else 1."""
    if not probability:
        return torch.ones(batch, device=generator.device)
    drawn = torch.rand(batch, generator=generator, device=generator.device)
    return 1 - 2 * (drawn < probability).float()


def _resample(images: torch.Tensor, grid: torch.Tensor, recipe: AugmentationRecipe) -> torch.Tensor:
    padding = {"edge": "border", "black": "zeros", "mirror": "reflection"}[recipe.fill]
    sampled = grid_sample(
        images.float(),
        grid,
        mode=recipe.interpolation,
        padding_mode=padding,
        align_corners=False,
    )
    if recipe.interpolation == "bicubic":
        # A cubic overshoots on both sides of an edge.
        sampled.clamp_(0, 255)
    return sampled.round_().to(torch.uint8)


def veil(images: torch.Tensor, largest: float, generator: torch.Generator) -> torch.Tensor:
    """Blends half of the images with greys, each with a weight of its own up to ``largest``.

    ``new = (1 - w) old + w grey``, where the grey is between an even one and one that varies over
    the image. All contrast is lowered by ``1 - w``, as fog, dust or another exposure does.

    Args:
        images: uint8 (batch, channels, height, width).
        largest: the largest weight, below 1.
        generator: on the device of ``images``.
    """
    batch, _, height, width = images.shape
    device = generator.device

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    drawn = uniform(4, batch, 1, 1, 1)
    weight = largest * drawn[0] * (drawn[1] < 0.5)
    nodes = uniform(batch, 1, _VEIL_NODES, _VEIL_NODES)
    uneven = interpolate(nodes, (height, width), mode="bilinear", align_corners=True)
    grey = drawn[2] + drawn[3] * (uneven - drawn[2])
    veiled = images.float() * (1 - weight) + 255 * weight * grey
    return veiled.round_().to(torch.uint8)


def add_noise(images: torch.Tensor, largest: float, generator: torch.Generator) -> torch.Tensor:
    """Adds normal noise to half of the images, with a std of its own each, up to ``largest``.

    Args:
        images: uint8 (batch, channels, height, width).
        largest: the largest std, of pixels in 0..1.
        generator: on the device of ``images``.
    """
    device = generator.device
    drawn = torch.rand(2, len(images), 1, 1, 1, generator=generator, device=device)
    std = 255 * largest * drawn[0] * (drawn[1] < 0.5)
    noise = torch.randn(images.shape, generator=generator, device=device)
    return (images.float() + std * noise).round_().clamp_(0, 255).to(torch.uint8)


def erase(
    images: torch.Tensor, probability: float, fraction: float, generator: torch.Generator
) -> torch.Tensor:
    """Blanks a rectangle of at most ``fraction`` of the area, or a pixel, with the image's mean.

    Source: DeVries and Taylor, "Improved Regularization with Cutout", 2017.
    """
    batch, _, height, width = images.shape
    device = generator.device
    drawn = torch.rand(batch, generator=generator, device=device) < probability
    side = torch.rand(2, batch, generator=generator, device=device)
    # Largest sides are rounded down, so that the fraction is not exceeded.
    tallest, widest = (max(1, int(fraction**0.5 * whole)) for whole in (height, width))
    tall, wide = 1 + (side[0] * tallest).floor(), 1 + (side[1] * widest).floor()
    inside = _rectangles(tall, wide, height, width, generator) & drawn.view(-1, 1, 1, 1)
    mean = images.float().mean((2, 3), keepdim=True).round().to(torch.uint8)
    return torch.where(inside, mean, images)


def _rectangles(
    tall: torch.Tensor, wide: torch.Tensor, height: int, width: int, generator: torch.Generator
) -> torch.Tensor:
    """Return a mask of one random rectangle per image: (batch, 1, height, width).

    Args:
        tall: rows of each rectangle, (batch,), whole numbers up to ``height``.
        wide: columns of each, (batch,), up to ``width``.
        height: of the images in pixels.
        width: of the images in pixels.
        generator: draws the positions.
    """
    device = generator.device
    place = torch.rand(2, len(tall), generator=generator, device=device)
    top, left = (place[0] * (height - tall + 1)).floor(), (place[1] * (width - wide + 1)).floor()
    rows = torch.arange(height, device=device).view(1, -1)
    columns = torch.arange(width, device=device).view(1, -1)
    in_rows = (rows >= top[:, None]) & (rows < (top + tall)[:, None])
    in_columns = (columns >= left[:, None]) & (columns < (left + wide)[:, None])
    inside: torch.Tensor = (in_rows[:, :, None] & in_columns[:, None, :])[:, None]
    return inside


def mix(
    images: torch.Tensor,
    labels: torch.Tensor,
    num_classes: int,
    recipe: AugmentationRecipe,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mixes every image with another one of the batch, and its label with the same weight.

    Mixup blends (Zhang et al. 2017, section 2), CutMix pastes a rectangle (Yun et al. 2019); if
    both are on, each batch gets one of them at random. CutMix's rectangle has the sides of the
    image times the root of the weight, and lies inside the image; the weight of the label is then
    computed from its area in whole pixels.
    """
    device = generator.device
    partner = torch.randperm(len(images), generator=generator, device=device)
    coin = torch.rand((), generator=generator, device=device)
    if recipe.mixup_alpha and (not recipe.cutmix_alpha or coin < 0.5):
        kept = _beta(recipe.mixup_alpha, len(images), generator)
        weight = kept.view(-1, 1, 1, 1)
        mixed = images.float() * weight + images[partner].float() * (1 - weight)
        mixed = mixed.round_().to(torch.uint8)
    else:
        side = (1 - _beta(recipe.cutmix_alpha, len(images), generator)).sqrt()
        _, _, height, width = images.shape
        tall, wide = (side * height).round(), (side * width).round()
        inside = _rectangles(tall, wide, height, width, generator)
        mixed = torch.where(inside, images[partner], images)
        kept = 1 - inside.float().mean((1, 2, 3))
    ours, theirs = (one_hot(part, num_classes).float() for part in (labels, labels[partner]))
    return mixed, kept[:, None] * ours + (1 - kept[:, None]) * theirs


def _beta(alpha: float, count: int, generator: torch.Generator) -> torch.Tensor:
    """Draws from Beta(alpha, alpha): one of two equal gamma variables divided by their sum.

    torch's own Beta takes no generator; its gamma sampler does, on every device. A gamma variable
    of a small alpha is too small for float32, so its logarithm is drawn: that of one of alpha + 1,
    plus log(u) / alpha (Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables",
    2000, section 6).
    """
    shape = torch.full((2, count), alpha + 1, device=generator.device)
    drawn = torch._standard_gamma(shape, generator=generator).log()
    uniform = torch.rand(2, count, generator=generator, device=generator.device)
    drawn += uniform.clamp_min(torch.finfo(uniform.dtype).tiny).log() / alpha
    fraction: torch.Tensor = torch.sigmoid(drawn[0] - drawn[1])
    return fraction
