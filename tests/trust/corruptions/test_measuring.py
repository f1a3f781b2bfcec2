"""The accuracy on corrupted images: counts, means and their intervals."""

from __future__ import annotations

import json

import pytest
import torch

from tellapart.data.sets.sources import load_data_set
from tellapart.evaluation.metrics import wilson_interval
from tellapart.trust.corruptions.measuring import mean_over_images, measure_corrupted


def test_what_is_answered_is_counted():
    digits = load_data_set("mnist-sample").split("test")
    images, labels = digits.images[::40], digits.labels[::40]
    seen = []

    def by_brightness(shown: torch.Tensor) -> torch.Tensor:
        """Right as long as the image is about as dark as digits are."""
        dark = shown.float().mean((1, 2, 3)) < 90
        return torch.where(dark, labels, (labels + 1) % 10)

    result = measure_corrupted(
        images, labels, by_brightness, "drawings", on_progress=lambda done, _: seen.append(done)
    )
    assert seen == list(range(1, 76))
    assert result.num_correct == len(images) == 25
    by_name = {kind.name: kind for kind in result.kinds}
    assert by_name["scale"].num_correct == (25,) * 5
    assert by_name["brightness"].num_correct[4] == 0
    assert result.weakest.accuracy < 0.7
    assert result.accuracy == pytest.approx(sum(k.accuracy for k in result.kinds) / 15)
    low, high = result.accuracy_interval
    assert low < result.accuracy < high
    content = result.to_json()
    assert json.dumps(content, allow_nan=False)
    assert content["mean_error"] == pytest.approx(1 - content["mean_accuracy"])
    assert [len(kind["accuracy"]) for kind in content["kinds"]] == [5] * 15


def test_one_condition_has_wilsons_interval():
    correct = torch.tensor([[1.0] * 8 + [0.0] * 2])
    mean, interval = mean_over_images(correct)
    assert mean == pytest.approx(0.8)
    assert interval == pytest.approx(wilson_interval(8, 10))


def test_conditions_that_agree_are_no_more_than_one():
    one = torch.tensor([[1.0] * 8 + [0.0] * 2])
    assert mean_over_images(one.expand(75, -1))[1] == pytest.approx(mean_over_images(one)[1])


def test_the_interval_holds_the_mean_as_often_as_it_promises():
    generator = torch.Generator().manual_seed(0)
    held = 0
    for _ in range(400):
        chance = torch.rand(100, generator=generator) ** 0.25  # of an image; 0.8 on average
        correct = (torch.rand(30, 100, generator=generator) < chance).double()
        low, high = mean_over_images(correct)[1]
        held += low <= 0.8 <= high
    assert 0.92 <= held / 400 <= 0.98
