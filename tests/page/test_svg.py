"""Scales hit their ends, ticks are round, and lines break where nothing was measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.page import svg
from tellapart.page.svg import Scale


def test_a_linear_scale_maps_its_ends_and_holds_values_inside():
    scale = Scale(10, 20, 100, 0)
    assert [scale(value) for value in (10, 15, 20, 25, -5)] == [100, 50, 0, 0, 100]


def test_a_logarithmic_scale_gives_every_decade_the_same_room():
    scale = Scale(0.001, 1, 0, 300, logarithmic=True)
    assert [scale(value) for value in (0.001, 0.01, 0.1, 1, 0)] == pytest.approx(
        [0, 100, 200, 300, 0]
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.8, 1, [0.8, 0.85, 0.9, 0.95, 1]),
        (1, 12, [5, 10]),
        (0, 0.3, [0, 0.1, 0.2, 0.3]),
    ],
)
def test_ticks_are_round_and_without_rounding_dust(low, high, expected):
    assert Scale(low, high, 0, 1).ticks() == expected


def test_logarithmic_ticks_thin_out_over_many_decades():
    assert Scale(0.03, 1, 0, 1, logarithmic=True).ticks() == [0.05, 0.1, 0.2, 0.5, 1]
    assert Scale(1e-4, 1, 0, 1, logarithmic=True).ticks() == [1e-4, 1e-3, 1e-2, 1e-1, 1]
    assert len(Scale(1e-9, 1, 0, 1, logarithmic=True).ticks()) <= 6


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_a_round_domain_holds_all_values_and_some_ticks(values):
    low, high = svg.round_domain(values)
    room = 1e-6 * (high - low)
    assert low - room <= min(values) <= max(values) <= high + room
    assert low < high
    assert 2 <= len(Scale(low, high, 0, 1).ticks()) <= 12


def test_a_line_breaks_where_there_is_no_value():
    points = [(1, 0.1), (2, None), (3, 0.3), (4, 0.4), (5, None)]
    assert svg.stretches_of(points) == [[(1, 0.1)], [(3, 0.3), (4, 0.4)]]


def test_ticks_are_written_with_the_digits_that_tell_them_apart():
    write = svg.tick_format([0.85, 0.9, 0.95])
    assert [write(0.85), write(0.9)] == ["0.85", "0.90"]
    assert svg.tick_format([0, 500, 1000])(1000) == "1,000"
