"""Features are what the output layer is given, and are kept for the next time."""

import pytest
import torch

from tellapart.evaluation import predicting
from tellapart.finetuning import features as features_module
from tellapart.finetuning.features import cached_features, output_features
from tellapart.runtime import choose_runtime

CPU = torch.device("cpu")


@pytest.fixture
def classifier(make):
    return make.trainer().classifier


@pytest.fixture
def runtime():
    return choose_runtime("cpu", "fp32")


@pytest.mark.parametrize("views", ["plain", "mirrored"])
def test_they_are_what_the_output_layer_is_given(make, classifier, views):
    train = make.images(7, seed=3)
    classifier = classifier.with_views(views)
    features = output_features(classifier, train.images, CPU)
    classifier.eval()
    with torch.no_grad():
        wanted = classifier.network[:-1](classifier.normalize(train.images))
    torch.testing.assert_close(features, wanted)


def test_their_order_is_that_of_the_images_however_many_at_a_time(make, classifier, monkeypatch):
    images = make.images(50, seed=3).images
    at_once = output_features(classifier, images, CPU)
    for module in (predicting, features_module):
        monkeypatch.setattr(module, "images_at_a_time", lambda _: 3)
    told = []
    few = output_features(classifier, images, CPU, progress=lambda *done: told.append(done))
    torch.testing.assert_close(few, at_once)
    assert told == [(12, 50), (24, 50), (36, 50), (48, 50), (50, 50)]


@pytest.fixture
def computed(monkeypatch):
    """How often features were computed, and not read."""
    calls = []
    original = features_module.output_features

    def counted(*arguments, **more):
        calls.append(1)
        return original(*arguments, **more)

    monkeypatch.setattr(features_module, "output_features", counted)
    return calls


def test_the_same_are_read_again(make, classifier, runtime, computed, monkeypatch, tmp_path):
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path))
    images = make.images(9, seed=3).images
    first = cached_features(classifier, images, runtime)
    assert torch.equal(cached_features(classifier, images, runtime), first)
    assert len(computed) == 1
    # What the output layer answers is no part of them.
    with torch.no_grad():
        classifier.network.output.bias.add_(1)
    cached_features(classifier, images, runtime)
    assert len(computed) == 1
    mirrored = cached_features(classifier, images, runtime, mirrored=True)
    torch.testing.assert_close(mirrored, output_features(classifier, images.flip(-1), CPU))
    assert len(computed) == 2


def test_other_images_or_weights_have_others(
    make, classifier, runtime, computed, monkeypatch, tmp_path
):
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path))
    images = make.images(9, seed=3).images
    cached_features(classifier, images, runtime)
    changed = images.clone()
    changed[0, 0, 0, 0] ^= 1
    cached_features(classifier, changed, runtime)
    assert len(computed) == 2
    with torch.no_grad():
        next(classifier.network.parameters()).mul_(1.01)
    cached_features(classifier, images, runtime)
    assert len(computed) == 3


def test_a_damaged_or_unwritable_cache_costs_time_only(
    make, classifier, runtime, monkeypatch, tmp_path
):
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path))
    images = make.images(9, seed=3).images
    first = cached_features(classifier, images, runtime)
    (file,) = (tmp_path / "features").iterdir()
    file.write_bytes(file.read_bytes()[:-5])
    assert torch.equal(cached_features(classifier, images, runtime), first)
    blocked = tmp_path / "a file"
    blocked.write_text("")
    monkeypatch.setenv("TELLAPART_CACHE", str(blocked))
    assert torch.equal(cached_features(classifier, images, runtime), first)
