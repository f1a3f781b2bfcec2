"""The kind of a mistake follows from figures that are rare among reference images."""

import pytest
import torch

from tellapart.explanation.kinds import ALIKE, LABEL, OTHER, UNLIKE, USUAL, Reference, kind_of
from tellapart.explanation.neighbours import Neighbours

REFERENCE = Reference(
    "train",
    distances=torch.linspace(0.1, 0.5, 400),
    ratios=torch.linspace(1.5, 9, 400),
    probabilities=torch.linspace(0.8, 1, 400),
    labels=torch.zeros(400, dtype=torch.int64),
)


def kind(distance=0.2, to_answer=0.1, to_other=0.4, agreeing=10, probability=0.97, truth=True):
    labels = torch.tensor([0] * agreeing + [1] * (10 - agreeing))
    return kind_of(
        REFERENCE,
        names=("seven", "one"),
        answer=0,
        is_truth=truth,
        probability=probability,
        neighbour_labels=labels,
        distance=distance,
        to_answer=to_answer,
        to_other=to_other,
    )


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({}, LABEL),
        ({"truth": False}, USUAL),
        ({"agreeing": 9}, OTHER),
        ({"probability": 0.81}, OTHER),
        ({"distance": 0.6}, UNLIKE),
        ({"distance": 0.6, "truth": False}, UNLIKE),
        ({"distance": 0.49}, LABEL),
        ({"to_other": 0.12}, ALIKE),
        ({"to_other": 0.05, "truth": False}, ALIKE),
        ({"distance": 0.498, "to_other": 0.1}, ALIKE),
        ({"distance": 0.6, "to_other": 0.151}, UNLIKE),
    ],
)
def test_the_kind_is_what_is_rare(figures, expected):
    found = kind(**figures)
    assert found.name == expected
    assert found.to_json()["kind"] == expected


def test_p_values_count_reference_images_at_least_as_extreme():
    found = kind(distance=0.5, to_other=0.15)
    assert found.distance_p == pytest.approx(2 / 401)
    assert found.class_ratio_p == pytest.approx((1 + int((REFERENCE.ratios <= 1.5).sum())) / 401)


def test_the_reason_names_classes_and_figures():
    assert "10 of its 10" in kind().because
    assert "97.0 %" in kind().because
    assert "0.60" in kind(distance=0.6).because
    alike = kind(to_other=0.12).because
    assert "seven" in alike
    assert "one is 0.12" in alike


def test_neighbours_equal_a_plain_search_and_leave_themselves_out():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(600, 5, generator=generator)
    labels = torch.randint(3, (600,), generator=generator)
    unit = torch.nn.functional.normalize(features)
    own = torch.arange(0, 600, 2)
    found = Neighbours(features, labels, 4).find(features[own], 3, own)
    for row, index in enumerate(own[:20].tolist()):
        distances = (unit - unit[index]).norm(dim=1)
        distances[index] = torch.inf
        assert found.indices[row].tolist() == distances.argsort()[:3].tolist()
        torch.testing.assert_close(
            found.distances[row], distances.sort().values[:3], rtol=1e-3, atol=1e-4
        )
        for label in range(3):
            assert float(found.to_classes[row, label]) == pytest.approx(
                float(distances[labels == label].min()), abs=1e-3
            )
        assert found.to_classes[row, 3] == torch.inf


def test_no_more_neighbours_than_there_are_others():
    features = torch.eye(3)
    neighbours = Neighbours(features, torch.tensor([0, 1, 1]), 2)
    assert neighbours.find(features[:1], 10).indices.shape == (1, 3)
    assert neighbours.find(features[:1], 10, torch.tensor([0])).indices.shape == (1, 2)
