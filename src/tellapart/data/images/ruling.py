"""The printed lines of ruled and squared paper, which are no part of what is drawn on it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float32]

# A row belongs to a line where this fraction of it stands out from the paper.
_WHOLE = 0.9
# A line takes at most this fraction of the page; fewer lines than so many may be strokes.
_THICKEST, _FEWEST = 0.04, 3
# Where there are so many lines their distances differ by no more than this fraction.
_REGULAR = 0.25
# Edges are soft: so many rows beside a line still hold some of it.
_SOFT = 2


def without_ruling(contrast: _Floats, faintest: float) -> _Floats:
    """Return a page's contrast without lines that cross all of it, evenly spaced, three or more.

    A stroke that crosses a line goes on through it: each place of a line takes the fainter of what
    stands above and below it.

    Args:
        contrast: float32 (height, width), how far each pixel stands out from the paper.
        faintest: the least contrast of a line.
    """
    rows = _lines(contrast >= faintest)
    columns = _lines((contrast >= faintest).T)
    if rows:
        contrast = _bridged(contrast, rows)
    if columns:
        contrast = np.ascontiguousarray(_bridged(contrast.T, columns).T)
    return contrast


def _lines(is_ink: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The first row and one past the last of each line; none where they are no ruling."""
    whole = is_ink.mean(1) >= _WHOLE
    edges = np.flatnonzero(np.diff(np.r_[False, whole, False].astype(np.int8)))
    lines = [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
    if len(lines) < _FEWEST or max(end - start for start, end in lines) > _THICKEST * len(whole):
        return []
    distances = np.diff([start for start, _ in lines])
    middle = float(np.median(distances))
    is_regular = np.abs(distances - middle) <= max(2.0, _REGULAR * middle)
    return lines if is_regular.mean() >= 1 - _REGULAR else []


def _bridged(contrast: _Floats, lines: list[tuple[int, int]]) -> _Floats:
    bridged = contrast.copy()
    last = len(contrast) - 1
    for start, end in _joined(lines):
        above, below = contrast[max(0, start - 1)], contrast[min(last, end)]
        if start == 0 or end > last:
            # Nothing is drawn beyond the page.
            above, below = np.zeros_like(above), np.zeros_like(below)
        bridged[start:end] = np.minimum(above, below)
    return bridged


def _joined(lines: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Lines with their soft edges; those that then meet are one."""
    wide = [(max(0, start - _SOFT), end + _SOFT) for start, end in lines]
    starts = [wide[0][0], *(b[0] for a, b in pairwise(wide) if b[0] > a[1])]
    ends = [*(a[1] for a, b in pairwise(wide) if b[0] > a[1]), wide[-1][1]]
    return list(zip(starts, ends, strict=True))
