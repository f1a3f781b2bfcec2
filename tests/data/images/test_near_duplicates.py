"""Copies are found however they were saved; different pictures are not taken for copies."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tellapart.data.images.near_duplicates import describe, groups_of, near_duplicates


def photographs(count, seed=0, side=64):
    """Smooth random pictures, no two alike."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 7, 7, 3), dtype=np.uint8)
    return [Image.fromarray(c).resize((side, side), Image.Resampling.BICUBIC) for c in coarse]


def tensor(images, side=64):
    arrays = [np.asarray(i.resize((side, side), Image.Resampling.BOX)) for i in images]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()


def saved_again(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: saved_again(image, 40),
        lambda image: image.resize((32, 32), Image.Resampling.BOX),
        lambda image: image.point(lambda value: min(255, int(1.05 * value))),
    ],
    ids=["equal", "saved again", "halved", "lighter"],
)
def test_copies_are_found_and_nothing_else(change):
    images = photographs(60)
    pairs = near_duplicates(tensor([*images, *map(change, images[:10])]))
    assert pairs.tolist() == [[i, 60 + i] for i in range(10)]


def test_many_pictures_in_one_band_are_all_compared():
    # One picture 70 times, another 520: groups too large to be compared in one go.
    images = tensor(photographs(3))
    repeated = images.repeat_interleave(torch.tensor([70, 520, 1]), 0)
    expected = 70 * 69 // 2 + 520 * 519 // 2
    pairs = near_duplicates(repeated)
    assert len(pairs) == expected
    assert (pairs[:, 0] < pairs[:, 1]).all()


def test_plain_surfaces_are_nobodys_duplicates():
    plain = torch.full((5, 3, 32, 32), 7, dtype=torch.uint8)
    assert len(near_duplicates(plain)) == 0


@pytest.mark.parametrize("count", [0, 1])
def test_few_pictures(count):
    assert near_duplicates(tensor(photographs(1))[:count]).shape == (0, 2)


def test_small_pictures_have_a_stricter_limit():
    noisy = torch.Generator().manual_seed(0)
    image = tensor(photographs(1), side=28)
    noise = torch.randint(-24, 25, image.shape, generator=noisy)
    other = (image.int() + noise).clamp(0, 255).to(torch.uint8)
    both = torch.cat([image, other])
    enlarged = both.repeat_interleave(3, 2).repeat_interleave(3, 3)
    assert len(near_duplicates(enlarged)) == 1
    shifted = torch.cat([image, image.roll(1, 3)])
    assert len(near_duplicates(shifted)) == 0


def test_the_hash_does_not_see_light():
    images = tensor(photographs(4)) // 2
    assert (describe(images)[0] == describe(images + 60)[0]).all()


NUMBERS = st.integers(0, 29)


@given(count=st.just(30), pairs=st.lists(st.tuples(NUMBERS, NUMBERS)))
@settings(max_examples=100)
def test_groups_hang_together(count, pairs):
    expected = list(range(count))
    for _ in range(count):  # the plain way: names spread along every pair until nothing moves
        for one, other in pairs:
            lowest = min(expected[one], expected[other])
            expected[one] = expected[other] = lowest
    array = np.array(pairs, np.int64).reshape(-1, 2)
    assert groups_of(array, count).tolist() == expected
