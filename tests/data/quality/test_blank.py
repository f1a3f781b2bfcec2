"""Blank images are found, counted by class, and told from faint ones."""

import torch

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.quality.blank import blank_images, is_blank, mostly_blank_classes


def part(num_blank, count=40):
    images = torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8)
    images[:num_blank] = torch.tensor([200, 30, 90], dtype=torch.uint8)[:, None, None]
    return ImageSet(images, torch.arange(count) // (count // 2), ("cat", "dog"))


def test_one_colour_is_blank_and_a_faint_pattern_is_not():
    images = torch.full((3, 3, 8, 8), 120, dtype=torch.uint8)
    images[1, 0, :4] = 124
    images[2, 0, 0, 0] = 124
    assert is_blank(images).tolist() == [True, False, True]


def test_blank_images_are_one_finding_with_every_image_and_the_classes():
    (finding,) = blank_images(DataSet("set", {"train": part(3), "test": part(1)}, "0"))
    assert finding.kind == "blank"
    assert finding.message.startswith("4 ")
    assert "cat 4" in finding.message
    assert [(i.split, i.index) for (i,) in finding.groups] == [
        ("train", 0), ("train", 1), ("train", 2), ("test", 0)
    ]  # fmt: skip
    assert list(blank_images(DataSet("set", {"train": part(0)}, "0"))) == []


def test_a_class_is_named_from_a_twentieth_on():
    assert mostly_blank_classes(part(1)) == {"cat": 0.05000000074505806}
    assert mostly_blank_classes(part(1, count=80)) == {}
