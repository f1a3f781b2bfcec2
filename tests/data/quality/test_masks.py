"""Masks beside their images are found by their names, and nothing else is."""

from pathlib import Path

import pytest

from tellapart.data.preparation import Preparation
from tellapart.data.quality.masks import mask_files
from tellapart.data.sets.sources import load_data_set


@pytest.mark.parametrize("name", ["0_mask.png", "0_mask_1.png", "0-seg.png", "0_GT.bmp"])
def test_a_mask_beside_its_image_is_found(pets, make_picture, name):
    make_picture(pets / "cat" / name, 500)
    [finding] = mask_files(load_data_set(pets, preparation=Preparation(test_fraction=0)))
    assert [Path(image.path).name for (image,) in finding.groups] == [name]


def test_a_mask_is_found_when_its_image_is_in_another_split(pets, make_picture):
    for number in range(10):
        make_picture(pets / "cat" / f"{number}_mask.png", 500 + number)
    data_set = load_data_set(pets, preparation=Preparation(test_fraction=0.5))
    [finding] = mask_files(data_set)
    assert len(finding.groups) == 10


@pytest.mark.parametrize("name", ["9a_mask.png", "mask.png", "0_masked man.png", "0_left.png"])
def test_a_name_that_only_sounds_like_one_is_not(pets, make_picture, name):
    make_picture(pets / "cat" / name, 500)
    assert not list(mask_files(load_data_set(pets, preparation=Preparation(test_fraction=0))))
