"""Corrupted images: uint8 in, uint8 out, the same whatever the batch and the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from tellapart import runtime
from tellapart.data.images.backgrounds import are_drawings
from tellapart.errors import ConfigError, ShapeError
from tellapart.trust.corruptions.drawings import DRAWINGS
from tellapart.trust.corruptions.draws import Corruption, Draws
from tellapart.trust.corruptions.photographs import PHOTOGRAPHS
from tellapart.wording import did_you_mean, listed

Family = Literal["drawings", "photographs"]

NUM_STRENGTHS = 5
SMALLEST_SIDE = 8
FAMILIES: Mapping[Family, Mapping[str, Corruption]] = {
    "drawings": DRAWINGS,
    "photographs": PHOTOGRAPHS,
}
# So many values are computed at once: more is no faster, and needs more memory.
_VALUES_OF_A_BLOCK = 2**19
_NUM_LOOKED_AT = 500


def family_of(images: Tensor) -> Family:
    """Return whether images (n, channels, height, width) are drawings, by some of them."""
    some = images[:: max(1, len(images) // _NUM_LOOKED_AT)]
    return "drawings" if are_drawings(some.cpu().numpy()) else "photographs"


def corrupt(
    images: Tensor, kind: str, strength: int, *, family: Family = "drawings", seed: int = 0
) -> Tensor:
    """Return a corrupted copy of images.

    The random numbers of an image depend on its place among the images, on ``kind`` and ``seed``,
    and not on ``strength``: a stronger corruption is more of the same. Drawings on a light
    background are corrupted as their negatives.

    Args:
        images: uint8 (images, channels, height, width), on any device.
        kind: a key of ``FAMILIES[family]``.
        strength: 1..5.
        family: the kind of images, which decides the kinds of corruption.
        seed: of all random numbers.

    Returns:
        uint8 images of the same shape, on the same device.

    Raises:
        ShapeError: other images, or images with a side below 8 pixels.
        ConfigError: an unknown kind, or another strength.

    Example:
        >>> import tellapart
        >>> from tellapart.trust.corruptions.kinds import corrupt
        >>> digits = tellapart.load_data_set("mnist-sample").split("test").images
        >>> corrupt(digits, "fog", 3).shape
        torch.Size([1000, 1, 28, 28])
    """
    kinds = FAMILIES[family]
    if kind not in kinds:
        hint = did_you_mean(kind, kinds, f"known: {listed(kinds, limit=len(kinds))}")
        raise ConfigError(f"there is no corruption {kind!r} of {family}{hint}")
    if strength not in range(1, NUM_STRENGTHS + 1):
        raise ConfigError(f"the strength must be 1 to {NUM_STRENGTHS}, got {strength}")
    if images.dtype != torch.uint8 or images.ndim != 4 or min(images.shape[2:]) < SMALLEST_SIDE:
        raise ShapeError(
            "images must be uint8 (images, channels, height, width) with sides of at least "
            f"{SMALLEST_SIDE} pixels, got {images.dtype} {tuple(images.shape)}"
        )
    per_image = images[0].numel() if len(images) else 1
    # A function of the shape alone, so that it does not change which numbers an image gets.
    blocks = torch.split(images, max(1, _VALUES_OF_A_BLOCK // per_image))
    corrupted = [
        _corrupted(block, kinds[kind], strength - 1, _draws(seed, kind, number, images.device))
        if family == "photographs"
        else _corrupted_drawings(
            block, kinds[kind], strength - 1, _draws(seed, kind, number, images.device)
        )
        for number, block in enumerate(blocks)
    ]
    return torch.cat(corrupted)


def _draws(seed: int, kind: str, block: int, device: torch.device) -> Draws:
    return Draws(runtime.generator(seed, "corruption", kind, block), device)


def _corrupted(images: Tensor, corruption: Corruption, strength: int, draws: Draws) -> Tensor:
    changed = corruption(images.float() / 255, strength, draws)
    return (changed * 255).round().clamp(0, 255).to(torch.uint8)


def _corrupted_drawings(
    images: Tensor, corruption: Corruption, strength: int, draws: Draws
) -> Tensor:
    is_light = _border_median(images) > 127  # (images, 1, 1, 1)
    dark = torch.where(is_light, 255 - images, images)
    changed = _corrupted(dark, corruption, strength, draws)
    return torch.where(is_light, 255 - changed, changed)


def _border_median(images: Tensor) -> Tensor:
    """The median of the pixels along the border of each image, (images, 1, 1, 1)."""
    sides = (images[:, :, 0], images[:, :, -1], images[..., 0], images[..., -1])
    border = torch.cat([side.flatten(1) for side in sides], dim=1)
    return border.median(dim=1).values.view(-1, 1, 1, 1)
