"""Projected gradient descent: its limits, and a classifier whose weakness is known exactly."""

from __future__ import annotations

import pytest
import torch

from tellapart.trust.attacks.measuring import attack, measure_attacked


def logits_of(pixels: torch.Tensor) -> torch.Tensor:
    """Class 1 if the mean of the first two pixels of a row is above 128."""
    mean = pixels[:, 0, :, :2].float().mean((1, 2))
    return torch.stack([128.0 - mean, mean - 128.0], dim=1)


def answer(images: torch.Tensor) -> torch.Tensor:
    return logits_of(images.float()).argmax(1)


def images_of(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 8, 8).clone()


def test_an_attack_moves_no_pixel_further_than_it_may():
    images = images_of(0, 100, 130, 255)
    labels = answer(images)
    for level in (1, 3, 40):
        found = attack(logits_of, images, labels, level)
        assert (found.dtype, found.shape) == (torch.uint8, images.shape)
        assert int((found.int() - images.int()).abs().max()) <= level


def test_it_finds_a_weakness_that_is_there_and_none_that_is_not():
    images = images_of(100, 126, 131, 250)
    labels = answer(images)
    result = measure_attacked(logits_of, images, labels, answer, (2, 4, 32))
    # From 126 two levels lead to 128, where both logits are 0 and class 0 is answered still.
    assert result.levels == (0, 2, 4, 32)
    assert result.num_correct == (4, 4, 2, 1)
    assert [(found.place, found.level) for found in result.attacks] == [(1, 4), (2, 4), (0, 32)]
    assert result.level_of_half() == 4
    for found in result.attacks:
        assert int(answer(found.image[None])) == found.answer != int(labels[found.place])


def test_images_that_are_wrong_already_are_wrong_from_0_on():
    images, labels = images_of(100, 126), torch.tensor([1, 0])
    result = measure_attacked(logits_of, images, labels, answer, (1,))
    assert result.num_correct == (1, 1)
    assert result.attacks == ()
    assert result.level_of_half() == 0


def test_it_is_the_same_every_time():
    images = images_of(*range(60, 200, 7))
    labels = answer(images)
    first, second = (attack(logits_of, images, labels, 5) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, attack(logits_of, images, labels, 5, seed=1))


def test_figures_are_in_the_order_of_the_strengths():
    images = images_of(100, 126, 131, 250)
    content = measure_attacked(logits_of, images, answer(images), answer, (4, 32)).to_json()
    assert content["accuracy"] == pytest.approx([1, 0.5, 0.25])
    assert len(content["accuracy_interval"]) == len(content["levels"]) == 3
