"""Heat maps as colour images: orange speaks for a class, blue against it."""

from __future__ import annotations

import torch
from torch import Tensor

# Okabe and Ito's vermillion and sky blue, told apart by every kind of colour vision.
_FOR, _AGAINST = (255, 120, 20), (70, 180, 255)
_SMALLEST_SIDE = 224


def coloured(image: Tensor, heat: Tensor, scale: float) -> Tensor:
    """Return an image in dimmed grey with a heat map over it, uint8 (3, height, width).

    Args:
        image: uint8 (channels, height, width).
        heat: (height, width).
        scale: the absolute value that gets the full colour, the same for maps to be compared.
    """
    grey = image.float().mean(0).cpu() * 0.62 + 18  # dimmed, so that colours stand out
    strength = (heat.abs().cpu() / scale if scale > 0 else torch.zeros_like(heat)).clamp(0, 1)
    strength = strength[None] ** 0.8 * 0.92
    colours = torch.tensor([_AGAINST, _FOR], dtype=torch.float32)
    colour = colours[(heat >= 0).long().cpu()].permute(2, 0, 1)  # (3, height, width)
    return (grey * (1 - strength) + colour * strength).round().clamp(0, 255).to(torch.uint8)


def enlarged(image: Tensor) -> Tensor:
    """Return a small image scaled up by a whole number, its shorter side 224 pixels or more."""
    factor = -(-_SMALLEST_SIDE // min(image.shape[1:]))
    return image.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
