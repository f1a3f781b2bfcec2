"""Bands and lines along the border of a photographed or scanned page, outside the drawing.

A strip of the table, a scanner's shadow, a line framing the page, a punched hole. Two steps: bands
of dark rows or columns that end at a sharp edge are cut off; then ink that hangs together is
removed where it lies along the border, as long as other ink remains inside.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_Bools = NDArray[np.bool_]
_Ints = NDArray[np.int64]

# A row is dark where this fraction of it is darker than the page by so many grey levels.
_DARK_FRACTION, _DARKER_BY = 0.75, 40.0
# A band is no wider than this fraction of the page, and its edge no wider than that one.
_WIDEST_BAND, _WIDEST_EDGE = 0.4, 0.03
# So wide is the margin in which a line or a hole lies whole, and so long a side is followed.
_MARGIN, _LONG = 0.12, 0.6
# Between what lies in the margin and the drawing there is at least such a gap.
_GAP = 0.05
_MOSTLY = 0.98
# Smaller pieces than this fraction of the page are dust; with more pieces it is a photograph.
_DUST, _MOST_PIECES = 2e-4, 100


class Box(NamedTuple):
    """A part of an image: rows ``top`` to ``bottom``, columns ``left`` to ``right``, exclusive."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """The number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """The number of columns."""
        return self.right - self.left

    def of(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return this part of an array (height, width)."""
        return pixels[self.top : self.bottom, self.left : self.right]


def page_without_bands(page: NDArray[np.uint8], box: Box) -> Box:
    """Return the part of a light page that no dark band along a side covers.

    Args:
        page: uint8 (height, width).
        box: the part of it to look at.
    """
    level = float(np.median(box.of(page)))
    is_dark = page < level - _DARKER_BY
    for _ in range(2):  # what frames the page on all sides shows whole bands in the first round
        before = box
        for side in ("top", "bottom", "left", "right"):
            box = _cut(page, is_dark, box, side)
        if box == before:
            break
    return box


def _cut(page: NDArray[np.uint8], is_dark: _Bools, box: Box, side: str) -> Box:
    """The box without the band along one side, if there is one."""
    axis = 1 if side in ("top", "bottom") else 0
    part = np.s_[box.top : box.bottom, box.left : box.right]
    dark, means = is_dark[part].mean(axis), page[part].mean(axis)
    if side in ("bottom", "right"):
        dark, means = dark[::-1], means[::-1]
    light = np.flatnonzero(dark < _DARK_FRACTION)
    width = int(light[0]) if len(light) else len(dark)
    reach = 1 + round(_WIDEST_EDGE * len(dark))
    if not 0 < width <= _WIDEST_BAND * len(dark) or width + reach >= len(dark):
        return box
    if means[width + reach] - means[max(0, width - reach)] < _DARKER_BY:
        return box  # a shadow that fades
    width += reach
    ends = {"top": width, "bottom": -width, "left": width, "right": -width}
    return box._replace(**{side: getattr(box, side) + ends[side]})


def ink_along_border(ink: _Bools) -> _Bools:
    """Return a mask of the ink along the border; empty if no other ink would remain.

    Args:
        ink: (height, width), where there is ink.
    """
    labels, num_labels = _connected(ink)
    sizes = np.bincount(labels.ravel(), minlength=num_labels + 1)
    pieces = [label for label in range(1, num_labels + 1) if sizes[label] >= _DUST * ink.size]
    nothing = np.zeros_like(ink)
    if len(pieces) > _MOST_PIECES:
        return nothing
    boxes = _boxes(labels, num_labels)
    along = np.zeros(num_labels + 1, bool)
    in_margin = np.zeros(num_labels + 1, bool)
    for label in pieces:
        box = boxes[label - 1]
        along[label] = _touches(box, ink.shape) and _runs_along(labels == label, box)
        part = labels[box.top : box.bottom, box.left : box.right] == label
        in_margin[label] = not along[label] and _is_in_margin(part, box, ink.shape)
    is_piece = np.isin(np.arange(num_labels + 1), pieces)
    drawing = (is_piece & ~along & ~in_margin)[labels]
    if drawing.any():
        around = bounding_box(drawing)
        for label in np.flatnonzero(in_margin).tolist():
            along[label] = _is_apart(boxes[label - 1], around, ink.shape)
    rest = (is_piece & ~along)[labels]
    touched = [rest[0].any(), rest[-1].any(), rest[:, 0].any(), rest[:, -1].any()]
    # A drawing cut out tightly touches every side, and each of its strokes may run along one.
    return along[labels] if rest.any() and sum(touched) <= 2 else nothing


def bounding_box(mask: _Bools) -> Box:
    """Return the smallest box around all True elements; there must be one."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def _runs_along(mask: _Bools, box: Box) -> bool:
    """Whether ink that touches the border follows a side of it, or lies in a corner."""
    height, width = mask.shape
    if box.height > _LONG * height and box.width > _LONG * width:  # a frame has nothing inside it
        return _is_in_margin(mask, Box(0, height, 0, width), mask.shape)
    sides = [(mask[0], width), (mask[-1], width), (mask[:, 0], height), (mask[:, -1], height)]
    is_long = any(line.sum() >= _LONG * length for line, length in sides)
    is_in_corner = (box.top == 0 or box.bottom == height) and (box.left == 0 or box.right == width)
    return is_long or is_in_corner


def _is_in_margin(part: _Bools, box: Box, shape: tuple[int, ...]) -> bool:
    """Whether nearly all of some ink, the part of its box, lies in the margin of the page."""
    height, width = shape
    rows, columns = max(1, round(_MARGIN * height)), max(1, round(_MARGIN * width))
    inner = Box(rows, height - rows, columns, width - columns)
    inside = part[
        max(0, inner.top - box.top) : max(0, inner.bottom - box.top),
        max(0, inner.left - box.left) : max(0, inner.right - box.left),
    ]
    return bool(inside.sum() <= (1 - _MOSTLY) * part.sum())


def _touches(box: Box, shape: tuple[int, ...]) -> bool:
    return box.top == 0 or box.left == 0 or box.bottom == shape[0] or box.right == shape[1]


def _is_apart(box: Box, other: Box, shape: tuple[int, ...]) -> bool:
    """Whether two boxes have a gap between them, or the first is a frame around the other."""
    gap = _GAP * min(shape)
    rows = max(other.top - box.bottom, box.top - other.bottom)
    columns = max(other.left - box.right, box.left - other.right)
    goes_round = box.height > _LONG * shape[0] and box.width > _LONG * shape[1]
    return goes_round or max(rows, columns) >= gap


def _boxes(labels: _Ints, num_labels: int) -> list[Box]:
    """The box of each label from 1 on."""
    rows, columns = np.nonzero(labels)
    found = labels[rows, columns] - 1
    low = np.full((num_labels, 2), max(labels.shape))
    high = np.zeros((num_labels, 2), int)
    places = np.stack([rows, columns], 1)
    np.minimum.at(low, found, places)
    np.maximum.at(high, found, places + 1)
    return [
        Box(top, bottom, left, right)
        for (top, left), (bottom, right) in zip(low.tolist(), high.tolist(), strict=True)
    ]


def _connected(mask: _Bools) -> tuple[_Ints, int]:
    """Label the connected pieces of a mask, diagonals included; 0 outside the mask.

    Runs of a row are joined with those of the row before that they touch.
    """
    parents: list[int] = []
    starts, rows, ends = _runs(mask)
    before: list[int] = []
    last_row = -1
    current: list[int] = []
    for run, (row, start, end) in enumerate(zip(rows, starts, ends, strict=True)):
        parents.append(run)
        if row != last_row:
            before, current = (current if row == last_row + 1 else []), []
            last_row = row
        for other in before:
            if starts[other] <= end and ends[other] >= start:
                parents[_root(parents, run)] = _root(parents, other)
        current.append(run)
    labels = np.zeros(mask.shape, np.int64)
    numbers: dict[int, int] = {}
    for run, (row, start, end) in enumerate(zip(rows, starts, ends, strict=True)):
        labels[row, start:end] = numbers.setdefault(_root(parents, run), len(numbers) + 1)
    return labels, len(numbers)


def _root(parents: list[int], run: int) -> int:
    while parents[run] != run:
        parents[run] = parents[parents[run]]
        run = parents[run]
    return run


def _runs(mask: _Bools) -> tuple[list[int], list[int], list[int]]:
    """First column, row and one past the last column of every run of a row, in reading order."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    return starts.tolist(), rows.tolist(), ends.tolist()
