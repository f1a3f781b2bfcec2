"""Reading an image file for a classifier, with NumPy and Pillow only."""

from __future__ import annotations

import numpy as np

from tellapart.data.images.colours import white_level_for
from tellapart.data.images.decoding import decode
from tellapart.data.images.drawing import DrawingStyle, read_drawing
from tellapart.data.images.fitted import FittedImage
from tellapart.data.images.listing import ReadableFile
from tellapart.data.images.opening import quiet_pillow
from tellapart.data.preparation import Frame

FIRST_FRAME = "first frame of several"
"""The change of an image whose file holds more frames."""


def read_fitted(
    path: ReadableFile, frame: Frame, style: DrawingStyle | None = None, as_is: bool = False
) -> FittedImage:
    """Read an image file in a form and, if it is a drawing, in the style of the training images.

    Args:
        path: the file.
        frame: the form.
        style: of the drawings that a classifier was trained on; None where they were none.
        as_is: keep a drawing as it is.

    Raises:
        DataError: where the file is missing, empty, too large, or no image that can be read.
    """
    with quiet_pillow():
        decoded = decode(path, frame)
        pixels = np.ascontiguousarray(decoded.pixels.transpose(2, 0, 1))  # (channels, rows, cols)
        fitted = FittedImage(pixels)
        if style is not None and not as_is:
            fitted = read_drawing(path, frame, style, decoded.pixels[..., 0])
    changes = fitted.changes
    peak = decoded.facts.peak
    if peak is not None and not frame.white_level:
        changes = (*changes, f"{white_level_for(peak)} is white")
    if decoded.facts.has_more_frames:
        changes = (*changes, FIRST_FRAME)
    return FittedImage(fitted.pixels, changes, fitted.found)
