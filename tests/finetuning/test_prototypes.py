"""The output layer of prototypes answers with the nearest class mean."""

import pytest
import torch

from tellapart.config import Recipe
from tellapart.finetuning.features import output_features
from tellapart.finetuning.output_layer import fit_output_layer
from tellapart.runtime import choose_runtime

CPU = torch.device("cpu")
RECIPE = Recipe().with_settings({"finetuning.head": "prototype"})


@pytest.fixture
def classifier(make):
    return make.trainer().classifier


def set_prototypes(classifier, train):
    fit_output_layer(classifier, train, RECIPE, choose_runtime("cpu", "fp32"))


def test_the_answer_is_the_nearest_class_mean(make, classifier):
    train, others = make.images(30, seed=3), make.images(200, seed=4)
    set_prototypes(classifier, train)
    features = output_features(classifier, train.images, CPU)
    means = torch.stack([features[train.labels == label].mean(0) for label in range(3)])
    with torch.no_grad():
        logits = classifier.eval()(others.images)
    distances = torch.cdist(output_features(classifier, others.images, CPU), means)
    assert torch.equal(logits.argmax(1), distances.argmin(1))
    # Not only the order: the logits are the squared distances, scaled and shifted alike.
    gaps, wanted = logits[:, :1] - logits, distances.square() - distances[:, :1].square()
    scale = gaps[:, 1].sum() / wanted[:, 1].sum()
    torch.testing.assert_close(gaps, wanted * scale, rtol=1e-3, atol=1e-3)


def test_one_image_a_class_is_enough(make, classifier):
    train = make.images(30, seed=3)
    first = torch.tensor([int((train.labels == label).nonzero()[0]) for label in range(3)])
    few = train.select(first)
    set_prototypes(classifier, few)
    with torch.no_grad():
        assert classifier.eval()(few.images).argmax(1).tolist() == [0, 1, 2]
