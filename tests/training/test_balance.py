"""Uneven classes: weights, sampling, and what early stopping watches."""

import pytest
import torch

from tellapart.data.image_set import ImageSet
from tellapart.training.balance import balanced_order, balanced_weights, stop_metric


def image_set(*counts):
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    images = torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8)
    return ImageSet(images, labels, tuple(map(str, range(len(counts)))))


def test_weights_make_classes_count_alike_and_pictures_one_on_average():
    weights = balanced_weights(image_set(10, 30, 60))
    assert (weights * torch.tensor([10, 30, 60])).tolist() == pytest.approx([100 / 3] * 3)
    assert balanced_weights(image_set(5, 0, 5)).tolist() == [1.0, 0.0, 1.0]


def test_every_class_comes_as_often_and_every_picture_of_it_too():
    train = image_set(3, 0, 297)
    order = balanced_order(train.labels, torch.Generator().manual_seed(0))
    assert order.shape == (300,)
    counts = torch.bincount(train.labels[order], minlength=3)
    assert counts[1] == 0
    assert abs(int(counts[0]) - 150) < 40
    small = torch.bincount(order[order < 3], minlength=3)
    assert (small > 25).all()


def test_the_same_generator_draws_the_same():
    labels = image_set(4, 9).labels
    one, same = (balanced_order(labels, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, same)
    assert not torch.equal(one, balanced_order(labels, torch.Generator().manual_seed(4)))


@pytest.mark.parametrize(
    ("asked", "counts", "expected"),
    [
        ("auto", (10, 29), "loss"),
        ("auto", (10, 30), "macro-f1"),
        ("auto", (10, 0, 12), "loss"),
        ("accuracy", (10, 90), "accuracy"),
        ("loss", (10, 90), "loss"),
    ],
)
def test_what_is_stopped_on_fits_the_classes(asked, counts, expected):
    assert stop_metric(asked, image_set(*counts)) == expected
