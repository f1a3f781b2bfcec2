"""An image in the input form of a classifier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FittedImage:
    """An image in the input form of a classifier, and how it was changed; see `read_image`.

    Args:
        pixels: uint8 (channels, height, width), 0 is black and 255 is white.
        changes: words such as ``inverted``, ``enlarged``, ``centred``; empty if the image was only
            resized.
        found: False if a drawing was expected and the page is blank.

    >>> import tellapart
    >>> tellapart.FittedImage(np.zeros((1, 28, 28), np.uint8)).found
    True
    """

    pixels: NDArray[np.uint8]
    changes: tuple[str, ...] = ()
    found: bool = True
