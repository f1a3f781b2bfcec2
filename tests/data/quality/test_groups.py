"""Groups in more than one split: a leak, with the groups and how many images are where."""

import torch

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.quality.audit import audit
from tellapart.data.quality.groups import group_leaks


def data_set(**groups):
    generator = torch.Generator().manual_seed(0)

    def part(count):
        images = torch.randint(0, 256, (count, 1, 20, 20), generator=generator, dtype=torch.uint8)
        return ImageSet(images, torch.arange(count) % 2, ("a", "b"))

    splits = {split: part(len(names)) for split, names in groups.items()}
    return DataSet("set", splits, "0", groups=groups)


def test_groups_that_lie_in_one_split_each_are_no_leak():
    made = data_set(train=("1", "1", "", "2"), test=("3", "", ""))
    assert not list(group_leaks(made))
    assert not audit(made).has_leaks


def test_a_divided_group_is_named_with_its_counts_and_the_remedy():
    made = data_set(train=("1", "2", "", "1"), validation=("2", "4"), test=("1", "3", ""))
    (finding,) = group_leaks(made)
    assert (finding.kind, finding.severity) == ("group-leak", "leak")
    assert "2 of the 4 groups" in finding.message
    assert "'1' (2 in train, 1 in test)" in finding.message
    assert "'2' (1 in train, 1 in validation)" in finding.message
    assert "one split" in finding.message
    places = [[(image.split, image.index) for image in group] for group in finding.groups]
    assert places == [
        [("train", 0), ("train", 3), ("test", 0)],
        [("train", 1), ("validation", 0)],
    ]
    assert audit(made).has_leaks


def test_of_many_groups_five_are_named():
    names = tuple(map(str, range(9)))
    (finding,) = group_leaks(data_set(train=names, test=names))
    assert "'4' (1 in train, 1 in test) and 4 more" in finding.message
    assert "'5'" not in finding.message
    assert len(finding.groups) == 9
