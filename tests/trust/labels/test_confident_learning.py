"""Confident learning against cleanlab, index by index."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import ShapeError
from tellapart.trust.labels.confident_learning import confident_joint, label_issues, label_scores

RANKINGS = {"self-confidence": "self_confidence", "normalized-margin": "normalized_margin"}

pytestmark = pytest.mark.filterwarnings("ignore:May not flag all label issues")


@pytest.fixture(scope="module")
def cleanlab():
    """Imported once: its own imports warn."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from cleanlab import count, filter
    return filter.find_label_issues, count.compute_confident_joint


def require_equal(cleanlab, labels, probabilities):
    find_label_issues, compute_confident_joint = cleanlab
    joint = compute_confident_joint(labels, probabilities, calibrate=False)
    np.testing.assert_array_equal(confident_joint(labels, probabilities), joint)
    for ours, theirs in RANKINGS.items():
        expected = find_label_issues(
            labels,
            probabilities,
            filter_by="prune_by_noise_rate",
            return_indices_ranked_by=theirs,
            n_jobs=1,
        )
        assert label_issues(labels, probabilities, rank_by=ours).tolist() == expected.tolist()


def noisy(seed, num_images=400, num_classes=5, concentration=0.3, fraction=0.1):
    """Probabilities, and labels of which a fraction is drawn at random."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(num_classes, concentration), num_images)
    drawn = random.integers(0, num_classes, num_images)
    labels = np.where(random.random(num_images) < fraction, drawn, probabilities.argmax(1))
    return labels, probabilities


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_images=st.integers(3, 300),
    num_classes=st.integers(2, 9),
    concentration=st.sampled_from([0.05, 0.3, 1.0, 5.0]),
    fraction=st.sampled_from([0.05, 0.3, 1.0]),
    rounded=st.booleans(),
    repeated=st.booleans(),
)
def test_the_same_images_in_the_same_order_as_cleanlab(
    cleanlab, seed, num_images, num_classes, concentration, fraction, rounded, repeated
):
    labels, probabilities = noisy(seed, num_images, num_classes, concentration, fraction)
    if repeated:  # ties of whole rows
        probabilities = probabilities[
            np.random.default_rng(seed).integers(0, min(9, num_images), num_images)
        ]
    if rounded:  # ties of single probabilities
        probabilities = np.round(probabilities, 1)
    if len(set(labels.tolist())) < 2:
        labels[0] = (labels[0] + 1) % num_classes
    require_equal(cleanlab, labels, probabilities)


def test_a_class_that_is_never_predicted_and_one_without_images(cleanlab):
    labels, probabilities = noisy(1)
    probabilities[:, 3] *= 1e-3
    probabilities /= probabilities.sum(1, keepdims=True)
    labels[labels == 4] = 0
    assert (labels == 3).any()
    require_equal(cleanlab, labels, probabilities)


@pytest.mark.parametrize("count", [1, 2])
def test_a_rare_class_keeps_an_image(cleanlab, count):
    labels, probabilities = noisy(2, num_classes=3, concentration=0.05)
    labels[labels == 2] = 0
    labels[:count] = 2
    probabilities[:count] = [0.98, 0.01, 0.01]
    require_equal(cleanlab, labels, probabilities)
    assert np.isin(np.arange(count), label_issues(labels, probabilities)).sum() < count


def test_flipped_labels_are_found_and_clean_ones_are_not():
    labels, probabilities = noisy(3, 2000, concentration=0.05, fraction=0.0)
    assert len(label_issues(labels, probabilities)) == 0
    flipped = labels.copy()
    flipped[:50] = (labels[:50] + 1) % 5
    found = label_issues(flipped, probabilities)
    sure = probabilities.max(1)[:50] > 0.9
    assert set(np.flatnonzero(sure)) <= set(found.tolist()) <= set(range(50))
    scores = label_scores(flipped, probabilities)[found]
    assert (np.diff(scores) >= 0).all()


def test_labels_and_probabilities_that_do_not_match_are_refused():
    labels, probabilities = noisy(4, 10)
    for wrong in (
        (labels[:9], probabilities),
        (labels, probabilities[:, :1]),
        (labels + 5, probabilities),
    ):
        with pytest.raises(ShapeError, match="got"):
            label_issues(*wrong)
