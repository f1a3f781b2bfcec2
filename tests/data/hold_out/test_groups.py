"""Groups of images: never divided, and the fractions of every class close to the wanted ones."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.hold_out import groups as groups_module
from tellapart.data.hold_out.division import divide
from tellapart.data.hold_out.groups import hold_out_groups, joined_groups, separable_groups
from tellapart.data.preparation import Preparation
from tellapart.errors import DataError

BOTH = Preparation(test_fraction=0.2, validation_fraction=0.1)


def grouped(num_groups, seed, num_classes=3, largest=40):
    """Labels and groups of very different sizes; every group holds images of several classes."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(4, largest, (num_groups,), generator=generator)
    groups = torch.arange(num_groups).repeat_interleave(sizes)
    labels = torch.randint(0, num_classes, (len(groups),), generator=generator)
    labels[:num_classes] = torch.arange(num_classes)
    order = torch.randperm(len(groups), generator=generator)
    return labels[order], groups[order]


def names(labels):
    return [f"class-{number}" for number in range(int(labels.max()) + 1)]


def split_of_each(indices, count):
    splits = torch.full((count,), -1)
    for number, part in enumerate(indices.values()):
        splits[part] = number
    return splits


@given(
    num_groups=st.integers(5, 30),
    seed=st.integers(0, 2**32),
    num_near=st.integers(0, 6),
    near=st.sampled_from(["together", "ignore"]),
    wanted=st.tuples(st.floats(0.05, 0.5), st.floats(0, 0.4)),
)
def test_no_group_is_ever_divided(num_groups, seed, num_near, near, wanted):
    labels, groups = grouped(num_groups, seed)
    alike = torch.arange(len(labels))
    pairs = torch.randint(
        0, len(labels), (num_near, 2), generator=torch.Generator().manual_seed(seed)
    )
    for one, other in pairs.tolist():
        alike[alike == alike[other]] = alike[one].clone()
    asked = Preparation(
        test_fraction=wanted[0],
        validation_fraction=wanted[1],
        seed=seed % 1000,
        near_duplicates=near,
    )
    try:
        division = divide(labels, names(labels), alike, [], asked, groups)
    except DataError as error:  # of few groups near duplicates may leave too few
        assert "groups" in str(error)  # noqa: PT017
        return
    splits = split_of_each(division.indices, len(labels))
    assert splits.min() == 0
    for group in groups.unique():
        assert len(splits[groups == group].unique()) == 1
    for label in labels.unique():
        assert len(splits[labels == label].unique()) == len(division.indices)
    if near == "together" and not any("look alike" in note for note in division.notes):
        for number in alike.unique():
            assert len(splits[alike == number].unique()) == 1


@pytest.mark.parametrize("seed", range(5))
def test_each_class_gives_about_its_fraction_however_unequal_the_groups(seed):
    labels, groups = grouped(60, seed, largest=120)
    division = divide(labels, names(labels), torch.arange(len(labels)), [], BOTH, groups)
    for split, fraction in {"test": 0.2, "validation": 0.1}.items():
        held = torch.bincount(labels[division.indices[split]]) / torch.bincount(labels)
        assert (held - fraction).abs().max() < 0.02


def test_groups_of_one_image_give_the_exact_fraction():
    labels = torch.arange(200) % 2
    kept, held = hold_out_groups(labels, torch.arange(200), ("ant", "bee"), 0.2, 0)
    assert torch.bincount(labels[held]).tolist() == [20, 20]
    assert torch.cat([kept, held]).sort().values.tolist() == list(range(200))
    assert held.tolist() == sorted(held.tolist())


def test_the_seed_decides_the_groups():
    labels, groups = grouped(40, 1)
    alone = torch.arange(len(labels))

    def tested(seed):
        asked = replace(BOTH, seed=seed)
        return divide(labels, names(labels), alone, [], asked, groups).indices["test"].tolist()

    assert tested(3) == tested(3)
    assert tested(3) != tested(4)


def test_few_groups_are_divided_in_several_ways_by_several_seeds():
    labels, groups = grouped(10, 5)
    tested = {
        tuple(
            groups[hold_out_groups(labels, groups, names(labels), 0.2, seed)[1]].unique().tolist()
        )
        for seed in range(10)
    }
    assert len(tested) > 5


def test_a_group_that_is_too_large_stays_in_train():
    labels = torch.arange(200) % 2
    groups = torch.cat([torch.zeros(150), torch.arange(1, 51)]).long()
    for seed in range(10):
        kept, _ = hold_out_groups(labels, groups, ("ant", "bee"), 0.2, seed)
        assert set(range(150)) <= set(kept.tolist())


def test_it_stays_there_in_the_first_order_that_is_tried(monkeypatch):
    monkeypatch.setattr(groups_module, "_NUM_LOOKED_AT", 1)
    labels = torch.zeros(100, dtype=torch.int64)
    groups = (torch.arange(100) - 94).clamp(min=0)
    for seed in range(20):
        _, held = hold_out_groups(labels, groups, ("ant",), 0.02, seed)
        assert len(held) == 2


def test_near_duplicates_join_groups_unless_they_are_ignored():
    near, own = torch.tensor([0, 1, 2, 1, 4, 5]), torch.tensor([7, 7, 8, 8, 9, 9])
    assert joined_groups(near, own).tolist() == [0, 0, 0, 0, 4, 4]
    labels, groups = torch.arange(40) % 2, torch.arange(40) // 4
    alike = torch.arange(40)
    alike[4] = alike[0]  # the first two groups have an image in common
    together = set()
    for seed in range(20):
        asked = Preparation(seed=seed)
        for way in ("together", "ignore"):
            asked = replace(asked, near_duplicates=way)
            division = divide(labels, ("ant", "bee"), alike, [], asked, groups)
            splits = split_of_each(division.indices, 40)
            together.add((way, bool(splits[0] == splits[4])))
    assert together == {("together", True), ("ignore", True), ("ignore", False)}


def test_groups_that_all_look_alike_are_divided_group_by_group_and_named():
    labels, groups = torch.arange(40) % 2, torch.arange(40) // 4
    division = divide(labels, ("ant", "bee"), torch.zeros(40).long(), [], BOTH, groups)
    splits = split_of_each(division.indices, 40)
    assert all(len(splits[groups == group].unique()) == 1 for group in range(10))
    assert any("'ant'" in n and "data.near_duplicates=ignore" in n for n in division.notes)


def test_links_are_dropped_only_where_a_class_needs_it():
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    near, own = torch.tensor([0, 0, 0, 3, 3, 5]), torch.arange(6)
    groups, alike = separable_groups(labels, near, own, ("ant", "bee"), "test")
    assert alike == ["ant"]
    assert [int((groups == group).sum()) for group in groups] == [1, 1, 1, 2, 2, 1]


def test_a_class_of_one_group_is_refused_with_its_name_number_and_remedy():
    labels, groups = torch.tensor([0, 0, 0, 0, 1, 1]), torch.tensor([0, 0, 1, 1, 2, 2])
    with pytest.raises(DataError, match=r"'bee' has 1: add .*data.test_fraction=0"):
        divide(labels, ("ant", "bee"), torch.arange(6), [], Preparation(), groups)
    # Two groups are enough for a test split, and not for both.
    labels, groups = torch.arange(12) % 2, torch.arange(12) // 6
    divide(labels, ("ant", "bee"), torch.arange(12), [], Preparation(), groups)
    with pytest.raises(DataError, match=r"'ant' has 1, 'bee' has 1: .*data.validation_fraction=0"):
        divide(labels, ("ant", "bee"), torch.arange(12), [], BOTH, groups)


def test_what_is_held_out_next_is_left_its_groups():
    # One large group a class and two small ones: both small ones are closest to what is wanted.
    labels = torch.arange(2).repeat_interleave(100)
    groups = (torch.arange(100).clamp(max=12) // 6 + torch.tensor([[0], [10]])).flatten()
    for seed in range(10):
        asked = replace(BOTH, seed=seed)
        division = divide(labels, ("ant", "bee"), torch.arange(200), [], asked, groups)
        assert {name: len(part) for name, part in division.indices.items()} == {
            "train": 176, "test": 12, "validation": 12
        }  # fmt: skip


def test_groups_that_share_classes_in_a_circle_are_refused_by_name():
    # Of each two of three groups one must be held out and one stay: for three that cannot be.
    labels, groups = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([0, 1, 1, 2, 2, 0])
    with pytest.raises(DataError, match=r"class '\w+' in 2 groups: add"):
        hold_out_groups(labels, groups, ("ant", "bee", "cat"), 0.3, 0)


def test_the_note_names_the_fraction_reached():
    labels = torch.arange(100) % 2
    division = divide(
        labels, ("ant", "bee"), torch.arange(100), [], Preparation(), torch.arange(100) // 30
    )
    (note,) = division.notes
    reached = len(division.indices["test"])
    assert "20%" in note
    assert f"{reached}.0 %" in note
    assert "data.split_seed 0" in note
