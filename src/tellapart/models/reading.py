"""The one way in which an image file is read for a classifier; it loads no torch."""

from __future__ import annotations

from pathlib import Path

from tellapart.data.images.fitted import FittedImage
from tellapart.data.images.listing import ReadableFile
from tellapart.data.images.reading import read_fitted
from tellapart.models.spec import ClassifierSpec


def read_image(
    path: str | ReadableFile, spec: ClassifierSpec, *, as_is: bool = False
) -> FittedImage:
    """Reads an image file in the form that a classifier takes, as ``predict`` does.

    Args:
        path: the file, or a member of an archive.
        spec: of the classifier: shape, fit and drawing style.
        as_is: leaves a drawing alone that differs in background, size or place from those that
            the classifier was trained on.

    Returns:
        ``pixels``, uint8 (channels, height, width), 0 is black and 255 is white; ``changes``, words
        such as ``inverted``; ``found``, False where a drawing was expected and the page is blank.

    Raises:
        DataError: where the file is missing, empty, too large, or no image that can be read.

    >>> import numpy, PIL.Image, tellapart
    >>> PIL.Image.new("L", (40, 40), 200).save("grey.png")
    >>> form = {"mean": [0.5], "std": [0.5]}
    >>> spec = tellapart.ClassifierSpec(
    ...     network="lenet", class_names=("a", "b"), image_shape=(1, 28, 28), normalization=form
    ... )
    >>> tellapart.read_image("grey.png", spec).pixels.shape
    (1, 28, 28)
    """
    file = Path(path) if isinstance(path, str) else path
    return read_fitted(file, spec.frame, spec.style, as_is)
