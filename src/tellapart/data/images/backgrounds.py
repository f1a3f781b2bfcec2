"""Whether images are drawings on a plain background, or photographs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# A pixel belongs to the background if every channel is within so many grey levels of the median of
# the image's border; JPEG and the grain of paper change it by less.
_TOLERANCE = 12
# So much of a drawing is background, and so much of its border: strokes may reach it. Medians over
# a set: MNIST's digits 0.81 and 1.00, clothes cut out on black 0.53 and 0.88; photographs of hands
# before a wall 0.11 and 0.36, of solar cells 0.06 and 0.67, of insects 0.2 and 0.3.
_LEAST_AREA, _LEAST_BORDER = 0.35, 0.8


def are_drawings(images: NDArray[np.uint8]) -> bool:
    """Return whether most images are drawings on a plain background, of any colour.

    Args:
        images: uint8 (images, channels, height, width).
    """
    if not len(images):
        return False
    values = images.astype(np.int16)
    edges = (values[:, :, 0], values[:, :, -1], values[..., 0], values[..., -1])
    border = np.concatenate(edges, axis=-1)  # (images, channels, pixels of the border)
    background = np.median(border, axis=-1)
    area = _near(values, background[..., None, None]).mean((1, 2))
    along = _near(border, background[..., None]).mean(1)
    return bool(np.median(area) >= _LEAST_AREA and np.median(along) >= _LEAST_BORDER)


def _near(values: NDArray[np.int16], background: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which pixels are near the background in every channel; (images, ...)."""
    near: NDArray[np.bool_] = np.all(np.abs(values - background) <= _TOLERANCE, axis=1)
    return near
