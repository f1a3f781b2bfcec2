"""Scores of images unlike the training images, against pytorch-ood and against plain loops."""

from __future__ import annotations

import sys

import pytest
import torch

from tellapart.trust.outside.scores import (
    NearestNeighbours,
    VirtualLogit,
    directions,
    energy_score,
    max_softmax_score,
)


@pytest.fixture
def features():
    return torch.randn(200, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def others():
    generator = torch.Generator().manual_seed(2)
    return 2 * torch.randn(60, 12, generator=generator, dtype=torch.float64) + 1


@pytest.fixture
def layer():
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(4, 12, generator=generator)
    return weight, torch.randn(4, generator=generator)


def logits_of(features, layer):
    weight, bias = layer
    return features @ weight.double().T + bias.double()


def agree(ours, theirs):
    torch.testing.assert_close(ours, theirs.double(), atol=1e-6, rtol=0)


def test_max_softmax_is_that_of_pytorch_ood(detectors, features, layer):
    logits = 5 * logits_of(features, layer)
    agree(max_softmax_score(logits), detectors.MaxSoftmax.score(logits))


def test_energy_is_that_of_pytorch_ood(detectors, features, layer):
    logits = 5 * logits_of(features, layer)
    agree(energy_score(logits), detectors.EnergyBased.score(logits))


@pytest.mark.parametrize("k", [1, 7, 200])
def test_nearest_neighbours_are_those_of_pytorch_ood(detectors, features, others, k):
    theirs = detectors.KNN(None, k=k).fit_features(features, torch.zeros(len(features)))
    ours = NearestNeighbours.fit(directions(features), k)
    for images in (others, features):
        agree(ours.score(directions(images)), theirs.predict_features(images))


@pytest.mark.parametrize("d", [1, 4, 11])
def test_virtual_logits_are_those_of_pytorch_ood(
    detectors, monkeypatch, features, others, layer, d
):
    # It converts everything to float32; that its formulas are the same shows in float64.
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    weight, bias = layer
    ours = VirtualLogit.fit(features, logits_of(features, layer), weight, bias, d)
    theirs = detectors.ViM(None, d, weight, bias).fit_features(features, None)
    for images in (others, features):
        agree(ours.score(images, logits_of(images, layer)), theirs.predict_features(images))


def test_the_oracle_leaves_no_stub_of_torchvision_behind(detectors):
    assert detectors.ViM
    assert not any(name.partition(".")[0] == "torchvision" for name in sys.modules)


def test_nearest_neighbours_by_a_loop(features, others):
    scores = NearestNeighbours.fit(features, 3).score(others)
    for image, score in zip(others, scores, strict=True):
        distances = sorted(float((image - other).norm()) for other in features)
        assert float(score) == pytest.approx(distances[2], abs=1e-9)


def test_a_training_image_is_at_distance_0(features):
    assert float(NearestNeighbours.fit(features, 1).score(features).max()) < 1e-6


def test_directions_have_length_1_and_zeros_stay(features):
    torch.testing.assert_close(directions(features).norm(dim=1), torch.ones(200).double())
    torch.testing.assert_close(directions(7 * features), directions(features))
    assert directions(torch.zeros(1, 3)).tolist() == [[0, 0, 0]]


def test_fewer_training_images_than_k_take_the_farthest(features, others):
    few = features[:3]
    torch.testing.assert_close(
        NearestNeighbours.fit(few, 10).score(others), NearestNeighbours.fit(few, 3).score(others)
    )


def test_the_virtual_logit_is_0_within_the_main_directions(features, layer):
    flat = features.clone()
    flat[:, 5:] = 0
    weight, bias = layer
    weight = weight.clone()
    weight[:, 5:] = 0
    # Features within 5 directions around an origin within them; a 6th leads out.
    inside = flat[:20]
    outside = inside.clone()
    outside[:, 6] = 1.0
    scorer = VirtualLogit.fit(features, logits_of(features, (weight, bias)), weight, bias, 5)
    scorer = VirtualLogit(scorer.origin, torch.eye(12).double()[:, :5], scorer.alpha)
    logits = logits_of(inside, (weight, bias))
    torch.testing.assert_close(scorer.score(inside, logits), energy_score(logits))
    virtual = scorer.score(outside, logits) - energy_score(logits)
    torch.testing.assert_close(virtual, torch.full((20,), scorer.alpha).double())


def test_an_output_layer_without_bias_has_its_origin_at_0(features, layer):
    weight, _ = layer
    logits = logits_of(features, (weight, torch.zeros(4)))
    with_zero = VirtualLogit.fit(features, logits, weight, torch.zeros(4), 6)
    without = VirtualLogit.fit(features, logits, weight, None, 6)
    assert without.origin.abs().max() == 0
    torch.testing.assert_close(without.score(features, logits), with_zero.score(features, logits))


def test_scores_rise_from_sure_to_unsure():
    logits = torch.tensor([[9.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    for score in (max_softmax_score(logits), energy_score(logits)):
        assert score.tolist() == sorted(score.tolist())
