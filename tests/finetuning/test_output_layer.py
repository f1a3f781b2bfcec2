"""Which output layer a run of fine-tuning begins with."""

from dataclasses import replace

import pytest
import torch

from tellapart.config import Recipe
from tellapart.errors import DataError
from tellapart.finetuning.output_layer import fit_output_layer
from tellapart.runtime import choose_runtime


def fit(classifier, train, **settings):
    recipe = Recipe().with_settings({f"finetuning.{k}": v for k, v in settings.items()})
    return fit_output_layer(classifier, train, recipe, choose_runtime("cpu", "fp32"))


@pytest.fixture
def classifier(make):
    return make.trainer().classifier


def test_a_linear_layer_is_the_networks_own_answer(make, classifier):
    train = make.images(60, seed=3)
    before = classifier.network.output.weight.clone()
    result = fit(classifier, train, head="linear")
    assert torch.equal(classifier.network.output.weight, result.weight)
    assert not torch.equal(before, result.weight)
    with torch.no_grad():
        right = classifier.eval()(train.images).argmax(1) == train.labels
    assert float(right.float().mean()) >= max(result.accuracy, 0.9)


@pytest.mark.parametrize("head", ["new", "source"])
def test_other_heads_stay_as_they_are(make, classifier, head):
    before = classifier.network.output.weight.clone()
    assert fit(classifier, make.images(9, seed=3), head=head) is None
    assert torch.equal(classifier.network.output.weight, before)


@pytest.mark.parametrize("head", ["linear", "prototype"])
def test_a_class_without_an_image_is_refused(make, classifier, head):
    train = make.images(9, seed=3)
    train = replace(train, labels=train.labels.clamp(max=1))
    with pytest.raises(DataError, match=rf"{head} needs an image .*none of cat: .*head=new"):
        fit(classifier, train, head=head)
