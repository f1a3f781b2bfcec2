"""The output layer of prototypes answers with the nearest class mean."""

from dataclasses import replace

import pytest
import torch

from tellapart.errors import DataError
from tellapart.finetuning.prototypes import output_features, set_prototypes

CPU = torch.device("cpu")


@pytest.fixture
def classifier(make):
    return make.trainer().classifier


@pytest.mark.parametrize("views", ["plain", "mirrored"])
def test_features_are_what_the_output_layer_is_given(make, classifier, views):
    train = make.images(7, seed=3)
    classifier = classifier.with_views(views)
    features = output_features(classifier, train.images, CPU)
    classifier.eval()
    with torch.no_grad():
        wanted = classifier.network[:-1](classifier.normalize(train.images))
    torch.testing.assert_close(features, wanted)


def test_the_answer_is_the_nearest_class_mean(make, classifier):
    train, others = make.images(30, seed=3), make.images(200, seed=4)
    set_prototypes(classifier, train, CPU)
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
    set_prototypes(classifier, few, CPU)
    with torch.no_grad():
        assert classifier.eval()(few.images).argmax(1).tolist() == [0, 1, 2]


def test_a_class_without_an_image_is_refused(make, classifier):
    train = make.images(9, seed=3)
    train = replace(train, labels=train.labels.clamp(max=1))
    with pytest.raises(DataError) as raised:
        set_prototypes(classifier, train, CPU)
    assert str(raised.value) == (
        "a prototype needs an image of its class; there is none of cat: set finetuning.head=new"
    )
