"""Some classes, and a few images of each: nothing else is lost, mixed up or drawn twice."""

from dataclasses import replace

import pytest
import torch

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.selection import few_shots, select_classes
from tellapart.errors import DataError

NAMES = ("ant", "bee", "cat", "dog")


def pictures(labels):
    """Each picture's one pixel is its number, so that it can be recognised."""
    numbers = torch.arange(len(labels), dtype=torch.uint8)
    return ImageSet(numbers.view(-1, 1, 1, 1), torch.tensor(labels), NAMES)


@pytest.fixture
def data_set():
    splits = {"train": pictures([3, 0, 1, 2, 0, 3]), "test": pictures([1, 3, 2])}
    return DataSet("zoo", splits, fingerprint="f" * 64, notes=("made up",))


def test_classes_keep_their_images_and_the_order_of_the_data(data_set):
    chosen = select_classes(data_set, ["dog", "ant"])
    train, test = chosen.split("train"), chosen.split("test")
    assert chosen.class_names == train.class_names == test.class_names == ("ant", "dog")
    assert train.images.flatten().tolist() == [0, 1, 4, 5]
    assert train.labels.tolist() == [1, 0, 0, 1]
    assert (test.images.flatten().tolist(), test.labels.tolist()) == ([1], [1])
    assert chosen.notes == ("made up", "2 of 4 classes are taken: ant, dog.")
    assert chosen.fingerprint == data_set.fingerprint


def test_groups_stay_with_their_images(data_set):
    groups = {"train": ("1", "2", "3", "4", "", "6"), "test": ("7", "8", "9")}
    chosen = select_classes(replace(data_set, groups=groups), ["dog", "ant"])
    assert chosen.groups == {"train": ("1", "2", "", "6"), "test": ("8",)}


def test_no_names_take_all(data_set):
    assert select_classes(data_set, ()) is data_set


@pytest.mark.parametrize(
    ("name", "hint"), [("cta", "did you mean 'cat'?"), ("7", "it has: ant, bee, cat, dog")]
)
def test_an_unknown_class_is_refused(data_set, name, hint):
    with pytest.raises(DataError) as raised:
        select_classes(data_set, ["ant", name])
    assert str(raised.value) == f"zoo has no class {name!r} (data.classes); {hint}"


def test_shots_are_so_many_of_each_class_and_in_order():
    train = pictures([label for label in range(4) for _ in range(20)])
    drawn = few_shots(train, 3, seed=1)
    assert drawn.class_counts() == (3, 3, 3, 3)
    numbers = drawn.images.flatten().long()
    assert numbers.tolist() == sorted(set(numbers.tolist()))
    assert torch.equal(train.labels[numbers], drawn.labels)


def test_the_seed_decides_the_shots_and_more_shots_hold_the_fewer():
    train = pictures([label for label in range(4) for _ in range(20)])

    def numbers(shots, seed):
        return set(few_shots(train, shots, seed).images.flatten().tolist())

    assert numbers(3, 1) == numbers(3, 1)
    assert numbers(3, 1) != numbers(3, 2)
    assert numbers(2, 1) < numbers(3, 1) < numbers(20, 1)
    assert len(numbers(20, 1)) == 80


def test_more_shots_than_images_are_refused():
    with pytest.raises(DataError) as raised:
        few_shots(pictures([0, 0, 1, 2, 2, 2, 3, 3]), 2, seed=0)
    assert str(raised.value) == (
        "2 shots ask for 2 training images a class, and class 'bee' has 1; "
        "set data.shots to at most that"
    )
