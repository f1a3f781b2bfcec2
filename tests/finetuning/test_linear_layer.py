"""The fitted output layer is the minimum of its loss, and its penalty generalises best."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import cross_entropy

from tellapart.finetuning.linear_layer import fit_linear


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


def clouds(num_images, num_inputs, num_classes=3, *, noise=1.0, seed=0):
    """Features around a centre per class, on scales from 0.01 to 100, and labels."""
    random = drawn(seed)
    centres = torch.randn(num_classes, num_inputs, generator=drawn(99))
    labels = torch.randint(num_classes, (num_images,), generator=random)
    features = centres[labels] + noise * torch.randn(num_images, num_inputs, generator=random)
    return features * torch.logspace(-2, 2, num_inputs) + 5, labels


@pytest.mark.parametrize("shape", [(200, 20), (60, 150)], ids=["tall", "wide"])
@pytest.mark.parametrize("balanced", [False, True])
def test_the_layer_is_that_of_scikit_learn(shape, balanced):
    features, labels = clouds(*shape)
    counts = torch.bincount(labels)
    weights = len(labels) / (3 * counts) if balanced else torch.ones(3)
    fit = fit_linear([features], labels, weights.float(), drawn())
    mean, std = features.mean(0), features.std(0, unbiased=False)
    scaled = ((features - mean) / std).double()
    # scikit-learn adds the losses up where ours is their mean.
    oracle = LogisticRegression(
        C=1 / (fit.penalty * len(labels)), class_weight="balanced" if balanced else None,
        tol=1e-10, max_iter=5000,
    ).fit(scaled, labels)  # fmt: skip

    def loss(weight, bias):
        logits = scaled @ weight.double().T + bias.double()
        return float(
            cross_entropy(logits, labels, weights.double())
            + fit.penalty / 2 * weight.double().square().sum()
        )

    ours = loss(fit.weight * std, fit.bias + fit.weight @ mean)
    best = loss(torch.from_numpy(oracle.coef_), torch.from_numpy(oracle.intercept_))
    assert ours == pytest.approx(best, rel=1e-2, abs=1e-4)
    answers = (features @ fit.weight.T + fit.bias).argmax(1)
    assert np.mean(answers.numpy() == oracle.predict(scaled)) >= 0.99


def test_cross_validation_tells_how_it_does_on_others():
    features, labels = clouds(300, 40, noise=6.0)
    fit = fit_linear([features], labels, torch.ones(3), drawn())
    others, theirs = clouds(3000, 40, noise=6.0, seed=1)
    right = ((others @ fit.weight.T + fit.bias).argmax(1) == theirs).float()
    recalls = torch.stack([right[theirs == label].mean() for label in range(3)])
    assert fit.accuracy == pytest.approx(float(right.mean()), abs=0.06)
    assert fit.balanced_accuracy == pytest.approx(float(recalls.mean()), abs=0.06)


def test_noise_gets_a_stronger_penalty_than_what_is_plain():
    plain = fit_linear([clouds(300, 40, noise=0.5)[0]], clouds(300, 40)[1], torch.ones(3), drawn())
    noisy = fit_linear(*([f] if i == 0 else f for i, f in enumerate(clouds(300, 40, noise=20.0))),
                       torch.ones(3), drawn())  # fmt: skip
    assert plain.penalty < noisy.penalty


def test_another_view_is_fitted_and_never_validated():
    features, labels = clouds(60, 30, noise=3.0)
    alone = fit_linear([features], labels, torch.ones(3), drawn())
    same = fit_linear([features, features], labels, torch.ones(3), drawn())
    # Had a view been held out beside its own image, it would have been known by heart.
    assert same.accuracy == pytest.approx(alone.accuracy, abs=0.02)


def test_features_that_never_change_and_tiny_classes_do_no_harm():
    features, labels = clouds(40, 10)
    features[:, 3] = 7.0
    labels[:], labels[0], labels[1:3] = 2, 0, 1
    fit = fit_linear([features], labels, torch.ones(3), drawn())
    assert bool(fit.weight.isfinite().all())
    assert bool(fit.bias.isfinite().all())


def test_the_same_seed_gives_the_same_layer():
    features, labels = clouds(100, 20)
    one, two = (fit_linear([features], labels, torch.ones(3), drawn()) for _ in range(2))
    assert torch.equal(one.weight, two.weight)
