"""Insertion and deletion on a network of which it is known what it looks at."""

import pytest
import torch
from torch import nn

from tellapart.explanation import perturbation
from tellapart.explanation.perturbation import (
    NUM_STEPS,
    Cells,
    blurred,
    perturbation_curves,
    places_in_order,
)
from tellapart.models.classifier import Classifier
from tellapart.models.spec import ClassifierSpec, Normalization


class LooksAtOneCell(nn.Module):
    """Class 1 is certain where the first cell, 2x2 pixels, is bright, and else class 0."""

    def forward(self, images):
        found = images[:, :, :2, :2].mean((1, 2, 3))
        return torch.stack([torch.zeros_like(found), 200 * found - 150], 1)


def one_cell_classifier():
    spec = ClassifierSpec(
        network="own.py:LooksAtOneCell",
        arguments={},
        class_names=("dark", "bright"),
        image_shape=(1, 28, 28),
        normalization=Normalization((0.0,), (1.0,)),
    )
    return Classifier(LooksAtOneCell(), spec).eval()


@pytest.fixture
def bright():
    images = torch.zeros(5, 1, 28, 28, dtype=torch.uint8)
    images[:, :, :2, :2] = 255
    return images, torch.ones(5, dtype=torch.int64)


def test_cells_have_the_mean_of_their_pixels_also_where_sides_do_not_divide():
    cells = Cells(5, 31)
    maps = torch.rand(3, 5, 31, generator=torch.Generator().manual_seed(1))
    means = cells.means(maps)
    assert means.shape == (3, len(cells)) == (3, 5 * 14)
    spread = cells.spread(means)
    assert spread.shape == maps.shape
    assert torch.allclose(cells.means(spread), means)
    assert torch.allclose(spread.sum((1, 2)).float(), maps.sum((1, 2)))


def test_the_largest_comes_first_and_equal_values_come_in_random_order():
    values = torch.tensor([[0.0, 5.0, 0.0, 0.0, 7.0]])
    ties = torch.tensor([[0.9, 0.0, 0.1, 0.5, 0.0]])
    assert places_in_order(values, ties).tolist() == [[4, 1, 2, 3, 0]]


def test_curves_jump_where_the_cell_that_the_network_looks_at_has_its_turn(bright):
    images, classes = bright
    cells = Cells(28, 28)
    first = torch.arange(len(cells)).expand(5, -1)
    curves = perturbation_curves(one_cell_classifier(), images, classes, first, cells)
    last = perturbation_curves(one_cell_classifier(), images, classes, first.flip(1), cells)
    assert curves.insertion.shape == curves.deletion.shape == (5, NUM_STEPS + 1)
    assert (curves.insertion[:, 1:] > 0.999).all()
    assert (curves.deletion[:, 1:] < 0.001).all()
    assert (last.insertion[:, :-1] < 0.001).all()
    assert (last.deletion[:, :-1] > 0.999).all()
    assert curves.score.mean() == pytest.approx(1 - 1 / NUM_STEPS, abs=1e-3)
    assert last.score.mean() == pytest.approx(1 / NUM_STEPS - 1, abs=1e-3)


def test_the_size_of_batches_changes_nothing(make, monkeypatch):
    pictures = make.images(23, seed=5)
    classifier = make.trainer().classifier.eval()
    cells = Cells(16, 16)
    places = torch.rand(23, len(cells), generator=torch.Generator().manual_seed(2)).argsort(1)
    whole = perturbation_curves(classifier, pictures.images, pictures.labels, places, cells)
    monkeypatch.setattr(perturbation, "_MOST_IMAGES", 4)
    parts = perturbation_curves(classifier, pictures.images, pictures.labels, places, cells)
    assert torch.allclose(whole.insertion, parts.insertion, atol=1e-6)
    assert torch.allclose(whole.deletion, parts.deletion, atol=1e-6)


@pytest.mark.parametrize("size", [(28, 28), (1, 3), (40, 17)])
def test_blurring_keeps_a_plain_image_and_levels_a_dot(size):
    plain = torch.full((1, 3, *size), 0.5)
    assert torch.allclose(blurred(plain), plain, atol=1e-6)
    dotted = plain.clone()
    dotted[..., 0, 0] = 20
    assert blurred(dotted).amax() < 20
