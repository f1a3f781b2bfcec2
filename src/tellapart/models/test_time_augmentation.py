"""Test-time augmentation: one picture looked at from nine places, and the answers averaged.

The views are a fixed rule and nothing in them is chosen by a score. No view is mirrored: a mirrored
digit is another digit, or none.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from tellapart.models.ensemble import log_mean_probability

NUM_VIEWS = 9
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


class NineViews(nn.Module):
    """A classifier that answers with the mean of its class probabilities over `nine_views`.

    Source: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks",
    2012, section 4.1, less the mirrored views. Cost: nine times the classifier's.

    Args:
        classifier: maps uint8 pictures (batch, channels, height, width) to logits (batch, classes).
    """

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 pictures (batch, channels, height, width) to logits (batch, classes)."""
        return log_mean_probability(self.classifier(view) for view in nine_views(images))
