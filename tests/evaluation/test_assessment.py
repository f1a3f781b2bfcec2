"""An assessment answers by the classifier's threshold, in its figures and in its mistakes."""

import pytest
import torch
from torch import nn

from tellapart.data.image_set import ImageSet
from tellapart.evaluation.assessment import assess
from tellapart.models.classifier import Classifier
from tellapart.models.ensemble import Ensemble
from tellapart.models.spec import ClassifierSpec, Normalization

CPU = torch.device("cpu")


@pytest.fixture
def classifier():
    """The brighter the only pixel, the more probably bad: 0.5 at 128, 0.27 at 0."""
    layer = nn.Linear(1, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0], [2.0]]))
        layer.bias.copy_(torch.tensor([0.0, -2 * 128 / 255]))
    spec = ClassifierSpec(
        network="none",
        class_names=("good", "bad"),
        image_shape=(1, 1, 1),
        normalization=Normalization((0.0,), (1.0,)),
    )
    return Classifier(nn.Sequential(nn.Flatten(), layer), spec)


@pytest.fixture
def image_set():
    pixels = torch.tensor([0, 100, 200, 60, 255], dtype=torch.uint8).view(-1, 1, 1, 1)
    return ImageSet(pixels, torch.tensor([0, 0, 0, 1, 1]), ("good", "bad"))


def test_without_a_threshold_the_most_probable_class_is_answered(classifier, image_set):
    assessment = assess(classifier, image_set, CPU)
    assert assessment.evaluation.confusion_matrix == ((2, 1), (1, 1))
    assert [mistake.index for mistake, _ in assessment.mistakes] == [2, 3]
    assert assessment.without_threshold is None


def test_figures_and_mistakes_follow_the_threshold(classifier, image_set):
    plain = assess(classifier, image_set, CPU)
    lowered = assess(classifier.with_thresholds({"bad": 0.35}), image_set, CPU)
    assert lowered.evaluation.confusion_matrix == ((1, 2), (0, 2))
    assert lowered.evaluation.thresholds == {"bad": 0.35}
    assert lowered.without_threshold == plain.evaluation
    # Both are good and answered bad; the second with less than one half.
    assert [(mistake.index, mistake.prediction) for mistake, _ in lowered.mistakes] == [
        (2, 1),
        (1, 1),
    ]
    assert 0.35 < lowered.mistakes[1][0].probability < 0.5
    assert lowered.roc[1].area == plain.roc[1].area


def test_a_mean_of_classifiers_has_no_threshold(classifier, image_set):
    ensemble = Ensemble([classifier.with_thresholds({"bad": 0.35})] * 2)
    assert assess(ensemble, image_set, CPU).evaluation.thresholds == {}
