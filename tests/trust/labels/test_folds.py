"""Folds: balanced, groups undivided, and classes that cannot be held out left alone."""

import torch

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.trust.labels.folds import ALWAYS_TRAINED_ON, NUM_FOLDS, folds_of, groups_of_train


def test_single_images_are_dealt_evenly_by_class():
    labels = torch.arange(1003) % 7
    folds = folds_of(labels, torch.arange(1003), seed=0)
    for label in range(7):
        counts = torch.bincount(folds[labels == label], minlength=NUM_FOLDS)
        assert int(counts.max() - counts.min()) <= 1
    assert torch.equal(folds, folds_of(labels, torch.arange(1003), seed=0))
    assert not torch.equal(folds, folds_of(labels, torch.arange(1003), seed=1))


def test_a_group_is_in_one_fold_and_every_class_is_left_to_learn_from():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (300,), generator=generator)
    groups = torch.randint(0, 40, (300,), generator=generator)
    folds = folds_of(labels, groups, seed=0)
    for group in range(40):
        assert len(set(folds[groups == group].tolist())) <= 1
    for fold in range(NUM_FOLDS):
        assert set(labels[folds != fold].tolist()) == {0, 1, 2, 3}


def test_classes_of_two_images_or_of_one_group_are_always_trained_on():
    labels = torch.tensor([0] * 20 + [1] * 20 + [2] * 2 + [3] * 6)
    groups = torch.arange(48)
    groups[42:] = 42
    folds = folds_of(labels, groups, seed=0)
    assert (folds[40:] == ALWAYS_TRAINED_ON).all()
    assert (folds[:40] >= 0).all()


def groups_with(near, names=None):
    count = len(near)
    part = ImageSet(
        torch.zeros(count, 1, 4, 4, dtype=torch.uint8), torch.arange(count) // 6, ("a", "b")
    )
    groups = {"train": tuple(names)} if names else {}
    data_set = DataSet(
        "mine", {"train": part}, "0", near_groups={"train": torch.tensor(near)}, groups=groups
    )
    return groups_of_train(data_set).tolist()


def test_near_duplicates_and_named_groups_are_joined():
    near = [0, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    found = groups_with(near, ["x", "", "x", *[""] * 9])
    assert found[0] == found[1] == found[2]
    assert len(set(found)) == 10


def test_a_class_of_near_duplicates_only_counts_image_by_image():
    found = groups_with([0] * 6 + [6, 7, 8, 9, 10, 11])
    assert len(set(found)) == 12
