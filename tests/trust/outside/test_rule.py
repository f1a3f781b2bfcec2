"""The rule that flags images unlike the training images: features, threshold, storing it."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from tellapart.errors import ClassifierFileError
from tellapart.evaluation import predict_logits
from tellapart.evaluation.metrics import wilson_interval
from tellapart.finetuning.features import output_features
from tellapart.finetuning.stages import output_layer
from tellapart.models.capture import captured
from tellapart.models.checkpoint import load_classifier, load_tensors, save_classifier
from tellapart.models.classifier import Classifier
from tellapart.models.registry import NETWORKS, seeded_network
from tellapart.models.spec import ClassifierSpec, Normalization, OutsideRule
from tellapart.trust.outside.rule import (
    FEWEST_HELD_OUT,
    Coordinates,
    Observed,
    fit_outside,
    fit_scorer,
    num_references,
    observe,
    scorer_of,
    threshold_of,
)
from tellapart.trust.outside.scores import max_softmax_score

CPU = torch.device("cpu")


def images(count, seed=0, shape=(1, 28, 28), high=256):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, high, (count, *shape), generator=generator, dtype=torch.uint8)


def classifier_of(network, shape=(1, 28, 28), name="lenet", **changes):
    spec = ClassifierSpec(
        network=name,
        class_names=("a", "b", "c"),
        image_shape=shape,
        normalization=Normalization(mean=(0.5,), std=(0.5,)),
        **changes,
    )
    return Classifier(network.eval(), spec)


@pytest.fixture
def classifier():
    return classifier_of(seeded_network("lenet", (1, 28, 28), 3, {}, 0))


@pytest.mark.parametrize("name", NETWORKS)
def test_features_of_every_network_are_what_its_output_layer_takes(name, shape_for):
    shape = shape_for(name)
    made = classifier_of(seeded_network(name, shape, 3, {}, 0), shape, name, temperature=2.0)
    shown = images(3, shape=shape)
    observed = observe(made, shown, CPU)
    layer = output_layer(made.network)
    torch.testing.assert_close(observed.features, output_features(made, shown, CPU))
    torch.testing.assert_close(observed.logits, layer(observed.features))
    torch.testing.assert_close(observed.answers, predict_logits(made, shown, device=CPU))
    torch.testing.assert_close(observed.answers, observed.logits / 2)
    first = next(part for part in made.network.modules() if isinstance(part, nn.Conv2d))
    with captured(made.network, [first]) as seen, torch.no_grad():
        made.network(made.normalize(shown))
    expected = seen.all[0].tensor.flatten(2).std(2, correction=0)
    torch.testing.assert_close(observed.contrasts, expected)


class _Convolutional(nn.Sequential):
    """A network without a linear layer."""

    def __init__(self):
        super().__init__(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class _Scaled(nn.Module):
    """A network that changes what its last linear layer gives."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(784, 3)

    def forward(self, shown):
        return self.last(shown.flatten(1)).log_softmax(1)


@pytest.mark.parametrize("make", [_Convolutional, _Scaled])
def test_a_network_without_an_output_layer_is_scored_by_confidence_and_says_so(make):
    made = classifier_of(make())
    observed = observe(made, images(5), CPU)
    assert observed.features is None
    fit = fit_outside(made, images(20), images(FEWEST_HELD_OUT, 1), CPU)
    assert fit.classifier.spec.outside.score == "max-softmax"
    assert "low confidence" in fit.note
    scorer = scorer_of(fit.classifier)
    torch.testing.assert_close(scorer.score(observed), max_softmax_score(observed.logits))


def test_other_views_change_no_score(classifier):
    shown = images(4)
    scorer = fit_scorer(observe(classifier, images(30, 1), CPU))
    torch.testing.assert_close(
        scorer.score(observe(classifier.with_views("shifted"), shown, CPU)),
        scorer.score(observe(classifier, shown, CPU)),
    )


@pytest.mark.parametrize(
    ("count", "place"),
    # The place from the top: of 199 scores the second, as 1 of 200 images may exceed ... twice.
    [(100, 1), (198, 1), (199, 2), (299, 3), (1999, 20)],
)
def test_the_threshold_is_the_rank_that_one_in_a_hundred_exceeds(count, place):
    scores = torch.randperm(count, generator=torch.Generator().manual_seed(1)).double()
    assert threshold_of(scores) == count - place


def test_one_in_a_hundred_further_images_exceeds_the_threshold():
    generator = torch.Generator().manual_seed(3)
    exceeding = 0
    for _ in range(400):
        scores = torch.randn(250, generator=generator)
        exceeding += int((scores[200:] > threshold_of(scores[:200])).sum())
    low, high = wilson_interval(exceeding, 400 * 50, confidence=0.999)
    # At most 1 %; with 200 held-out images the rank is 2 of 201.
    assert low <= 2 / 201 <= high


def test_too_few_held_out_images_make_no_rule_and_that_is_said(classifier):
    for held_out in (None, images(FEWEST_HELD_OUT - 1)):
        fit = fit_outside(classifier, images(10), held_out, CPU)
        assert fit.classifier.spec.outside is None
        assert not fit.classifier.references
        assert "100" in fit.note


def test_the_rule_travels_with_the_classifier_and_its_file(classifier, tmp_path):
    before = {name: tensor.clone() for name, tensor in classifier.network.state_dict().items()}
    made = fit_outside(classifier, images(50), images(120, 1), CPU).classifier
    assert made.spec.outside.num_held_out == 120
    made = made.with_views("shifted").with_temperature(1.5).with_thresholds({"a": 0.4})
    save_classifier(tmp_path / "file.safetensors", made, {})
    loaded = load_classifier(tmp_path / "file.safetensors")
    assert loaded.spec == made.spec
    for name, tensor in loaded.network.state_dict().items():
        torch.testing.assert_close(tensor, before[name])
    observed = observe(loaded, images(6, 2), CPU)
    torch.testing.assert_close(scorer_of(loaded).score(observed), scorer_of(made).score(observed))
    assert scorer_of(loaded).neighbours.k == 3


def test_another_network_leaves_the_rule_behind(classifier):
    made = fit_outside(classifier, images(50), images(120, 1), CPU).classifier
    other = made.with_network(seeded_network("lenet", (1, 28, 28), 3, {}, 1))
    assert other.spec.outside is None
    assert not other.references


def test_a_file_without_a_rule_flags_nothing(classifier, tmp_path):
    save_classifier(tmp_path / "old.safetensors", classifier, {})
    tensors, header = load_tensors(tmp_path / "old.safetensors")
    assert not any(name.startswith("outside/") for name in tensors)
    del header["classifier"]["outside"]  # as versions wrote it that knew no rule
    assert ClassifierSpec.from_json(header["classifier"]).outside is None
    assert scorer_of(load_classifier(tmp_path / "old.safetensors")) is None


def kept(points=85 + 6, settings=(1.0, 1.0), contrasts=6, std=1.0):
    return {
        "bank": torch.zeros(4, points),
        "settings": torch.tensor(settings),
        "contrasts": torch.stack([torch.zeros(contrasts), torch.full((contrasts,), std)]),
    }


@pytest.mark.parametrize(
    "references",
    [
        {},
        {"bank": torch.zeros(4, 91)},
        kept(points=90),
        kept(settings=(5.0, 1.0)),
        kept(settings=(1.0, 0.0)),
        kept(settings=(1.0, float("nan"))),
        kept(contrasts=5, points=90),
        kept(std=0.0),
        {**kept(), "bank": torch.zeros(4, 91).long()},
    ],
)
def test_references_that_do_not_fit_are_refused(classifier, references):
    rule = OutsideRule(score="nearest-neighbour", threshold=0.5, num_held_out=100)
    with pytest.raises(ClassifierFileError, match="again"):
        scorer_of(classifier.with_outside(rule, references))


def test_references_that_fit_are_taken(classifier):
    rule = OutsideRule(score="nearest-neighbour", threshold=0.5, num_held_out=100)
    assert scorer_of(classifier.with_outside(rule, kept())).neighbours.k == 1


def test_a_point_is_direction_length_and_contrasts():
    features = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    contrasts = torch.tensor([[1.0, 7.0, 2.0], [3.0, 7.0, 4.0]])
    seen = Observed(torch.zeros(2, 2), features, contrasts, torch.zeros(2, 2))
    points = Coordinates.fit(seen).of(seen)
    root = 3**0.5
    # Mean length 3; contrasts of mean 2, 7, 3 and std 1, none, 1.
    expected = [
        [0.6, 0.8, 5 / 3, -1 / root, 0, -1 / root],
        [0.0, 1.0, 1 / 3, 1 / root, 0, 1 / root],
    ]
    torch.testing.assert_close(points, torch.tensor(expected).double())


class _Dense(nn.Sequential):
    """A network without a convolution."""

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 8), nn.ReLU(), nn.Linear(8, 3))


class _Twice(nn.Module):
    """A network that uses its convolution twice."""

    def __init__(self):
        super().__init__()
        self.convolution, self.output = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(784, 3)

    def forward(self, shown):
        return self.output(self.convolution(self.convolution(shown)).flatten(1))


@pytest.mark.parametrize("make", [_Dense, _Twice])
def test_without_one_first_convolution_the_features_are_enough(make, tmp_path):
    made = classifier_of(make())
    assert observe(made, images(5), CPU).contrasts.shape == (5, 0)
    fit = fit_outside(made, images(20), images(FEWEST_HELD_OUT, 1), CPU)
    assert fit.note is None
    assert scorer_of(fit.classifier).name == "nearest-neighbour"
    assert scorer_of(fit.classifier).score(observe(made, images(5), CPU)).isfinite().all()


def test_the_references_stay_small():
    assert num_references(128) == 1000
    for num_features in (448, 1280, 4096):
        assert 100 < num_references(num_features) <= 1000
        assert 2 * num_references(num_features) * num_features <= 2**20


def test_the_rule_is_plain_json():
    rule = OutsideRule(score="max-softmax", threshold=-0.4, num_held_out=200)
    assert dataclasses.asdict(rule)["fraction"] == 0.01
