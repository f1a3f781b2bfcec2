"""Stratified splits: every class in both parts, the same from the same seed."""

import hashlib
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.hold_out.division import divide
from tellapart.data.hold_out.stratified import hold_out, stratified_split
from tellapart.data.preparation import Preparation
from tellapart.errors import ConfigError, DataError, ShapeError


def split(labels, fraction, seed=0):
    return stratified_split(labels, fraction, torch.Generator().manual_seed(seed))


@given(
    counts=st.lists(st.integers(2, 30), min_size=1, max_size=6),
    fraction=st.floats(0.001, 0.999),
    seed=st.integers(0, 1000),
)
def test_each_class_gives_its_fraction(counts, fraction, seed):
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
def test_refuses_a_fraction_outside_0_and_1(fraction):
    with pytest.raises(
        ConfigError, match=rf"must lie between 0 and 1, got {fraction}; for a tenth"
    ):
        split(torch.zeros(5, dtype=torch.int64), fraction)


@pytest.mark.parametrize("labels", [torch.zeros(5), torch.zeros(5, 1, dtype=torch.int64)])
def test_refuses_what_is_no_list_of_labels(labels):
    with pytest.raises(ShapeError, match=r"labels must be int64 \(images,\), got"):
        split(labels, 0.5)


def test_refuses_a_class_that_cannot_be_split():
    with pytest.raises(DataError, match=r"at least 2 images.*class '1' has 1, '2' has 0: add"):
        split(torch.tensor([0, 0, 1, 3, 3]), 0.5)


ALONE = torch.arange(100)


def test_a_group_stays_on_one_side_and_a_large_one_in_train():
    labels, groups = torch.arange(100) % 2, torch.arange(100)
    groups[:60] = 0
    groups[[70, 72, 74]] = 70
    for seed in range(20):
        kept, held_out = hold_out(labels, groups, 0.2, seed)
        assert set(range(60)) <= set(kept.tolist())
        assert len({70, 72, 74} & set(held_out.tolist())) in (0, 3)


def test_both_splits_are_cut_out_of_train_as_parts_of_the_whole():
    labels = torch.arange(100) % 2
    asked = Preparation(test_fraction=0.2, validation_fraction=0.1)
    division = divide(labels, ("ant", "bee"), ALONE, ["train"], asked)
    assert {split: len(i) for split, i in division.indices.items()} == {
        "train": 70, "test": 20, "validation": 10
    }  # fmt: skip
    assert torch.cat(list(division.indices.values())).sort().values.tolist() == list(range(100))
    for indices in division.indices.values():
        assert torch.bincount(labels[indices]).unique().numel() == 1
    again = divide(labels, ("ant", "bee"), ALONE, ["train"], replace(asked, seed=1))
    assert not torch.equal(again.indices["test"], division.indices["test"])


def test_a_split_that_is_given_is_used_and_the_fraction_said_to_do_nothing():
    asked = Preparation(test_fraction=0.2, validation_fraction=0.1)
    given = ["train", "validation", "test"]
    division = divide(torch.arange(100) % 2, ("ant", "bee"), ALONE, given, asked)
    assert list(division.indices) == ["train"]
    (note,) = division.notes
    assert "data.validation_fraction" in note


def test_a_class_of_look_alikes_is_divided_one_by_one_and_named():
    labels, groups = torch.arange(100) % 2, torch.arange(100)
    groups[labels == 1] = 1
    division = divide(labels, ("ant", "bee"), groups, ["train"], Preparation())
    assert torch.bincount(labels[division.indices["test"]]).tolist() == [10, 10]
    assert any("'bee'" in n and "data.near_duplicates=ignore" in n for n in division.notes)


def test_the_class_that_is_too_small_is_named():
    labels = torch.tensor([0, 0, 1])
    with pytest.raises(DataError, match="class 'bee' has 1: add images"):
        divide(labels, ("ant", "bee"), torch.arange(3), ["train"], Preparation())


# SHA-256 of the splits and their indices, as they were before there were groups.
RECORDED = {
    (0, "together"): "6d4316396befefbd",
    (0, "ignore"): "25aca789158ce5ae",
    (7, "together"): "0b5f665dfb8cf6ae",
    (7, "ignore"): "a212d90cf0d140b2",
}


@pytest.mark.parametrize(("seed", "near"), RECORDED)
def test_data_without_groups_is_divided_as_it_ever_was(seed, near):
    labels = torch.randint(0, 4, (240,), generator=torch.Generator().manual_seed(seed))
    alike = torch.arange(240)
    for start in range(0, 120, 6):
        alike[start : start + 2 + start % 4] = start
    asked = Preparation(test_fraction=0.2, validation_fraction=0.1, seed=seed, near_duplicates=near)
    division = divide(labels, tuple("abcd"), alike, ["train"], asked)
    digest = hashlib.sha256()
    for name, indices in division.indices.items():
        digest.update(name.encode() + indices.numpy().tobytes())
    assert digest.hexdigest()[:16] == RECORDED[seed, near]
