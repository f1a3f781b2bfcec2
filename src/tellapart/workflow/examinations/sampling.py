"""Fewer images where an examination would take too long with all of them."""

from __future__ import annotations

import torch
from torch import Tensor


def spread_evenly(num_images: int, most: int) -> Tensor:
    """Return at most ``most`` places of ``num_images``, evenly apart and in order, int64.

    >>> spread_evenly(10, 4).tolist()
    [0, 2, 5, 7]
    """
    count = min(num_images, most)
    return torch.arange(count) * num_images // max(count, 1)
