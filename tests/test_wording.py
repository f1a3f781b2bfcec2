"""Numbers are rounded for a reader, but never to 100 % or 0 % where they are not that."""

import pytest

from tellapart import wording


def test_percent_has_as_many_digits_as_asked_for():
    assert [wording.percent(0.98765), wording.percent(1, 0)] == ["98.77 %", "100 %"]


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
def test_the_number_of_images_decides_the_digits_of_a_percentage(fraction, num_images, expected):
    assert wording.precise_percent(fraction, num_images) == expected


@pytest.mark.parametrize("num_images", [7, 100, 101, 999, 1000, 5000, 10_000, 60_000])
def test_one_mistake_always_shows(num_images):
    one_wrong = wording.precise_percent((num_images - 1) / num_images, num_images)
    assert one_wrong != wording.precise_percent(1.0, num_images)


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
def test_only_a_score_of_one_reads_one(value, expected):
    assert wording.score(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(3.21, "3.2 s"), (59.99, "1 min 0 s"), (250, "4 min 10 s"), (7500, "2 h 5 min")],
)
def test_a_duration_has_the_units_that_fit(seconds, expected):
    assert wording.duration(seconds) == expected


def test_plurals():
    texts = [
        wording.plural(1, "picture"),
        wording.plural(0, "class"),
        wording.plural(1200, "epoch"),
    ]
    assert texts == ["1 picture", "0 classes", "1,200 epochs"]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, ""),
        (1, "1"),
        (3, "1, 2, 3"),
        (4, "1, 2, 3 and 1 more"),
        (5003, "1, 2, 3 and 5,000 more"),
    ],
)
def test_of_a_long_list_the_first_are_named_and_the_others_counted(count, expected):
    assert wording.listed(range(1, count + 1), limit=3) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("mnst", "mnist"), ("MNIST", "mnist"), ("cifar", "CIFAR"), ("zebra", None), ("", None)],
)
def test_the_nearest_name_is_found_in_any_case(name, expected):
    assert wording.nearest(name, ["mnist", "CIFAR"]) == expected


def test_of_names_that_differ_in_case_alone_the_one_typed_is_nearest():
    assert [wording.nearest(name, ["a", "A"]) for name in "aA"] == ["a", "A"]


def test_an_unknown_name_is_answered_by_the_nearest_or_by_what_else_to_do():
    assert "'mnist'" in wording.did_you_mean("mnits", ["mnist"], otherwise="see the list")
    assert wording.did_you_mean("zebra", ["mnist"], otherwise="see the list") == "; see the list"
    assert wording.did_you_mean("zebra", ["mnist"]) == ""


def test_long_names_are_shortened_and_short_ones_are_not():
    assert wording.shortened("aquatic mammal", 9) == "aquatic…"
    assert wording.shortened("ant", 3) == "ant"


def test_unbroken_text_reads_the_same_and_has_no_place_to_break():
    text = wording.unbroken("4 min 10 s")
    assert " " not in text
    assert text.split() == ["4", "min", "10", "s"]
