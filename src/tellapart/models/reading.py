"""Reading an image file in the input form of a classifier; loads no torch."""

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
        spec: the classifier's specification: shape, fit and drawing style.
        as_is: keep a drawing as it is; by default a drawing whose background, size or position
            differs from the training images is changed to match them.

    Returns:
        ``pixels``, uint8 (channels, height, width), 0 is black and 255 is white; ``changes``, words
        such as ``inverted``; ``found``, False where a drawing was expected and the page is blank.

    Raises:
        DataError: a file that is missing, empty, too large, or cannot be read as an image.

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
