"""Leaving images unanswered: what is counted, and what is refused."""

import pytest
import torch

from tellapart.errors import ConfigError
from tellapart.evaluation.rejection import rejection_curve
from tellapart.trust.certainty.abstention import measure_abstention

CONFIDENCES = torch.tensor([0.99, 0.95, 0.9, 0.8, 0.6], dtype=torch.float64)
LOGITS = torch.stack([CONFIDENCES.logit(), torch.zeros(5, dtype=torch.float64)], 1)
LABELS = torch.tensor([0, 0, 1, 0, 1])


def test_by_hand():
    found = measure_abstention(
        LOGITS, LABELS, torch.zeros(5, dtype=torch.int64), 0.89, "validation"
    )
    assert (found.num_answered, found.num_correct, found.num_correct_of_all) == (3, 2, 3)
    content = found.to_json()
    assert content["answered"] == 3 / 5
    assert content["accuracy"] == 2 / 3
    low, high = content["accuracy_interval"]
    assert low < 2 / 3 < high


def test_nothing_answered_has_no_accuracy():
    answers = torch.zeros(5, dtype=torch.int64)
    content = measure_abstention(LOGITS, LABELS, answers, 0.999, "validation").to_json()
    assert content["accuracy"] is content["accuracy_interval"] is None
    assert content["answered"] == 0


@pytest.mark.parametrize("below", [0.0, 1.0, 90.0])
def test_a_probability_outside_0_and_1_is_refused(below):
    with pytest.raises(ConfigError, match=f"between 0 and 1, got {below:g}"):
        measure_abstention(LOGITS, LABELS, LABELS, below, "validation")


def test_the_curve_and_its_area():
    correct = torch.tensor([True, True, False, True, False])
    curve = rejection_curve(CONFIDENCES, correct)
    assert curve.answered.tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert curve.accuracy.tolist() == pytest.approx([1, 1, 2 / 3, 3 / 4, 3 / 5])
    assert curve.confidence.tolist() == CONFIDENCES.tolist()
    assert curve.area == pytest.approx((0 + 0 + 1 / 3 + 1 / 4 + 2 / 5) / 5)


def test_equal_confidences_count_in_every_order():
    confidence = torch.full((4,), 0.5)
    one = rejection_curve(confidence, torch.tensor([True, False, False, True]))
    other = rejection_curve(confidence, torch.tensor([False, False, True, True]))
    assert one.area == other.area == pytest.approx(0.5)
    assert one.answered.tolist() == [1.0]
