"""Temperatures against SciPy's minimiser, and the band against classifiers calibrated by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from tellapart.errors import DataError, DivergedError
from tellapart.evaluation import evaluate_logits
from tellapart.evaluation.calibration import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    fit_temperature,
    perfect_calibration,
)
from tellapart.evaluation.metrics import (
    cross_entropy,
    expected_calibration_error,
    reliability_bins,
)


def calibrated(num_images, seed=0, num_classes=5, scale=2.0):
    """Logits, and labels that are drawn from exactly their probabilities."""
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(num_images, num_classes, generator=generator, dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)
    return logits, labels


@pytest.mark.parametrize("temperature", [0.1, 0.48, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("num_images", [3, 200, 5000])
def test_it_is_the_minimum_of_loss_and_prior(temperature, num_images):
    logits, labels = calibrated(num_images)
    logits = logits * temperature

    def loss(log_inverse):
        inverse = math.exp(log_inverse)
        data = num_images * cross_entropy(inverse * logits, labels)
        return data + inverse - log_inverse

    limits = (math.log(1 / HIGHEST_TEMPERATURE), math.log(1 / LOWEST_TEMPERATURE))
    best = minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": 1e-10})
    assert fit_temperature(logits, labels) == pytest.approx(math.exp(-best.x), rel=1e-5)


def test_it_finds_the_temperature_that_was_removed():
    logits, labels = calibrated(20_000)
    assert fit_temperature(0.5 * logits, labels) == pytest.approx(0.5, rel=0.03)
    assert fit_temperature(logits.float() * 4, labels) == pytest.approx(4, rel=0.03)


def test_images_that_are_all_correct_give_no_certainty():
    logits = torch.zeros(200, 3)
    logits[:, 1] = 3.0
    all_correct = fit_temperature(logits, torch.ones(200, dtype=torch.int64))
    assert 0.2 < all_correct < 1
    # One image says next to nothing.
    assert fit_temperature(logits[:1], torch.tensor([1])) == pytest.approx(1, abs=0.2)
    all_wrong = fit_temperature(logits, torch.zeros(200, dtype=torch.int64))
    assert all_wrong == pytest.approx(HIGHEST_TEMPERATURE)


def test_it_ignores_what_is_added_to_all_logits_of_an_image():
    logits, labels = calibrated(300)
    moved = logits + torch.linspace(-1000, 1000, 300, dtype=torch.float64)[:, None]
    assert fit_temperature(moved, labels) == pytest.approx(fit_temperature(logits, labels))


def test_what_is_refused():
    with pytest.raises(DataError, match="at least one image"):
        fit_temperature(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))
    with pytest.raises(DivergedError, match="1 of 2 images"):
        fit_temperature(torch.tensor([[0.0, 1.0], [math.nan, 0.0]]), torch.tensor([0, 1]))


def test_calibrated_classifiers_lie_within_the_band_19_times_of_20():
    errors = []
    within = 0
    for seed in range(100):
        logits, labels = calibrated(300, seed)
        evaluation = evaluate_logits(logits, labels, list("abcde"))
        low, high = evaluation.expected_calibration_error_band
        errors.append(evaluation.expected_calibration_error)
        within += low <= errors[-1] <= high
    assert 88 <= within <= 100
    logits, labels = calibrated(300)
    overconfident = evaluate_logits(3 * logits, labels, list("abcde"))
    error, band = overconfident.expected_calibration_error, overconfident
    assert error > band.expected_calibration_error_band[1]


def test_the_band_of_each_bin_is_binomial():
    probabilities = torch.tensor([[0.75, 0.25]]).repeat(400, 1)
    labels = torch.zeros(400, dtype=torch.int64)
    bins = reliability_bins(probabilities, labels)
    perfect = perfect_calibration(probabilities, bins)
    [(low, high)] = [band for band in perfect.bins if band]
    # 1.96 std of a fraction of 400 at 0.75 is 0.0424.
    assert (low, high) == pytest.approx((0.7076, 0.7924), abs=0.006)
    assert perfect.error == pytest.approx((0.0007, 0.0485), abs=0.006)
    assert perfect == perfect_calibration(probabilities, bins)


def test_an_evaluation_holds_both_sides_of_the_temperature():
    logits, labels = calibrated(1000)
    before = evaluate_logits(3 * logits, labels, list("abcde"))
    after = evaluate_logits(logits, labels, list("abcde"), temperature=3.0)
    assert before.temperature is before.uncalibrated_loss is None
    assert after.temperature == 3.0
    assert after.uncalibrated_loss == pytest.approx(before.loss)
    expected = before.expected_calibration_error
    assert after.uncalibrated_calibration_error == pytest.approx(expected)
    assert after.loss < before.loss
    assert after.accuracy == before.accuracy
    assert type(after).from_json(after.to_json()) == after


def test_many_images_cost_no_more_memory():
    count = 60_000
    confidence = torch.from_numpy(np.random.default_rng(0).uniform(0.5, 1, count))
    probabilities = torch.stack([confidence, 1 - confidence], 1)
    labels = (torch.rand(count, generator=torch.Generator().manual_seed(0)) > confidence).long()
    bins = reliability_bins(probabilities, labels)
    low, high = perfect_calibration(probabilities, bins).error
    assert low < expected_calibration_error(bins) < high < 0.01
