"""Every metric against scikit-learn, on inputs with ties and classes that never occur."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle
from sklearn.calibration import calibration_curve

from tellapart.errors import DataError, ShapeError
from tellapart.evaluation import metrics

CLOSE = 1e-12


@st.composite
def predictions_and_labels(draw):
    num_classes = draw(st.integers(2, 6))
    num_images = draw(st.integers(1, 40))
    index = st.integers(0, num_classes - 1)
    drawn = st.lists(index, min_size=num_images, max_size=num_images)
    return torch.tensor(draw(drawn)), torch.tensor(draw(drawn)), num_classes


@st.composite
def logits_and_labels(draw):
    num_classes, num_images = draw(st.integers(2, 5)), draw(st.integers(1, 50))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    # Halves, so that ties and bin edges come up.
    logits = torch.randint(-8, 9, (num_images, num_classes), generator=generator) / 2
    labels = torch.randint(num_classes, (num_images,), generator=generator)
    return logits, labels


@given(predictions_and_labels())
def test_the_confusion_matrix_is_scikit_learns(drawn):
    predictions, labels, num_classes = drawn
    expected = oracle.confusion_matrix(labels, predictions, labels=range(num_classes))
    assert metrics.confusion_matrix(predictions, labels, num_classes).tolist() == expected.tolist()


@given(predictions_and_labels())
def test_precision_recall_and_f1_are_scikit_learns(drawn):
    predictions, labels, num_classes = drawn
    scores = metrics.precision_recall(metrics.confusion_matrix(predictions, labels, num_classes))
    precision, recall, f1, support = oracle.precision_recall_fscore_support(
        labels, predictions, labels=range(num_classes), zero_division=0
    )
    np.testing.assert_allclose(scores.precision, precision, atol=CLOSE)
    np.testing.assert_allclose(scores.recall, recall, atol=CLOSE)
    np.testing.assert_allclose(scores.f1, f1, atol=CLOSE)
    assert scores.support.tolist() == support.tolist()


@given(predictions_and_labels(), st.sampled_from(["macro", "weighted"]))
def test_means_over_classes_are_scikit_learns(drawn, kind):
    predictions, labels, num_classes = drawn
    scores = metrics.precision_recall(metrics.confusion_matrix(predictions, labels, num_classes))
    mean = scores.macro() if kind == "macro" else scores.weighted()
    expected = oracle.precision_recall_fscore_support(
        labels, predictions, average=kind, zero_division=0
    )
    assert (mean.precision, mean.recall, mean.f1) == pytest.approx(expected[:3], abs=CLOSE)


@given(logits_and_labels())
def test_cross_entropy_is_torchs_and_scikit_learns(drawn):
    logits, labels = drawn
    expected = torch.nn.functional.cross_entropy(logits.double(), labels)
    assert metrics.cross_entropy(logits, labels) == pytest.approx(float(expected), abs=CLOSE)
    probabilities = logits.double().softmax(1).numpy()
    log_loss = oracle.log_loss(labels, probabilities, labels=range(logits.shape[1]))
    assert metrics.cross_entropy(logits, labels) == pytest.approx(log_loss, abs=1e-9)


def test_cross_entropy_of_huge_logits_does_not_overflow():
    logits = torch.tensor([[1e4, 0.0], [0.0, 1e4]])
    assert metrics.cross_entropy(logits, torch.tensor([0, 0])) == 5e3


@settings(max_examples=200)
@given(logits_and_labels())
def test_reliability_bins_are_scikit_learns_calibration_curve(drawn):
    logits, labels = drawn
    probabilities = logits.double().softmax(1)
    bins = metrics.reliability_bins(probabilities, labels)
    confidence, predictions = probabilities.max(1)
    accuracy, mean = calibration_curve(predictions == labels, confidence, n_bins=15)
    filled = [bin_ for bin_ in bins if bin_.count]
    np.testing.assert_allclose([bin_.accuracy for bin_ in filled], accuracy, atol=CLOSE)
    np.testing.assert_allclose([bin_.confidence for bin_ in filled], mean, atol=CLOSE)
    assert sum(bin_.count for bin_ in bins) == len(labels)
    assert all(bin_.accuracy is None for bin_ in bins if not bin_.count)


def test_expected_calibration_error_by_hand():
    # Two at confidence 0.95, one of them correct; two at 0.55, both correct.
    probabilities = torch.tensor([[0.95, 0.05], [0.95, 0.05], [0.55, 0.45], [0.55, 0.45]])
    bins = metrics.reliability_bins(probabilities, torch.tensor([0, 1, 0, 0]))
    assert metrics.expected_calibration_error(bins) == pytest.approx(0.5 * 0.45 + 0.5 * 0.45)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below():
    bins = metrics.reliability_bins(torch.tensor([[0.5, 0.5]]), torch.tensor([0]), num_bins=2)
    assert [bin_.count for bin_ in bins] == [1, 0]
    certain = metrics.reliability_bins(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), num_bins=2)
    assert [bin_.count for bin_ in certain] == [0, 1]


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_is_the_published_one(correct, total, low, high):
    assert metrics.wilson_interval(correct, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10**6), st.data())
def test_wilson_interval_holds_the_fraction_and_stays_inside_0_and_1(total, data):
    correct = data.draw(st.integers(0, total))
    low, high = metrics.wilson_interval(correct, total)
    assert 0 <= low <= correct / total <= high <= 1
    assert low < high
    wide_low, wide_high = metrics.wilson_interval(correct, total, confidence=0.99)
    assert wide_low <= low < high <= wide_high


@pytest.mark.parametrize("counts", [(1, 0), (-1, 5), (6, 5)])
def test_wilson_interval_refuses_impossible_counts(counts):
    with pytest.raises(
        DataError, match=rf"0 <= correct <= total .* got {counts[0]} of {counts[1]}"
    ):
        metrics.wilson_interval(*counts)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_wilson_interval_refuses_a_confidence_outside_0_and_1(confidence):
    with pytest.raises(DataError, match=rf"between 0 and 1, got {confidence}; 0\.95 is usual"):
        metrics.wilson_interval(1, 2, confidence)


def test_macro_mean_is_over_what_is_defined():
    assert metrics.macro_mean([0.5, None, 1.0]) == 0.75
    assert metrics.macro_mean([None]) is None


def test_refusals_name_subject_rule_and_what_came():
    labels = torch.tensor([0, 1])
    with pytest.raises(ShapeError, match=r"predictions must be int64 .* logits\.argmax\(1\)"):
        metrics.confusion_matrix(torch.zeros(2, 3), labels, 2)
    with pytest.raises(ShapeError, match="got 3 predictions and 2 labels"):
        metrics.confusion_matrix(torch.zeros(3, dtype=torch.int64), labels, 2)
    with pytest.raises(DataError, match="at least one image, got none"):
        metrics.confusion_matrix(labels[:0], labels[:0], 2)
    with pytest.raises(DataError, match=r"0\.\.0 \(1 classes\), got 0\.\.1"):
        metrics.confusion_matrix(labels, labels, 1)
    with pytest.raises(ShapeError, match=r"\(classes, classes\), got \(2, 3\)"):
        metrics.precision_recall(torch.zeros(2, 3))
    with pytest.raises(DataError, match="got only zeros"):
        metrics.precision_recall(torch.zeros(2, 2, dtype=torch.int64))
    with pytest.raises(
        ShapeError, match=r"logits must be floating point .* got torch\.int64 \(2,\)"
    ):
        metrics.cross_entropy(labels, labels)
    with pytest.raises(ShapeError, match=r"labels must be int64 \(3,\), one per image"):
        metrics.cross_entropy(torch.zeros(3, 2), labels)
    with pytest.raises(DataError, match=r"num_bins must be at least 1, got 0; 15 is usual"):
        metrics.reliability_bins(torch.ones(2, 2), labels, num_bins=0)
    with pytest.raises(DataError, match="got empty bins"):
        metrics.expected_calibration_error(())


def test_a_class_never_predicted_and_one_never_present_score_zero_not_nan():
    labels, predictions = torch.tensor([0, 0, 1]), torch.tensor([0, 2, 0])
    scores = metrics.precision_recall(metrics.confusion_matrix(predictions, labels, 4))
    assert scores.f1.tolist() == [0.5, 0, 0, 0]
    assert scores.occurs.tolist() == [True, True, True, False]
    assert math.isclose(scores.macro().f1, 0.5 / 3)


def confusion_of(*rows):
    return torch.tensor(rows)


@given(predictions_and_labels())
def test_balanced_accuracy_is_scikit_learns(case):
    predictions, labels, num_classes = case
    confusion = metrics.confusion_matrix(predictions, labels, num_classes)
    value, (low, high) = metrics.balanced_accuracy(confusion)
    with warnings.catch_warnings():
        # scikit-learn warns of classes that are only among the predictions; we leave them out too.
        warnings.simplefilter("ignore", UserWarning)
        expected = oracle.balanced_accuracy_score(labels, predictions)
    assert value == pytest.approx(expected, abs=CLOSE)
    assert 0 <= low <= value <= high <= 1


def test_the_interval_of_balanced_accuracy_joins_those_of_the_recalls():
    value, interval = metrics.balanced_accuracy(confusion_of([45, 5], [4, 6]))
    parts = [(0.9, *metrics.wilson_interval(45, 50)), (0.6, *metrics.wilson_interval(6, 10))]
    below = math.sqrt(sum((p - low) ** 2 for p, low, _ in parts)) / 2
    above = math.sqrt(sum((high - p) ** 2 for p, _, high in parts)) / 2
    assert value == pytest.approx(0.75)
    assert interval == pytest.approx((0.75 - below, 0.75 + above))
    _, of_one_class = metrics.balanced_accuracy(confusion_of([7, 3], [0, 0]))
    assert of_one_class == pytest.approx(metrics.wilson_interval(7, 10))
    _, narrower = metrics.balanced_accuracy(confusion_of([45, 5], [4, 6]), confidence=0.8)
    assert interval[0] < narrower[0] < narrower[1] < interval[1]


@pytest.mark.parametrize(
    ("supports", "recalls"),
    [((200, 20), (0.95, 0.7)), ((60, 60, 12), (0.9, 0.8, 0.5)), ((500, 30), (0.99, 0.97))],
)
def test_the_interval_of_balanced_accuracy_covers_what_it_promises(supports, recalls):
    generator = np.random.default_rng(0)
    truth, num_trials = np.mean(recalls), 600
    covered = 0
    for hits in generator.binomial(supports, recalls, size=(num_trials, len(supports))):
        confusion = torch.diag(torch.tensor(hits))
        rest = torch.tensor(supports) - confusion.diag()
        confusion[torch.arange(len(rest)), (torch.arange(len(rest)) + 1) % len(rest)] = rest
        low, high = metrics.balanced_accuracy(confusion)[1]
        covered += bool(low <= truth <= high)
    assert 0.93 <= covered / num_trials <= 0.985
