"""Prediction sets: equal to MAPIE's, of the coverage that is promised, refused with too few."""

import math
import warnings

import numpy as np
import pytest
import torch
from scipy.stats import betabinom
from sklearn.base import BaseEstimator, ClassifierMixin

from tellapart.data.sets.sources import load_data_set
from tellapart.errors import ConfigError, DataError
from tellapart.evaluation import predict_logits
from tellapart.evaluation.calibration import fit_temperature
from tellapart.models.checkpoint import load_classifier
from tellapart.trust.certainty.conformal import (
    calibrate_sets,
    class_scores,
    drawn_numbers,
    fewest_images,
    rank_for,
)
from tellapart.trust.certainty.set_coverage import measure_sets, promised_band

METHODS = ("lac", "aps", "raps")
NAMES = tuple("abcdef")


def drawn(num_images, seed=0, scale=1.5):
    """Logits of six classes, and labels of which many are not the most probable class."""
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(num_images, 6, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)
    return logits, labels


class Known(ClassifierMixin, BaseEstimator):
    """A classifier for MAPIE whose inputs are the logits."""

    def fit(self, inputs, labels):
        self.classes_ = np.unique(labels)
        self.n_features_in_ = inputs.shape[1]
        self.fitted_ = True
        return self

    def predict_proba(self, inputs):
        return torch.from_numpy(inputs).double().softmax(1).numpy()

    def predict(self, inputs):
        return self.predict_proba(inputs).argmax(1)


class Draws:
    """Stands in for MAPIE's generator: the numbers that our images draw."""

    def __init__(self):
        self.inputs = []

    def uniform(self, size):
        numbers = drawn_numbers(torch.from_numpy(self.inputs.pop(0))).numpy()
        return numbers.reshape(size)


def mapie_sets(method, coverage, calibration, test, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mapie.classification import SplitConformalClassifier
        from mapie.conformity_scores.sets import aps

        logits, labels = (part.numpy() for part in calibration)
        draws = Draws()
        draws.inputs = [logits, test[0].numpy()]
        monkeypatch.setattr(aps, "check_random_state", lambda _: draws)
        classifier = SplitConformalClassifier(
            Known().fit(logits, labels), confidence_level=coverage, conformity_score=method
        )
        classifier.conformalize(logits, labels)
        options = {"include_last_label": "randomized"} if method == "aps" else {}
        _, found = classifier.predict_set(test[0].numpy(), conformity_score_params=options)
    return torch.from_numpy(found[:, :, 0])


@pytest.mark.parametrize("coverage", [0.6, 0.9, 0.99])
@pytest.mark.parametrize("method", ["lac", "aps"])
def test_the_sets_are_those_of_mapie_but_never_empty(method, coverage, monkeypatch):
    calibration, test = drawn(500), drawn(400, seed=1)
    rule = calibrate_sets(*calibration, NAMES, coverage, method)
    theirs = mapie_sets(method, coverage, calibration, test, monkeypatch)
    is_empty = ~theirs.any(1)
    assert torch.equal(rule.would_be_empty(test[0]), is_empty)
    ours = rule.members(test[0])
    assert torch.equal(ours[~is_empty], theirs[~is_empty])
    top = torch.nn.functional.one_hot(test[0].argmax(1), 6).bool()
    assert torch.equal(ours[is_empty], top[is_empty])
    assert coverage > 0.6 or is_empty.any()


def test_raps_adds_a_penalty_from_the_sixth_class_on():
    logits, _ = drawn(50)
    logits = torch.cat([logits, logits - 1], 1)  # twelve classes
    difference = class_scores(logits, "raps") - class_scores(logits, "aps")
    ranks = logits.argsort(dim=1, descending=True, stable=True).argsort(1)
    assert torch.allclose(difference, 0.01 * (ranks - 4).clamp(min=0).double())


@pytest.mark.parametrize("method", METHODS)
def test_a_score_is_low_where_the_class_is_likely(method):
    logits, _ = drawn(200)
    scores = class_scores(logits, method)
    ordered = scores.gather(1, logits.argsort(1, descending=True))
    assert (ordered.diff(dim=1) >= -1e-12).all()
    assert scores.min() >= 0
    # The same image, alone or among others, has the same scores.
    assert torch.equal(class_scores(logits[7:8], method)[0], scores[7])
    assert torch.allclose(class_scores(logits * 3, method, 3.0), class_scores(logits, method)) == (
        method == "lac"
    )


def test_the_drawn_numbers_are_even():
    numbers = drawn_numbers(drawn(5000)[0])
    counts = torch.histc(numbers.float(), 10, 0, 1)
    assert (counts - 500).abs().max() < 100
    assert len(numbers.unique()) == 5000


@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_coverage_lies_within_its_band_over_20_splits(method, per_class, trained):
    """Of a real run; its temperature is fitted to the images that calibrate the sets, too."""
    test = load_data_set("mnist-sample").split("test")
    classifier = load_classifier(trained.run / "model.safetensors").with_temperature(None)
    logits = predict_logits(classifier, test.images, device=torch.device("cpu"))
    within, covered = 0, []
    for seed in range(20):
        order = torch.randperm(1000, generator=torch.Generator().manual_seed(seed))
        first, second = order[:500], order[500:]
        temperature = fit_temperature(logits[first], test.labels[first])
        rule = calibrate_sets(
            logits[first],
            test.labels[first],
            test.class_names,
            0.8,
            method,
            per_class=per_class,
            temperature=temperature,
        )
        members = rule.members(logits[second])
        # Sets that would be empty count as they would be: those are promised 80 %.
        members[rule.would_be_empty(logits[second])] = False
        count = int(members.gather(1, test.labels[second][:, None]).sum())
        covered.append(count)
        counts = test.labels[second].bincount(minlength=10).tolist()
        low, high = promised_band(rule, counts)
        within += low <= count / 500 <= high
    assert within >= 17
    assert np.mean(covered) / 500 == pytest.approx(0.8, abs=0.02 if not per_class else 0.03)


def test_the_band_is_beta_binomial():
    rule = calibrate_sets(*drawn(500), NAMES, 0.8)
    rank = rank_for(500, 0.8)
    expected = betabinom(500, rank, 501 - rank).ppf([0.025, 0.975]) / 500
    assert promised_band(rule, [500]) == pytest.approx(tuple(expected), abs=0.004)


def test_each_class_has_the_coverage_only_where_it_is_asked_for():
    logits, labels = drawn(6000)
    logits[:, 0] -= 1.5  # the first class is found too rarely
    halves = (logits[:3000], labels[:3000]), (logits[3000:], labels[3000:])
    found = {}
    for per_class in (False, True):
        rule = calibrate_sets(*halves[0], NAMES, 0.9, per_class=per_class)
        result = measure_sets(rule, *halves[1], NAMES, "calibration")
        found[per_class] = [entry.coverage for entry in result.per_class]
        assert result.coverage == pytest.approx(0.9, abs=0.02)
        assert len(result.promise) > 50
    assert min(found[False]) < 0.75
    assert min(found[True]) > 0.85


def test_what_is_measured_adds_up():
    logits, labels = drawn(700)
    rule = calibrate_sets(logits[:400], labels[:400], NAMES, 0.9)
    result = measure_sets(rule, logits[400:], labels[400:], NAMES, "validation")
    members = rule.members(logits[400:])
    sizes = members.sum(1)
    assert sum(result.sizes) == result.num_images == 300
    assert sum(size * count for size, count in enumerate(result.sizes, 1)) == int(sizes.sum())
    assert result.mean_size == pytest.approx(float(sizes.double().mean()))
    assert sum(entry.num_covered for entry in result.per_class) == result.num_covered
    assert sizes[result.largest[0]] == sizes.max()
    assert result.to_json()["coverage"] == result.coverage
    few = measure_sets(rule, logits[400:], (labels[400:] + 1) % 6, NAMES, "validation")
    assert few.verdict.startswith("fewer sets hold the true class")


@pytest.mark.parametrize(("coverage", "needed"), [(0.99, 99), (0.9, 9), (0.95, 19), (0.8, 4)])
def test_too_few_images_are_refused_with_the_number_that_is_needed(coverage, needed):
    assert fewest_images(coverage) == needed
    logits, labels = drawn(needed)
    rule = calibrate_sets(logits, labels, NAMES, coverage)
    assert float(rule.thresholds[0]) == float(class_scores(logits, "lac").gather(
        1, labels[:, None]).max())  # fmt: skip
    with pytest.raises(DataError, match=f"at least {needed} images .* it has {needed - 1}"):
        calibrate_sets(logits[1:], labels[1:], NAMES, coverage)


def test_too_few_images_of_a_class_are_refused_by_name():
    logits, labels = drawn(600)
    keep = (labels != 2) | (torch.arange(600) < 40)
    count = int((labels[keep] == 2).sum())
    with pytest.raises(DataError, match=f"at least 19 images of each .*'c' has {count}"):
        calibrate_sets(logits[keep], labels[keep], NAMES, 0.95, per_class=True)


@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.1, 95.0, math.nan])
def test_a_coverage_outside_0_and_1_is_refused(coverage):
    with pytest.raises(ConfigError, match=f"between 0 and 1, got {coverage:g}"):
        calibrate_sets(*drawn(100), NAMES, coverage)


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="lac, aps, raps"):
        calibrate_sets(*drawn(100), NAMES, 0.9, "top")
