"""Stratified splits: every class in both parts, the same from the same seed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.hold_out import stratified_split, stratified_validation
from tellapart.data.image_set import ImageSet
from tellapart.errors import ConfigError, DataError, ShapeError


def split(labels, fraction, seed=0):
    return stratified_split(labels, fraction, torch.Generator().manual_seed(seed))


@given(
    counts=st.lists(st.integers(2, 30), min_size=1, max_size=6),
    fraction=st.floats(0.001, 0.999),
    seed=st.integers(0, 1000),
)
def test_each_class_gives_its_share(counts, fraction, seed):
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]
    kept, held_out = split(labels, fraction, seed)
    assert torch.cat([kept, held_out]).sort().values.tolist() == list(range(len(labels)))
    assert kept.tolist() == sorted(kept.tolist())
    assert held_out.tolist() == sorted(held_out.tolist())
    for label, count in enumerate(counts):
        held = int((labels[held_out] == label).sum())
        assert held == min(max(round(fraction * count), 1), count - 1)


def test_the_same_seed_gives_the_same_split_and_another_another():
    labels = torch.arange(10).repeat(100)
    assert torch.equal(split(labels, 0.1, 5)[1], split(labels, 0.1, 5)[1])
    assert not torch.equal(split(labels, 0.1, 5)[1], split(labels, 0.1, 6)[1])


def test_the_choice_within_a_class_is_uniform():
    labels = torch.zeros(10, dtype=torch.int64)
    generator = torch.Generator().manual_seed(0)
    hits = torch.zeros(10)
    for _ in range(2000):
        hits[stratified_split(labels, 0.2, generator)[1]] += 1
    # 400 expected each, std sqrt(2000 * 0.2 * 0.8) = 18.
    assert hits.sum() == 4000
    assert (hits - 400).abs().max() < 90


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 10.0, float("nan")])
def test_refuses_a_share_outside_0_and_1(fraction):
    with pytest.raises(
        ConfigError, match=rf"must lie between 0 and 1, got {fraction}; for a tenth"
    ):
        split(torch.zeros(5, dtype=torch.int64), fraction)


@pytest.mark.parametrize("labels", [torch.zeros(5), torch.zeros(5, 1, dtype=torch.int64)])
def test_refuses_what_is_no_list_of_labels(labels):
    with pytest.raises(ShapeError, match=r"labels must be int64 \(pictures,\), got"):
        split(labels, 0.5)


def test_refuses_a_class_that_cannot_be_split():
    with pytest.raises(DataError, match=r"at least 2 pictures.*class '1' has 1, '2' has 0: add"):
        split(torch.tensor([0, 0, 1, 3, 3]), 0.5)


def image_set(labels, class_names):
    images = torch.arange(len(labels), dtype=torch.uint8).reshape(-1, 1, 1, 1)
    return ImageSet(images, torch.tensor(labels), class_names)


def test_validation_keeps_pictures_with_their_labels():
    train = image_set([0, 1] * 50, ("ant", "bee"))
    rest, validation = stratified_validation(train, 0.2, seed=1)
    assert rest.class_counts() == (40, 40)
    assert validation.class_counts() == (10, 10)
    for part in (rest, validation):
        assert torch.equal(part.images.flatten().long() % 2, part.labels)
        assert part.class_names == ("ant", "bee")
    together = torch.cat([rest.images, validation.images]).flatten()
    assert together.sort().values.tolist() == list(range(100))


def test_validation_names_the_class_that_is_too_small():
    train = image_set([0, 0, 1], ("ant", "bee", "wasp"))
    with pytest.raises(DataError, match="class 'bee' has 1, 'wasp' has 0: add pictures"):
        stratified_validation(train, 0.5, seed=0)
