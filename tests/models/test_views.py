"""Views shifted by whole pixels, edges repeated; mirrored only where that is asked for."""

from typing import get_args

import numpy as np
import pytest
import torch

from tellapart.config import Views
from tellapart.models.views import (
    mirrors,
    nine_views,
    num_views,
    shifted,
    shifts,
    view_shift,
    views_in_words,
    views_of,
    views_with_tta,
)


def random_pictures(*shape):
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0)).byte()


@pytest.mark.parametrize(
    ("side", "pixels"),
    [(1, 1), (28, 1), (32, 1), (47, 1), (48, 2), (64, 2), (79, 2), (80, 3), (96, 3), (224, 7)],
)
def test_the_shift_is_a_32nd_of_the_side_and_at_least_a_pixel(side, pixels):
    assert view_shift(side) == pixels


def test_a_shift_by_hand():
    picture = torch.tensor([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]], dtype=torch.uint8)
    assert shifted(picture, 1, 0).tolist() == [[[[1, 2, 3], [1, 2, 3], [4, 5, 6]]]]
    assert shifted(picture, -1, 0).tolist() == [[[[4, 5, 6], [7, 8, 9], [7, 8, 9]]]]
    assert shifted(picture, 0, 1).tolist() == [[[[1, 1, 2], [4, 4, 5], [7, 7, 8]]]]
    assert shifted(picture, 0, -1).tolist() == [[[[2, 3, 3], [5, 6, 6], [8, 9, 9]]]]
    assert shifted(picture, 1, -1).tolist() == [[[[2, 3, 3], [2, 3, 3], [5, 6, 6]]]]
    assert shifted(picture, 9, 9).tolist() == [[[[1, 1, 1]] * 3]]


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, 0), (0, -3), (-1, 2), (3, 3)])
def test_a_shift_is_a_cut_from_the_image_with_its_edge_repeated(down, right):
    pictures = random_pictures(4, 3, 7, 9)
    padded = np.pad(pictures.numpy(), ((0, 0), (0, 0), (3, 3), (3, 3)), mode="edge")
    expected = padded[:, :, 3 - down : 10 - down, 3 - right : 12 - right]
    moved = shifted(pictures, down, right)
    assert moved.dtype == torch.uint8
    assert np.array_equal(moved.numpy(), expected)


def test_nine_different_views_of_which_one_is_the_image():
    views = list(nine_views(random_pictures(2, 1, 28, 28)))
    assert len(views) == 9
    assert len({view.numpy().tobytes() for view in views}) == 9
    assert torch.equal(views[4], random_pictures(2, 1, 28, 28))


def test_a_dot_is_seen_in_nine_places_and_farther_apart_along_a_longer_side():
    picture = torch.zeros(1, 1, 96, 28, dtype=torch.uint8)
    picture[0, 0, 50, 10] = 255
    places = [tuple(view.nonzero()[0, 2:].tolist()) for view in nine_views(picture)]
    assert places == [(row, column) for row in (47, 50, 53) for column in (9, 10, 11)]


def test_no_view_is_mirrored():
    stroke = torch.tensor([[0, 9, 0, 0], [0, 8, 0, 0], [0, 7, 6, 5], [0, 0, 0, 0]]).byte()
    picture = torch.zeros(1, 1, 10, 10, dtype=torch.uint8)
    picture[0, 0, 3:7, 3:7] = stroke
    for number, view in enumerate(nine_views(picture)):
        top, left = 2 + number // 3, 2 + number % 3
        assert torch.equal(view[0, 0, top : top + 4, left : left + 4], stroke)


ALL_VIEWS = ("plain", "mirrored", "shifted", "mirrored-and-shifted")


@pytest.mark.parametrize(
    ("views", "count"), list(zip(ALL_VIEWS, (1, 2, 9, 18), strict=True)), ids=ALL_VIEWS
)
def test_the_views_of_each_kind(views, count):
    pictures = random_pictures(2, 3, 6, 7)
    sides = [pictures, pictures.flip(3)] if "mirrored" in views else [pictures]
    expected = [list(nine_views(side)) if "shifted" in views else [side] for side in sides]
    expected = [view for some in expected for view in some]
    seen = list(views_of(pictures, views))
    assert len(seen) == len(expected) == num_views(views) == count
    for ours, theirs in zip(seen, expected, strict=True):
        assert torch.equal(ours, theirs)
    assert (mirrors(views), shifts(views)) == ("mirrored" in views, "shifted" in views)


def test_every_view_that_a_recipe_can_name_is_known():
    assert get_args(Views) == ALL_VIEWS


def test_a_mirror_image_by_hand():
    picture = torch.tensor([[[[1, 2, 3], [4, 5, 6]]]], dtype=torch.uint8)
    _, mirrored = views_of(picture, "mirrored")
    assert mirrored.tolist() == [[[[3, 2, 1], [6, 5, 4]]]]


@pytest.mark.parametrize(
    ("own", "added"),
    [
        ("plain", "shifted"),
        ("mirrored", "mirrored-and-shifted"),
        ("shifted", "shifted"),
        ("mirrored-and-shifted", "mirrored-and-shifted"),
    ],
)
def test_shifts_are_added_and_mirrors_never(own, added):
    assert views_with_tta(own, None) == own
    assert views_with_tta(own, True) == added
    assert views_with_tta(own, False) == "plain"


def test_views_in_words():
    assert views_in_words([9]) == views_in_words([9, 9]) == "nine"
    assert views_in_words([2, 1, 2]) == "one to two"
    assert views_in_words([9, 18]) == "nine to eighteen"
