"""The one way in which an image file is read for a classifier."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.data.images.reading import read_fitted
from tellapart.models.spec import ClassifierSpec


class ReadImage(NamedTuple):
    """An image as a classifier takes it, and what was changed in it.

    Args:
        pixels: uint8 (channels, height, width), 0 is black and 255 is white.
        changes: words such as ``inverted``, where a drawing was made to look as those trained on.
        found: False where a drawing was expected and the page is blank.
    """

    pixels: NDArray[np.uint8]
    changes: tuple[str, ...] = ()
    found: bool = True


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
    fitted = read_fitted(Path(path), spec.frame, spec.style, as_is)
    return ReadImage(fitted.pixels, fitted.changes, fitted.found)
