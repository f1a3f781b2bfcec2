"""Copies are found however they were saved; different images are not taken for copies."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tellapart.data.images import near_duplicates as near_duplicates_module
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


def noisy(images, std, seed=0):
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed)) * std
    return (images + noise).clamp(0, 255).to(torch.uint8)


def test_a_large_group_is_given_by_few_pairs():
    # One image 70 times, another 520, nearly: too many to be compared all with all.
    images = tensor(photographs(3)).repeat_interleave(torch.tensor([70, 520, 1]), 0)
    for alike in (images, noisy(images, 4)):
        pairs = near_duplicates(alike)
        assert len(pairs) == 69 + 519
        assert groups_of(pairs, 591).tolist() == [0] * 70 + [70] * 520 + [590]


def test_time_grows_with_the_number_of_alike_images_not_with_its_square(monkeypatch):
    compared = []
    near = near_duplicates_module._Described.near
    monkeypatch.setattr(
        near_duplicates_module._Described,
        "near",
        lambda self, pairs: compared.append(len(pairs)) or near(self, pairs),
    )
    images = noisy(tensor(photographs(1)).expand(2000, -1, -1, -1), 4)
    assert len(near_duplicates(images)) == 1999
    assert sum(compared) < 100 * 2000


def test_another_colour_is_another_image():
    images = tensor(photographs(40))
    swapped = images[:, [1, 0, 2]]
    assert len(near_duplicates(torch.cat([images, swapped]))) == 0
    grey = torch.cat([images, swapped]).float().mean(1, keepdim=True).to(torch.uint8)
    assert len(near_duplicates(grey)) == 40


def test_plain_surfaces_are_duplicates_only_where_they_are_equal():
    plain = torch.full((5, 3, 32, 32), 7, dtype=torch.uint8)
    plain[3:, 0, 5, 5] = torch.tensor([8, 9], dtype=torch.uint8)
    assert near_duplicates(plain).tolist() == [[0, 1], [0, 2]]


@pytest.mark.parametrize("count", [0, 1])
def test_few_images(count):
    assert near_duplicates(tensor(photographs(1))[:count]).shape == (0, 2)


def test_small_images_have_a_stricter_limit():
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
