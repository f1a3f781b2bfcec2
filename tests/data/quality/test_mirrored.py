"""Mirror images of one another are recognised by their look and by their names."""

import pytest
import torch

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.quality.mirrored import (
    Mirroring,
    exchanged_classes,
    mirrored_classes,
    opposite_names,
)

SIDEWAYS = Mirroring(True, False, ("augmentation.flip_horizontal=0",))


def wedges(count=30, *, vertical=False):
    """Wedges that point to one side for even and to the other for odd indices."""
    generator = torch.Generator().manual_seed(0)
    images = torch.zeros(2 * count, 3, 48, 48)
    for index, image in enumerate(images):
        top, left = torch.randint(7, 18, (2,), generator=generator).tolist()
        wedge = torch.ones(24, 24).tril()
        wedge = torch.cat([wedge[::2], wedge.flip(0)[::2]])
        image[:, top : top + 24, left : left + 24] = wedge if index % 2 else wedge.flip(1)
    light = torch.randint(60, 255, (2 * count, 3, 1, 1), generator=generator)
    images = (images * light).to(torch.uint8)
    return images.transpose(2, 3).contiguous() if vertical else images


def image_set(images, names=("one", "two")):
    return ImageSet(images, torch.arange(len(images)) % len(names), names)


@pytest.mark.parametrize(("vertical", "axis"), [(False, 3), (True, 2)])
def test_classes_that_a_mirror_exchanges_are_found_in_that_direction(vertical, axis):
    train = image_set(wedges(vertical=vertical))
    assert exchanged_classes(train, axis) == [("one", "two")]
    assert exchanged_classes(train, 5 - axis) == []


def test_noise_and_a_single_image_are_no_mirror_images():
    noise = torch.randint(0, 256, (200, 3, 32, 32), dtype=torch.uint8)
    assert exchanged_classes(image_set(noise), 3) == exchanged_classes(image_set(noise), 2) == []
    assert exchanged_classes(image_set(noise[:1]), 3) == []


@pytest.mark.parametrize(
    ("names", "direction", "expected"),
    [
        (("Left arrow", "right arrow"), "horizontal", [("Left arrow", "right arrow")]),
        (("左转", "右转", "直行"), "horizontal", [("左转", "右转")]),
        (("clockwise", "anticlockwise"), "horizontal", [("clockwise", "anticlockwise")]),
        (("bright", "left"), "horizontal", []),
        (("up", "down"), "horizontal", []),
        (("up", "down"), "vertical", [("up", "down")]),
    ],
)
def test_names_that_a_mirror_exchanges(names, direction, expected):
    assert opposite_names(names, direction) == expected


def test_what_is_wrong_is_reported_with_the_classes_and_the_remedy():
    train = image_set(wedges())
    text = mirrored_classes(DataSet("set", {"train": train}, "0"), SIDEWAYS)
    assert "'one' and 'two'" in text
    assert "--set augmentation.flip_horizontal=0" in text
    for harmless in (Mirroring(False, False, ()), Mirroring(False, True, ("x=0",))):
        assert mirrored_classes(DataSet("set", {"train": train}, "0"), harmless) is None


def test_drawn_digits_are_known_by_their_names_and_photographs_are_not():
    strokes = torch.zeros(40, 1, 28, 28, dtype=torch.uint8)
    strokes[:, :, 6:22, 12:15] = 255
    digits = DataSet("set", {"train": image_set(strokes, ("0", "1"))}, "0")
    assert "digits" in mirrored_classes(digits, SIDEWAYS)
    photographs = torch.randint(0, 256, (40, 3, 28, 28), dtype=torch.uint8)
    hands = DataSet("set", {"train": image_set(photographs, ("0", "1"))}, "0")
    assert mirrored_classes(hands, SIDEWAYS) is None
