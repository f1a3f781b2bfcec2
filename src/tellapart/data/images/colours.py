"""Converting pixels of any kind to 8-bit grey or RGB.

- Grey of more than 8 bits: a value of `Frame.white_level` becomes 255, so that 12 bits stored in 16
  are as bright as they were meant. A value above it is refused, never cut off. TIFF's WhiteIsZero
  is inverted.
- Colour of 16 bits keeps its upper 8, which is all that Pillow gives; where nothing is left in them
  the file is refused.
- Transparent parts show white paper. Where that would hide all that is visible, because it is as
  light itself (white ink on a transparent background), the paper is black.
- Palette, CMYK, YCbCr, Lab and other colours become RGB. Colour profiles are not applied. For one
  channel RGB becomes grey by ITU-R 601, 0.299 R + 0.587 G + 0.114 B.
- Floating-point pixels are refused: they have no agreed white.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.images.listing import ReadableFile
from tellapart.data.images.opening import OpenedImage, is_deep
from tellapart.data.preparation import WHITE_LEVELS, Frame
from tellapart.errors import DataError

# An image is grey where no chroma (Cb, Cr; 128 is grey) is further from grey than this: rounding in
# a lossless file, and what compression leaves of grey in another one.
_GREY_CHROMA, _LOSSY_GREY_CHROMA = 1, 6
_LOSSY_FORMATS = ("JPEG", "MPO", "WEBP")
# On white paper, what is lighter than this does not show ...
_HIDDEN_BY_WHITE = 231
# ... and there must be more than this fraction of darker ink for something to be seen.
_LEAST_INK = 0.005
# Of 16-bit colour that uses 12 bits at most, this is all that its upper 8 bits hold.
_DARKEST_COLOUR = 15


class AboveWhiteLevelError(DataError):
    """A 16-bit image has values above the white level.

    ``peak`` is its largest one.
    """

    def __init__(self, message: str, peak: int) -> None:
        super().__init__(message)
        self.peak = peak


def white_level_for(peak: int) -> int:
    """Return the smallest usual white level (8, 10, 12, 14 or 16 bits) that holds a value.

    >>> white_level_for(3071)
    4095
    """
    return next(level for level in WHITE_LEVELS if level >= peak)


def draft_mode(image: Image.Image, frame: Frame) -> str:
    """The mode in which a JPEG is best decoded for a frame.

    For one channel that is YCbCr: its Y is the grey that is wanted, and the others tell whether
    anything is lost by taking it alone.
    """
    if frame.channels == 3 or image.mode != "RGB":
        return frame.mode
    components = [layer[0] for layer in getattr(image, "layer", ())]
    is_stored_as_rgb = components == [*b"RGB"] or image.info.get("adobe_transform") == 0
    return "RGB" if is_stored_as_rgb else "YCbCr"


def convert(
    path: ReadableFile, opened: OpenedImage, frame: Frame
) -> tuple[Image.Image, int | None, bool]:
    """Convert an image to the frame's mode; also its largest 16-bit value, and if it has colour.

    Whether it has colour is looked at where the frame is grey, and else False.

    Raises:
        AboveWhiteLevelError: where a value of a 16-bit image exceeds the frame's white level.
        DataError: where pixels have no agreed white.
    """
    image = opened.image
    if image.mode == "F":
        raise DataError(
            f"{path}: has floating-point pixels, which have no agreed white; "
            "save it with 8 or 16 bits"
        )
    if is_deep(image):
        grey, peak = _from_16_bits(path, opened, frame.white_level)
        return grey.convert(frame.mode), peak, False
    if opened.is_deep_colour:
        _require_upper_bits(path, image)
    if image.has_transparency_data:
        image = _on_paper(image.convert("RGBA"))
    if image.mode not in ("1", "L", "RGB", "YCbCr"):
        image = image.convert("RGB")
    has_colour = frame.channels == 1 and _has_colour(image, opened.image.format)
    if frame.channels == 1 and image.mode == "YCbCr":
        image = image.getchannel("Y")
    # Pillow copies the image even where there is nothing to convert.
    return image if image.mode == frame.mode else image.convert(frame.mode), None, has_colour


def _on_paper(layer: Image.Image) -> Image.Image:
    """RGBA on white paper, or on black if white paper would hide the drawing."""
    paper = "black" if _is_hidden_by_white(layer) else "white"
    return Image.alpha_composite(Image.new("RGBA", layer.size, paper), layer).convert("RGB")


def _is_hidden_by_white(layer: Image.Image) -> bool:
    alpha = layer.getchannel("A")
    lowest, highest = alpha.getextrema()
    if lowest == 255 or highest == 0:  # nothing is transparent, or everything
        return False
    weights = np.asarray(alpha, dtype=np.float32)
    is_dark = np.asarray(layer.convert("RGB").convert("L")) < _HIDDEN_BY_WHITE
    return bool(weights[is_dark].sum() <= _LEAST_INK * weights.sum())


def _has_colour(image: Image.Image, file_format: str | None) -> bool:
    if image.mode in ("1", "L"):
        return False
    chroma = image if image.mode == "YCbCr" else image.convert("YCbCr")
    allowed = _LOSSY_GREY_CHROMA if file_format in _LOSSY_FORMATS else _GREY_CHROMA
    return any(low < 128 - allowed or high > 128 + allowed for low, high in _extremes(chroma)[1:])


def _extremes(image: Image.Image) -> list[tuple[int, int]]:
    """The lowest and the highest value of each channel."""
    extremes: list[tuple[int, int]] = [band.getextrema() for band in image.split()]  # type: ignore[misc]
    return extremes


def _from_16_bits(
    path: ReadableFile, opened: OpenedImage, white_level: int
) -> tuple[Image.Image, int]:
    values = np.asarray(opened.image)
    lowest, peak = int(values.min()), int(values.max())
    if lowest < 0 or peak > WHITE_LEVELS[-1]:
        raise DataError(
            f"{path}: its values must fit into 16 bits, got {lowest}..{peak}; "
            "save it with 8 or 16 bits"
        )
    white_level = white_level or white_level_for(peak)
    if peak > white_level:
        raise AboveWhiteLevelError(
            f"{path}: its values reach {peak}, and {white_level} is white in these images; save it "
            f"with values of 0 to {white_level}, or with 8 bits",
            peak,
        )
    if opened.white_is_zero:
        values = white_level - values.astype(np.int32)
    return Image.fromarray(_grey_levels(white_level)[values]), peak


@cache
def _grey_levels(white_level: int) -> NDArray[np.uint8]:
    """The grey level, 0 to 255, of every value up to the white level, rounded to the nearest."""
    values = np.arange(white_level + 1, dtype=np.int64)
    levels: NDArray[np.uint8] = ((values * 255 + white_level // 2) // white_level).astype(np.uint8)
    return levels


def _require_upper_bits(path: ReadableFile, image: Image.Image) -> None:
    """Refuse 16-bit colour of which Pillow, which keeps the upper 8 bits, gives next to nothing."""
    peak = max(high for _, high in _extremes(image.convert("RGB")))
    if 0 < peak <= _DARKEST_COLOUR:
        raise DataError(
            f"{path}: has 16-bit colour with values below {256 * (_DARKEST_COLOUR + 1)}, of which "
            "8 bits would keep next to nothing; save it with 8 bits"
        )
