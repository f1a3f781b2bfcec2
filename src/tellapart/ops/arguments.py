"""The checks of arguments that all operations share, and the types that they compute in."""

from __future__ import annotations

from typing import TypeAlias

import torch

from tellapart.errors import ConfigError, ShapeError

#: One number for both directions, or (vertical, horizontal).
Pair: TypeAlias = int | tuple[int, int]

_HALF_TYPES = (torch.float16, torch.bfloat16)


def pair(value: Pair, *, subject: str, at_least: int) -> tuple[int, int]:
    """Return ``value`` as (vertical, horizontal).

    Raises:
        ShapeError: where it is not one or two whole numbers, or one of them is below ``at_least``.
    """
    both = (value, value) if isinstance(value, int) else value
    whole = isinstance(both, tuple | list) and len(both) == 2
    if not whole or not all(isinstance(n, int) and not isinstance(n, bool) for n in both):
        raise ShapeError(
            f"{subject} must be a whole number or a pair (vertical, horizontal), got {value!r}"
        )
    if min(both) < at_least:
        raise ShapeError(f"{subject} must be at least {at_least}, got {value!r}")
    return both[0], both[1]


def check_images(images: torch.Tensor) -> None:
    """Raise ShapeError unless images are floating point (batch, channels, height, width)."""
    if images.ndim != 4:
        remedy = "; for one image pass images[None]" if images.ndim == 3 else ""
        raise ShapeError(
            f"images must be (batch, channels, height, width), got {tuple(images.shape)}{remedy}"
        )
    check_floating(images, subject="images")


def check_floating(values: torch.Tensor, *, subject: str) -> None:
    """Raise ShapeError for integers and complex numbers: a gradient needs real numbers."""
    if not values.is_floating_point():
        raise ShapeError(
            f"{subject} must be floating point, got {values.dtype}; convert with {subject}.float()"
        )


def check_shape(values: torch.Tensor | None, shape: tuple[int, ...], *, subject: str) -> None:
    """Raise ShapeError unless ``values`` have this shape; None passes."""
    if values is not None and tuple(values.shape) != shape:
        raise ShapeError(f"{subject} must be {shape}, got {tuple(values.shape)}")


def check_alike(reference: torch.Tensor, other: torch.Tensor | None, *, subjects: str) -> None:
    """Raise ShapeError unless both tensors have one type and one device; None passes.

    ``subjects`` names the two in the message, as in "images and weight".
    """
    if other is None:
        return
    if reference.dtype != other.dtype:
        raise ShapeError(
            f"{subjects} must have one type, got {reference.dtype} and {other.dtype}; "
            "convert one with .to(dtype)"
        )
    if reference.device != other.device:
        raise ShapeError(
            f"{subjects} must be on one device, got {reference.device} and {other.device}; "
            "move one with .to(device)"
        )


def check_fraction(value: float, *, subject: str) -> None:
    """Raise ConfigError unless the fraction lies in 0..1."""
    if not 0.0 <= value <= 1.0:
        raise ConfigError(f"{subject} must lie in 0..1, got {value!r}")


def accumulation_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the type for long sums: float32 for float16 and bfloat16, else ``dtype`` itself.

    A bfloat16 has 8 significant bits, so 256 + 1 = 256: a sum of ones would stop growing there.
    """
    return torch.float32 if dtype in _HALF_TYPES else dtype


def _autocast_enabled(device_type: str) -> bool:
    return torch.amp.is_autocast_available(device_type) and torch.is_autocast_enabled(device_type)


def lowered_by_autocast(values: torch.Tensor) -> torch.Tensor:
    """Convert ``values`` to autocast's type where autocast is on; float64 stays, as in torch."""
    device_type = values.device.type
    if not _autocast_enabled(device_type) or values.dtype == torch.float64:
        return values
    return values.to(torch.get_autocast_dtype(device_type))


def raised_by_autocast(values: torch.Tensor) -> torch.Tensor:
    """Convert 16-bit ``values`` to float32 where autocast is on: torch computes losses so."""
    if not _autocast_enabled(values.device.type):
        return values
    return values.to(accumulation_dtype(values.dtype))
