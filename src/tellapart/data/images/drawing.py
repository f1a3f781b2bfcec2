"""Drawings on a plain background: measuring their style, and changing others to match it.

MNIST's digits are light on dark, fill five sevenths of the frame and have their centre of mass in
its middle, and a network that has seen nothing else classifies nothing else. A digit in black ink
in a corner of a white page is the same digit: it can be inverted, cut out, resized and moved. What
lies along the border of the page (`tellapart.data.images.borders`) is no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tellapart.data.images.borders import Box, ink_along_border, page_without_bands
from tellapart.data.images.decoding import decode
from tellapart.data.images.fitted import FittedImage
from tellapart.data.images.listing import ReadableFile
from tellapart.data.images.opening import open_image, upright_size
from tellapart.data.images.ruling import without_ruling
from tellapart.data.preparation import Frame

_Floats = NDArray[np.float32]
_Pixels = NDArray[np.uint8]
_Background = Literal["dark", "light"]
_Number = TypeVar("_Number", bound=np.generic)

_NUM_MEASURED = 2000
# A border in this range of grey levels is plain dark or plain light ...
_DARK, _LIGHT = 32, 223
# ... and so many images of a set must have such a one before it is called a habit.
_HABIT = 0.95
# Ink is what stands out from the background by this fraction of the strongest stroke, which is
# where so many pixels are weaker.
_INK, _STRONGEST = 0.3, 0.998
_FAINTEST_CONTRAST = 24.0
# A stroke is stronger than the grain of paper and sensor by this many standard deviations, and what
# stands out so clearly is no grain.
_ABOVE_NOISE, _CLEAR_CONTRAST = 6.0, 60.0
# Strokes may reach the border, but this fraction of it is background.
_PLAIN_BORDER = 0.7
# This fraction of the ink may lie outside its box: dust is not part of a digit.
_DUST = 0.005
# Where the middle of a page differs by so many grey levels from its border, something frames it, on
# so many sides, and this fraction of the page's own edge is paper; a drawing cut out tightly may
# have more ink than paper, and has no such edge.
_FRAMED, _FEWEST_SIDES, _PLAIN_EDGE = 64, 2, 0.9
_QUANTILES = (0.005, 0.5, 0.995)
_ENLARGEMENT, _LARGEST_SIDE = 8, 1024
BORDER_IGNORED = "border ignored"
"""The change of an image that had something along its border."""


@dataclass(frozen=True)
class DrawingStyle:
    """The style of a set of drawings; fractions are of the frame's shorter side.

    Args:
        background: what the strokes stand on.
        smallest: fraction that the longer side of the smallest drawing takes (quantile 0.5 %).
        typical: the same of the median drawing.
        largest: the same of the largest (quantile 99.5 %).
        row: where the centre of mass of the median drawing lies, from the top, 0.5 the middle.
        column: the same from the left.
        off_centre: how far other centres lie from there (quantile 99.5 %).
    """

    background: _Background
    smallest: float
    typical: float
    largest: float
    row: float
    column: float
    off_centre: float


@dataclass(frozen=True)
class _Ink:
    """Where the ink of an image is: its box in pixels; size and centre in fractions of the side."""

    top: int
    bottom: int
    left: int
    right: int
    fraction: float
    row: float
    column: float


def measure_style(images: _Pixels) -> DrawingStyle | None:
    """Measure the style of a set of images; None if they are not drawings on a plain background.

    Args:
        images: uint8 (images, height, width) or (images, channels, height, width); colour has no
            style. Up to 2,000 of them, spread over the set, are looked at.
    """
    if images.ndim == 4:
        if images.shape[1] != 1:
            return None
        images = images[:, 0]
    sampled = images[:: max(1, len(images) // _NUM_MEASURED)]
    backgrounds = np.array([_border_level(image) for image in sampled])
    background: _Background
    if (backgrounds <= _DARK).mean() >= _HABIT:
        background = "dark"
    elif (backgrounds >= _LIGHT).mean() >= _HABIT:
        background = "light"
    else:
        return None
    contrasts = (_contrast_to(image, background) for image in sampled)
    found = [ink for contrast in contrasts if (ink := _find_ink(contrast)) is not None]
    if not found:
        return None
    smallest, typical, largest = np.quantile([ink.fraction for ink in found], _QUANTILES).tolist()
    centres = np.array([(ink.row, ink.column) for ink in found])
    row, column = np.median(centres, axis=0).tolist()
    distances = np.hypot(centres[:, 0] - row, centres[:, 1] - column)
    off_centre = float(np.quantile(distances, _QUANTILES[-1]))
    return DrawingStyle(background, smallest, typical, largest, row, column, off_centre)


def read_drawing(
    path: ReadableFile, frame: Frame, style: DrawingStyle, plain: _Pixels
) -> FittedImage:
    """Read an image file as a drawing of ``style``; call it inside `quiet_pillow`.

    What differs in nothing, and what is no drawing on a plain background, stays as it is.

    Args:
        path: the file.
        frame: grey.
        style: of the images that the classifier was trained on.
        plain: uint8 (height, width), the file as `decode` reads it.

    Returns:
        Among the changes are ``inverted``, ``enlarged``, ``made smaller``, ``centred`` and
        ``border ignored``; a blank page is not found.

    Raises:
        DataError: as `tellapart.data.images.decoding.decode`.
    """
    as_it_is = FittedImage(plain[None].copy())
    background: _Background = "light" if _border_level(plain) > 127 else "dark"
    ink = _find_ink(_contrast_to(plain, background))
    if ink is not None and not _changes(ink, background, style, frame):
        return as_it_is
    page = _Page.of(*_large(path, frame))
    if page.ink is None:
        return replace(as_it_is, found=False)
    if not _stands_on_background(page.contrast):
        return as_it_is
    changes = _changes(page.ink_in(frame), page.background, style, frame)
    if page.border_ignored:
        changes = (*changes, BORDER_IGNORED)
    if not changes:
        return as_it_is
    drawn = _redrawn(page.contrast, page.ink, frame, style)
    return FittedImage((255 - drawn if style.background == "light" else drawn)[None], changes)


def _large(path: ReadableFile, frame: Frame) -> tuple[_Pixels, Box]:
    """The image, uint8 (height, width), padded to several times the frame's size; where it lies."""
    factor = _enlargement(frame)
    height, width = factor * frame.height, factor * frame.width
    image = decode(path, replace(frame, height=height, width=width, fit="pad")).pixels[..., 0]
    with open_image(path) as opened:
        own_width, own_height = upright_size(opened.image)
    scale = min(height / own_height, width / own_width)
    rows, columns = max(1, round(own_height * scale)), max(1, round(own_width * scale))
    top, left = (height - rows) // 2, (width - columns) // 2
    return image, Box(top, top + rows, left, left + columns)


def _enlargement(frame: Frame) -> int:
    """How many times larger than the frame a drawing is looked at."""
    return max(1, min(_ENLARGEMENT, _LARGEST_SIDE // max(frame.height, frame.width)))


@dataclass(frozen=True)
class _Page:
    """A page: the contrast of each pixel to the background, and the box of the ink.

    Args:
        contrast: float32 (height, width), of the part that is looked at.
        background: what the ink stands on.
        ink: None on a blank page.
        part: which part of the padded image that is.
        border_ignored: whether there was something along the border.
    """

    contrast: _Floats
    background: _Background
    ink: _Ink | None
    part: Box
    border_ignored: bool

    @staticmethod
    def of(image: _Pixels, own: Box) -> _Page:
        """The page in an image that lies in the box ``own`` of a padded one."""
        content = image[own.top : own.bottom, own.left : own.right]
        border, middle = _border_level(content), float(np.median(content))
        if abs(border - middle) > _FRAMED:
            page = _Page._on(image, own, "light" if middle > 127 else "dark")
            edge = _border(page.part.of(image)).astype(float)
            is_plain = (np.abs(edge - middle) < _FRAMED).mean() >= _PLAIN_EDGE
            if is_plain and sum(np.not_equal(page.part, own)) >= _FEWEST_SIDES:
                return page
        return _Page._on(image, own, "light" if border > 127 else "dark")

    @staticmethod
    def _on(image: _Pixels, own: Box, background: _Background) -> _Page:
        paper = image if background == "light" else 255 - image
        part = page_without_bands(paper, own)
        contrast = without_ruling(_lit_evenly(part.of(paper)), _FAINTEST_CONTRAST)
        strongest = float(np.quantile(contrast, _STRONGEST))
        faintest = min(_ABOVE_NOISE * _noise(contrast), _CLEAR_CONTRAST)
        along = ink_along_border(contrast >= max(_FAINTEST_CONTRAST, _INK * strongest))
        border_ignored = part != own or bool(along.any())
        if along.any():
            contrast = np.where(_widened(along), np.float32(0), contrast)
        if not border_ignored and not _stands_on_background(contrast):
            # With the padding, a drawing that fills the image has a background around it.
            part = Box(0, image.shape[0], 0, image.shape[1])
            contrast = _lit_evenly(paper)
        return _Page(contrast, background, _find_ink(contrast, faintest), part, border_ignored)

    def ink_in(self, frame: Frame) -> _Ink:
        """The ink's size and centre in the frame."""
        assert self.ink is not None
        part, factor = self.part, _enlargement(frame)
        height, width = factor * frame.height, factor * frame.width
        return replace(
            self.ink,
            fraction=self.ink.fraction * min(part.height, part.width) / min(height, width),
            row=(part.top + self.ink.row * part.height) / height,
            column=(part.left + self.ink.column * part.width) / width,
        )


def _changes(
    ink: _Ink, background: _Background, style: DrawingStyle, frame: Frame
) -> tuple[str, ...]:
    """The changes that give a drawing a style, by its ink measured in the frame."""
    pixel = 1 / min(frame.height, frame.width)
    changes = ["inverted"] if background != style.background else []
    # A pixel more or less is how finely an image of this size can be measured at all.
    if ink.fraction < style.smallest - pixel:
        changes.append("enlarged")
    elif ink.fraction > style.largest + pixel:
        changes.append("made smaller")
    if np.hypot(ink.row - style.row, ink.column - style.column) > style.off_centre + pixel:
        changes.append("centred")
    return tuple(changes)


def _stands_on_background(contrast: _Floats) -> bool:
    """Whether most of the border is plain, as it is around a drawing."""
    ink = max(_FAINTEST_CONTRAST, _INK * float(np.quantile(contrast, _STRONGEST)))
    return bool((_border(contrast) < ink).mean() >= _PLAIN_BORDER)


def _border_level(image: _Pixels) -> float:
    """The median of the outermost pixels."""
    return float(np.median(_border(image)))


def _border(image: NDArray[_Number]) -> NDArray[_Number]:
    """The outermost pixels."""
    return np.concatenate((image[0], image[-1], image[:, 0], image[:, -1]))


def _contrast_to(image: _Pixels, background: _Background) -> _Floats:
    """The contrast of each pixel to the background, towards the ink; at least 0."""
    difference = image.astype(np.float32) - _border_level(image)
    contrast: _Floats = np.maximum(difference if background == "dark" else -difference, 0)
    return contrast


def _lit_evenly(paper: _Pixels) -> _Floats:
    """The contrast of dark ink to the paper around it, so that shadows are not ink.

    The paper at a place is the lightest of a neighbourhood wider than any stroke.
    """
    image = Image.fromarray(paper)
    small = image.resize((64, 64), Image.Resampling.BOX)
    around = small.filter(ImageFilter.MaxFilter(15)).filter(ImageFilter.GaussianBlur(6))
    light = np.asarray(around.resize(image.size, Image.Resampling.BICUBIC), dtype=np.float32)
    contrast: _Floats = np.maximum(light - np.asarray(image, dtype=np.float32), 0)
    return contrast


def _noise(contrast: _Floats) -> float:
    """The standard deviation of a page's grain, where less than 60 % of the page is ink."""
    # These quantiles of a normal distribution lie 1.28 and 0.25 standard deviations below its mean.
    low, high = np.quantile(contrast, [0.1, 0.4])
    return float(high - low) / 1.03


def _widened(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask and two pixels around it: edges are soft."""
    image = Image.fromarray(mask.astype(np.uint8)).filter(ImageFilter.MaxFilter(5))
    widened: NDArray[np.bool_] = np.asarray(image) > 0
    return widened


def _find_ink(contrast: _Floats, faintest: float = 0.0) -> _Ink | None:
    """Where the ink is; None on a page without any that is stronger than ``faintest``."""
    strongest = float(np.quantile(contrast, _STRONGEST))
    if strongest < max(_FAINTEST_CONTRAST, faintest):
        return None
    mass = np.where(contrast >= _INK * strongest, contrast, 0)
    top, bottom, row = _extent(mass.sum(1))
    left, right, column = _extent(mass.sum(0))
    height, width = contrast.shape
    side = min(height, width)
    fraction = max(bottom - top, right - left) / side
    # A pixel's middle is half a pixel from its edge, and edges are what frames of all sizes share.
    return _Ink(top, bottom, left, right, fraction, (row + 0.5) / height, (column + 0.5) / width)


def _extent(profile: _Floats) -> tuple[int, int, float]:
    """First and one past the last place that holds more than dust, and the centre of mass."""
    fraction = np.cumsum(profile, dtype=np.float64) / profile.sum(dtype=np.float64)
    first, last = np.searchsorted(fraction, [_DUST, 1 - _DUST])
    centre = float((profile * np.arange(len(profile))).sum() / profile.sum())
    return int(first), int(last) + 1, centre


def _redrawn(contrast: _Floats, ink: _Ink, frame: Frame, style: DrawingStyle) -> _Pixels:
    """The ink alone, light on black, in the size and with the centre of mass of the style."""
    strongest = float(np.quantile(contrast, _STRONGEST))
    # Below a third of the ink's threshold there is only paper; above, strokes keep their edges.
    low = _INK / 3 * strongest
    strokes = np.clip((contrast - low) / (strongest - low), 0, 1) * 255
    cut = strokes[ink.top : ink.bottom, ink.left : ink.right]
    scale = style.typical * min(frame.height, frame.width) / max(cut.shape)
    size = tuple(max(1, round(side * scale)) for side in (cut.shape[1], cut.shape[0]))
    shrunk = Image.fromarray(cut.astype(np.uint8)).resize(size, Image.Resampling.HAMMING)
    drawing = np.asarray(shrunk)
    rows, columns = drawing.shape
    total = max(1.0, float(drawing.sum()))
    row = float((drawing.sum(1) * np.arange(rows)).sum()) / total
    column = float((drawing.sum(0) * np.arange(columns)).sum()) / total
    top = round(style.row * frame.height - 0.5 - row)
    left = round(style.column * frame.width - 0.5 - column)
    # A canvas with a margin takes whatever hangs over, and the frame is cut out of it.
    canvas = np.zeros((frame.height + 2 * rows, frame.width + 2 * columns), np.uint8)
    canvas[top + rows : top + 2 * rows, left + columns : left + 2 * columns] = drawing
    return canvas[rows : rows + frame.height, columns : columns + frame.width]
