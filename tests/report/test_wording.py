"""Numbers are rounded for a reader, and never into a lie."""

import pytest

from tellapart.report import wording


def plain(text):
    return text.replace(wording.NO_BREAK_SPACE, " ")


@pytest.mark.parametrize(
    ("fraction", "num_images", "expected"),
    [
        (0.9809, 10_000, "98.09 %"),
        (0.902, 153, "90.2 %"),
        (59_999 / 60_000, 60_000, "99.998 %"),
        (1.0, 60_000, "100.000 %"),
        (0.99999, 100, "> 99.9 %"),
        (0.00001, 100, "< 0.1 %"),
        (0.0, 1, "0.0 %"),
    ],
)
def test_a_percentage_has_the_digits_that_its_pictures_give_it(fraction, num_images, expected):
    assert plain(wording.percent(fraction, num_images)) == expected


@pytest.mark.parametrize("num_images", [7, 100, 101, 999, 1000, 5000, 10_000, 60_000])
def test_one_mistake_always_shows(num_images):
    one_wrong = wording.percent((num_images - 1) / num_images, num_images)
    assert one_wrong != wording.percent(1.0, num_images)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, "0.5000"),
        (None, "–"),
        (1, "1.0000"),
        (0.99997, "> 0.9999"),
        (0.00001, "< 0.0001"),
        (0, "0.0000"),
    ],
)
def test_a_score_is_one_only_where_it_is_one(value, expected):
    assert plain(wording.score(value)) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(3.21, "3.2 s"), (59.99, "1 min 0 s"), (250, "4 min 10 s"), (7500, "2 h 5 min")],
)
def test_a_duration_is_said_in_the_units_that_fit(seconds, expected):
    assert plain(wording.duration(seconds)) == expected


def test_plurals():
    printed = [
        wording.plural(1, "picture"),
        wording.plural(0, "class"),
        wording.plural(1200, "epoch"),
    ]
    assert printed == ["1 picture", "0 classes", "1,200 epochs"]


def test_long_names_are_shortened_and_short_ones_are_not():
    assert wording.shortened("aquatic mammal", 9) == "aquatic…"
    assert wording.shortened("ant", 3) == "ant"
