"""The one way in which an image file is read for a classifier."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.data.images.drawing import read_drawing
from tellapart.data.images.files import read_image as read_framed
from tellapart.models.spec import ClassifierSpec


class ReadImage(NamedTuple):
    """An image as a classifier takes it, and what was changed in it.

    Args:
        pixels: uint8 (channels, height, width), 0 is black and 255 is white.
        changes: words such as ``inverted``, where a drawing was made to look as those trained on.
    """

    pixels: NDArray[np.uint8]
    changes: tuple[str, ...] = ()


def read_image(path: str | Path, spec: ClassifierSpec, *, as_is: bool = False) -> ReadImage:
    """Reads an image file in the form that a classifier takes, as ``predict`` does.

    Args:
        path: the file.
        spec: of the classifier: shape, fit and drawing style.
        as_is: leaves a drawing alone that differs in background, size or place from those that
            the classifier was trained on.

    Raises:
        DataError: where the file is missing, empty, too large, or no image that can be read.
    """
    path, frame = Path(path), spec.frame
    if spec.style and not as_is:
        pixels, changes = read_drawing(path, frame, spec.style)
        return ReadImage(pixels.numpy(), changes)
    read = read_framed(
        path, channels=frame.channels, height=frame.height, width=frame.width, fit=frame.fit
    )
    return ReadImage(read.numpy())
