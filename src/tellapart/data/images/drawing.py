"""Drawings on a plain ground: how a classifier knows them, and others put right to look the same.

MNIST's digits are light on dark, fill five sevenths of the frame and have their centre of mass in
its middle, and a network that has seen nothing else names nothing else. A digit in black ink in a
corner of a white page is the same digit: it can be inverted, cut out, resized and moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tellapart.data.images.decoding import decode, quiet_pillow
from tellapart.data.preparation import Frame

_Floats = NDArray[np.float32]

_NUM_MEASURED = 2000
# A border in this range of grey levels is plain dark or plain light ...
_DARK, _LIGHT = 32, 223
# ... and so many pictures of a set must have such a one before it is called a habit.
_HABIT = 0.95
# Ink is what stands out from the ground by this share of the strongest stroke.
_INK = 0.3
_FAINTEST_CONTRAST = 24.0
# Strokes may reach the border, but this share of it is ground.
_PLAIN_BORDER = 0.7
# Of the ink, so much may lie outside the box around it: dust is no part of a digit.
_DUST = 0.005
_QUANTILES = (0.005, 0.5, 0.995)
_ENLARGEMENT, _LARGEST_SIDE = 8, 1024


@dataclass(frozen=True)
class DrawingStyle:
    """How the pictures of a set are drawn; shares are of the frame's shorter side.

    Args:
        background: what the strokes stand on.
        smallest: share that the longer side of the smallest drawing takes (quantile 0.5 %).
        typical: the same of the median drawing.
        largest: the same of the largest (quantile 99.5 %).
        row: where the centre of mass of the median drawing lies, from the top, 0.5 the middle.
        column: the same from the left.
        off_centre: how far other centres lie from there (quantile 99.5 %).
    """

    background: Literal["dark", "light"]
    smallest: float
    typical: float
    largest: float
    row: float
    column: float
    off_centre: float


@dataclass(frozen=True)
class _Ink:
    """Where the ink of a picture is: its box in pixels; size and centre in shares of the side."""

    top: int
    bottom: int
    left: int
    right: int
    fraction: float
    row: float
    column: float


def measure_style(images: torch.Tensor) -> DrawingStyle | None:
    """The style of a set of pictures; None where they are no drawings on a plain ground.

    Args:
        images: uint8 (pictures, channels, height, width); colour has no style. Up to 2,000 of
            them, spread over the set, are looked at.
    """
    if images.shape[1] != 1:
        return None
    step = max(1, len(images) // _NUM_MEASURED)
    pictures = images[::step, 0].cpu().numpy()
    backgrounds = np.array([_background(picture) for picture in pictures])
    background: Literal["dark", "light"]
    if (backgrounds <= _DARK).mean() >= _HABIT:
        background = "dark"
    elif (backgrounds >= _LIGHT).mean() >= _HABIT:
        background = "light"
    else:
        return None
    contrasts = (_contrast_to(picture, background) for picture in pictures)
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
    path: Path, frame: Frame, style: DrawingStyle
) -> tuple[torch.Tensor, tuple[str, ...]]:
    """A picture file as pictures of ``style`` look, and what was changed to that end.

    What differs in nothing is read as any picture is, and nothing is said.

    Args:
        path: the file.
        frame: grey.
        style: of the pictures that the classifier was trained on.

    Returns:
        uint8 (1, height, width), and words such as ``inverted``, ``enlarged``, ``centred``.

    Raises:
        DataError: as `tellapart.data.images.decoding.decode`.
    """
    factor = max(1, min(_ENLARGEMENT, _LARGEST_SIDE // max(frame.height, frame.width)))
    large = Frame(1, frame.height * factor, frame.width * factor, "pad")
    with quiet_pillow():
        plain = decode(path, frame)[..., 0]
        changes = _changes(plain, style)
        if not changes:
            return torch.from_numpy(plain[None].copy()), ()
        picture = decode(path, large)[..., 0]
    contrast = _lit_evenly(picture, "light" if _background(picture) > 127 else "dark")
    ink = _find_ink(contrast)
    if ink is None:
        return torch.from_numpy(plain[None].copy()), ()
    drawn = _redrawn(contrast, ink, frame, style)
    if style.background == "light":
        drawn = 255 - drawn
    return torch.from_numpy(drawn[None].copy()), changes


def _changes(picture: NDArray[np.uint8], style: DrawingStyle) -> tuple[str, ...]:
    """What has to be done to a picture for it to be of this style."""
    background: Literal["dark", "light"] = "light" if _background(picture) > 127 else "dark"
    ink = _find_ink(_contrast_to(picture, background))
    if ink is None or not _stands_on_a_ground(_lit_evenly(picture, background)):
        return ()
    pixel = 1 / min(picture.shape)
    changes = ["inverted"] if background != style.background else []
    # A pixel more or less is how finely a picture of this size can be measured at all.
    if ink.fraction < style.smallest - pixel:
        changes.append("enlarged")
    elif ink.fraction > style.largest + pixel:
        changes.append("made smaller")
    if np.hypot(ink.row - style.row, ink.column - style.column) > style.off_centre + pixel:
        changes.append("centred")
    return tuple(changes)


def _stands_on_a_ground(contrast: _Floats) -> bool:
    """Whether most of the border is ground: what covers everything is no drawing on something."""
    border = np.concatenate((contrast[0], contrast[-1], contrast[:, 0], contrast[:, -1]))
    ink = max(_FAINTEST_CONTRAST, _INK * float(np.quantile(contrast, 0.998)))
    return bool((border < ink).mean() >= _PLAIN_BORDER)


def _background(picture: NDArray[np.uint8]) -> float:
    """The median of the outermost pixels."""
    border = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
    return float(np.median(np.concatenate(border)))


def _contrast_to(picture: NDArray[np.uint8], background: str) -> _Floats:
    """How far each pixel stands out from the ground, on the ink's side of it; at least 0."""
    difference = picture.astype(np.float32) - _background(picture)
    contrast: _Floats = np.maximum(difference if background == "dark" else -difference, 0)
    return contrast


def _lit_evenly(picture: NDArray[np.uint8], background: str) -> _Floats:
    """The contrast to the ground as it is at each place: a shadow on the page is no ink.

    The ground at a place is the lightest (on paper) of a neighbourhood wider than any stroke.
    """
    image = Image.fromarray(picture if background == "light" else 255 - picture)
    small = image.resize((64, 64), Image.Resampling.BOX)
    around = small.filter(ImageFilter.MaxFilter(15)).filter(ImageFilter.GaussianBlur(6))
    paper = np.asarray(around.resize(image.size, Image.Resampling.BICUBIC), dtype=np.float32)
    contrast: _Floats = np.maximum(paper - np.asarray(image, dtype=np.float32), 0)
    return contrast


def _find_ink(contrast: _Floats) -> _Ink | None:
    """Where the ink is; None on a page without any."""
    strongest = float(np.quantile(contrast, 0.998))
    if strongest < _FAINTEST_CONTRAST:
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


def _redrawn(contrast: _Floats, ink: _Ink, frame: Frame, style: DrawingStyle) -> NDArray[np.uint8]:
    """The ink alone, light on black, in the style's size, its centre of mass where theirs are."""
    strongest = float(np.quantile(contrast, 0.998))
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
