"""Test-time augmentation: one picture looked at in several ways, and the answers averaged.

The views are a fixed rule and nothing in them is chosen by a score. Pictures are mirrored only for
a recipe that says so: a mirrored digit is another digit, or none.

Source: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", 2012,
section 4.1: the mean of the class probabilities over shifts and mirror images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import torch

Views = Literal["one", "mirrored", "shifted", "both"]

_NUM_VIEWS: Mapping[Views, int] = {"one": 1, "mirrored": 2, "shifted": 9, "both": 18}
# One pixel of pictures about as large as MNIST's, and the same share of any larger one.
_SIDE_PER_PIXEL = 32


def view_shift(side: int) -> int:
    """How many pixels a view is shifted along a side: a 32nd of it, and at least one.

    Halves are rounded up: 1 up to 47 pixels a side, 2 from 48, 3 from 80, 7 at 224.
    """
    return max(1, (side + _SIDE_PER_PIXEL // 2) // _SIDE_PER_PIXEL)


def shifted(images: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """Pictures moved by whole pixels; what comes in at a border repeats the picture's own edge.

    ``new[y, x] = old[clamp(y - down), clamp(x - right)]``: nothing is resampled, so that a view
    holds the picture's own values and blurs nothing.

    Args:
        images: (batch, channels, height, width), of any type.
        down: pixels; below 0 is up.
        right: pixels; below 0 is left.

    Returns:
        A copy, of the same shape and type.
    """
    _, _, height, width = images.shape
    rows = (torch.arange(height, device=images.device) - down).clamp(0, height - 1)
    columns = (torch.arange(width, device=images.device) - right).clamp(0, width - 1)
    return images[:, :, rows[:, None], columns]


def nine_views(images: torch.Tensor) -> Iterator[torch.Tensor]:
    """The pictures shifted up, down, left, right, along the diagonals, and not at all.

    By `view_shift` of height and width; one view at a time, in the order of reading.

    Args:
        images: (batch, channels, height, width).
    """
    _, _, height, width = images.shape
    down, right = view_shift(height), view_shift(width)
    for rows in (-down, 0, down):
        for columns in (-right, 0, right):
            yield shifted(images, rows, columns)


def views_of(images: torch.Tensor, views: Views) -> Iterator[torch.Tensor]:
    """The pictures as they are seen in each of ``views``, one view at a time.

    Args:
        images: (batch, channels, height, width).
        views: which; `num_views` says how many.
    """
    sides = (images, images.flip(3)) if views in ("mirrored", "both") else (images,)
    for side in sides:
        if views in ("shifted", "both"):
            yield from nine_views(side)
        else:
            yield side


def num_views(views: Views) -> int:
    """How many pictures each picture is looked at as."""
    return _NUM_VIEWS[views]


def asked_views(views: Views, tta: bool | None) -> Views:
    """What ``--tta`` makes of a classifier's own views.

    Args:
        views: the classifier's.
        tta: True adds the shifted ones, False leaves the picture as it is, None changes nothing.
    """
    if tta is None:
        return views
    if not tta:
        return "one"
    return "both" if views in ("mirrored", "both") else "shifted"
