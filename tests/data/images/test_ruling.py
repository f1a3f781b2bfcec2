"""Printed lines of paper are taken away; strokes that cross them, and lone strokes, stay."""

import numpy as np
import pytest

from tellapart.data.images.ruling import without_ruling

SIDE = 120


def page(rows=(), columns=()):
    contrast = np.zeros((SIDE, SIDE), np.float32)
    for row in rows:
        contrast[row : row + 2] = 60
    for column in columns:
        contrast[:, column : column + 2] = 60
    return contrast


@pytest.mark.parametrize(
    ("rows", "columns"),
    [(range(5, 115, 20), ()), ((), range(0, 118, 15)), (range(5, 115, 12), range(14, 115, 20))],
    ids=["ruled", "upright", "squared"],
)
def test_a_stroke_goes_on_through_the_lines(rows, columns):
    contrast = page(rows, columns)
    contrast[20:100, 50:60] = 150
    cleaned = without_ruling(contrast, 24)
    assert (cleaned[30:90, 52:58] > 100).all()
    cleaned[20:100, 50:60] = 0
    assert cleaned.max() == 0


@pytest.mark.parametrize("rows", [(10,), (10, 100), (10, 14, 100)], ids=["one", "Z", "uneven"])
def test_what_may_be_strokes_stays(rows):
    assert np.array_equal(without_ruling(page(rows), 24), page(rows))


def test_bars_are_no_lines():
    bars = page()
    bars[10:30] = bars[50:70] = bars[90:110] = 60
    assert np.array_equal(without_ruling(bars, 24), bars)
