"""Test-time augmentation: class probabilities averaged over several views of an image.

The views are fixed; a recipe's choice of them is made on validation images. Mirror images are used
only if the recipe has them: a mirrored digit is another digit, or none.

Source: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", 2012,
section 4.1: the mean of the class probabilities over shifts and mirror images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch

from tellapart.config import Views

_NUM_SHIFTS = 9
# Whether the views include mirror images, and whether they include shifts.
_KINDS: Mapping[Views, tuple[bool, bool]] = {
    "plain": (False, False),
    "mirrored": (True, False),
    "shifted": (False, True),
    "mirrored-and-shifted": (True, True),
}
# One pixel of images about as large as MNIST's, and the same fraction of a larger side.
_SIDE_PER_PIXEL = 32


def view_shift(side: int) -> int:
    """Return by how many pixels a view is shifted along a side: a 32nd of it, at least one.

    Halves are rounded up: 1 up to 47 pixels a side, 2 from 48, 3 from 80, 7 at 224.
    """
    return max(1, (side + _SIDE_PER_PIXEL // 2) // _SIDE_PER_PIXEL)


def shifted(images: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """Shift images by whole pixels; the area behind a border repeats the image's edge.

    ``new[y, x] = old[clamp(y - down), clamp(x - right)]``: nothing is resampled or blurred.

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
    """Yield the images shifted up, down, left, right, along the diagonals, and not at all.

    The shift is `view_shift` of height and width; the views come row by row.

    Args:
        images: (batch, channels, height, width).
    """
    _, _, height, width = images.shape
    down, right = view_shift(height), view_shift(width)
    for rows in (-down, 0, down):
        for columns in (-right, 0, right):
            yield shifted(images, rows, columns)


def mirrors(views: Views) -> bool:
    """Whether the views include mirror images."""
    return _KINDS[views][0]


def shifts(views: Views) -> bool:
    """Whether the views include shifted images."""
    return _KINDS[views][1]


def num_views(views: Views) -> int:
    """Return the number of views of each image: 1, 2, 9 or 18."""
    return (2 if mirrors(views) else 1) * (_NUM_SHIFTS if shifts(views) else 1)


def views_of(images: torch.Tensor, views: Views) -> Iterator[torch.Tensor]:
    """Yield the images in each of ``views``, one view at a time.

    Args:
        images: (batch, channels, height, width).
        views: which views; `num_views` is their number.
    """
    sides = (images, images.flip(3)) if mirrors(views) else (images,)
    for side in sides:
        if shifts(views):
            yield from nine_views(side)
        else:
            yield side


def views_with_tta(views: Views, tta: bool | None) -> Views:
    """Return the views of a classifier under ``--tta`` or ``--no-tta``.

    Args:
        views: the classifier's own.
        tta: True adds `nine_views`, also of the mirror image if ``views`` include it; False leaves
            the image alone; None keeps ``views``.
    """
    if tta is None:
        return views
    if not tta:
        return "plain"
    return "mirrored-and-shifted" if mirrors(views) else "shifted"


def views_in_words(counts: Sequence[int]) -> str:
    """Return the numbers of views of classifiers in words: ``nine``, ``one to two``."""
    words = {1: "one", 2: "two", 9: "nine", 18: "eighteen"}
    fewest, most = min(counts), max(counts)
    return words[most] if fewest == most else f"{words[fewest]} to {words[most]}"
