"""ROC curves against scikit-learn, on scores with many ties."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from tellapart.errors import DataError, ShapeError
from tellapart.evaluation import evaluate_logits, roc, roc_curves

CLOSE = 1e-12


@st.composite
def scores_and_positives(draw):
    """Scores from a few values only, so that ties are the rule."""
    num_images = draw(st.integers(2, 60))
    score = st.integers(0, draw(st.sampled_from([1, 3, 1000])))
    scores = draw(st.lists(score, min_size=num_images, max_size=num_images))
    positives = draw(st.lists(st.booleans(), min_size=num_images, max_size=num_images))
    return torch.tensor(scores, dtype=torch.float64), torch.tensor(positives)


@given(scores_and_positives())
def test_roc_curve_and_area_are_scikit_learns_also_with_ties(drawn):
    scores, positives = drawn
    curve = roc.roc_curve(scores, positives)
    if positives.all() or not positives.any():
        assert curve is None
        assert roc.roc_auc(scores, positives) is None
        return
    across, up, _ = oracle.roc_curve(positives, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.false_positive_rate, across, atol=CLOSE)
    np.testing.assert_allclose(curve.true_positive_rate, up, atol=CLOSE)
    assert curve.area == pytest.approx(oracle.roc_auc_score(positives, scores), abs=CLOSE)
    assert roc.roc_auc(scores, positives) == curve.area


@given(scores_and_positives())
def test_thinning_away_straight_stretches_keeps_the_shape(drawn):
    curve = roc.roc_curve(*drawn)
    if curve is not None:
        thin = curve.thinned(200)
        area = oracle.auc(thin.false_positive_rate, thin.true_positive_rate)
        assert area == pytest.approx(curve.area, abs=CLOSE)


def test_a_long_curve_is_thinned_to_the_points_asked_for_with_its_exact_area():
    generator = torch.Generator().manual_seed(0)
    positives = torch.rand(20_000, generator=generator) < 0.3
    scores = torch.randn(20_000, generator=generator) + positives
    curve = roc.roc_curve(scores, positives)
    thin = curve.thinned(200)
    across, up = thin.false_positive_rate, thin.true_positive_rate
    assert len(across) <= 200 < len(curve.false_positive_rate)
    assert (float(across[0]), float(up[0]), float(across[-1]), float(up[-1])) == (0, 0, 1, 1)
    assert thin.area == curve.area
    assert oracle.auc(across, up) == pytest.approx(curve.area, abs=2e-3)
    assert float((across + up).diff().max()) < 0.05


def test_thinning_to_fewer_than_four_points_is_refused():
    curve = roc.roc_curve(torch.tensor([0.1, 0.9]), torch.tensor([False, True]))
    with pytest.raises(DataError, match=r"at least 4 points, got num_points=3"):
        curve.thinned(3)


def case(num_images=300, num_classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(num_classes, (num_images,), generator=generator)
    logits = torch.randn(num_images, num_classes, generator=generator)
    logits[torch.arange(num_images), labels] += 1.5
    return logits, labels


def test_roc_curves_are_thin_and_their_areas_those_of_the_evaluation():
    logits, labels = case(5000)
    evaluation = evaluate_logits(logits, labels, ("ant", "bee", "cat"))
    curves = roc_curves(logits, labels, num_points=50)
    assert [curve.area for curve in curves] == [row.auc for row in evaluation.per_class]
    assert all(len(curve.true_positive_rate) <= 50 for curve in curves)
    assert roc_curves(logits, labels.clamp(max=1))[2] is None


def test_scores_and_positives_of_the_wrong_type_are_refused():
    with pytest.raises(ShapeError, match=r"positives bool, got \(2,\) and torch\.int64 \(2,\)"):
        roc.roc_curve(torch.zeros(2), torch.tensor([0, 1]))
