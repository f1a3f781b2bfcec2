"""An image made to fit what a classifier asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FittedImage:
    """An image as a network takes it, and what was changed in it.

    Args:
        pixels: uint8 (channels, height, width), 0 is black and 255 is white.
        changes: in words, such as ``inverted``, ``enlarged``, ``centred``; empty where the image
            was only resized.
        found: False where a drawing was expected and the page is blank.
    """

    pixels: NDArray[np.uint8]
    changes: tuple[str, ...] = ()
    found: bool = True
