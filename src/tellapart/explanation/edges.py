"""A plain edge detector, which knows nothing of any network: what a heat map has to be better than.

Edges are where an image has something, so a map of them looks like an explanation. Adebayo et al.,
"Sanity Checks for Saliency Maps", NeurIPS 2018, section 5, found published methods to be no more.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def edge_maps(images: Tensor) -> Tensor:
    """Return the magnitude of the Sobel gradient, float32 (images, height, width).

    Args:
        images: (images, channels, height, width) of any type of number; the mean over the channels
            is used, and the border is continued outwards, so that it is no edge.
    """
    grey = images.float().mean(1, keepdim=True)
    padded = nn.functional.pad(grey, (1, 1, 1, 1), mode="replicate")
    across = torch.tensor(_SOBEL, device=grey.device)
    kernels = torch.stack([across, across.T])[:, None]  # (2, 1, 3, 3)
    slopes = nn.functional.conv2d(padded, kernels)
    return slopes.square().sum(1).sqrt()
