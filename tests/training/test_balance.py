"""Uneven classes: weights, sampling, and what early stopping watches."""

import pytest
import torch

from tellapart.config import TrainingRecipe
from tellapart.data.image_set import ImageSet
from tellapart.errors import ConfigError
from tellapart.training.balance import (
    balanced_order,
    balanced_weights,
    fit_weights,
    loss_weights,
    stop_metric,
)


def image_set(*counts):
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    images = torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8)
    return ImageSet(images, labels, tuple(map(str, range(len(counts)))))


def test_weights_make_classes_count_alike_and_pictures_one_on_average():
    weights = balanced_weights(image_set(10, 30, 60))
    assert (weights * torch.tensor([10, 30, 60])).tolist() == pytest.approx([100 / 3] * 3)
    assert balanced_weights(image_set(5, 0, 5)).tolist() == [1.0, 0.0, 1.0]


def test_costs_weigh_classes_and_the_mean_over_the_images_is_one():
    train = image_set(10, 30, 60)
    weights = loss_weights(train, TrainingRecipe(class_costs={"0": 5.0, "2": 0.5}))
    mean = (10 * 5 + 30 * 1 + 60 * 0.5) / 100
    assert weights.tolist() == pytest.approx([5 / mean, 1 / mean, 0.5 / mean])
    counts = torch.tensor([10.0, 30.0, 60.0])
    assert float(weights @ counts) / 100 == pytest.approx(1)


def test_costs_multiply_balanced_weights():
    train = image_set(10, 30, 60, 0)
    counts = torch.tensor([10.0, 30.0, 60.0, 0.0])
    settings = TrainingRecipe(class_weights="balanced", class_costs={"0": 3.0})
    # Each class counts n * weight in all: three times as much for the class that costs it.
    weights = loss_weights(train, settings)
    assert (weights * counts).tolist() == pytest.approx([60, 20, 20, 0])
    assert torch.equal(fit_weights(train, settings), weights)


def test_a_fit_is_weighed_where_training_would_sample():
    train = image_set(10, 30)
    settings = TrainingRecipe(sampling="balanced", class_costs={"0": 3.0})
    counts = torch.tensor([10.0, 30.0])
    assert (fit_weights(train, settings) * counts).tolist() == pytest.approx([30, 10])
    mean = (10 * 3 + 30) / 40
    assert loss_weights(train, settings).tolist() == pytest.approx([3 / mean, 1 / mean])


def test_without_costs_the_weights_are_what_they_were():
    train = image_set(10, 30)
    assert loss_weights(train, TrainingRecipe(sampling="balanced")) is None
    assert fit_weights(train, TrainingRecipe()) is None
    for settings in ({"class_weights": "balanced"}, {"sampling": "balanced"}):
        weights = fit_weights(train, TrainingRecipe(**settings))
        assert torch.equal(weights, balanced_weights(train))


def test_a_cost_of_an_unknown_class_is_refused():
    data = image_set(2, 2)
    train = ImageSet(data.images, data.labels, ("functional", "defective"))
    with pytest.raises(ConfigError, match="no class is called 'defect'; did you mean 'defective'"):
        loss_weights(train, TrainingRecipe(class_costs={"defect": 5.0}))
    with pytest.raises(ConfigError, match="known: functional, defective"):
        fit_weights(train, TrainingRecipe(class_costs={"x": 5.0}))


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
