"""Repeats and leaks: which images, in which splits, under which names."""

import pytest
import torch

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.quality.duplicates import count_equal_images, count_shared_images, repeats

CLASSES = ("a", "b")


def pictures(count, seed):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(0, 256, (count, 3, 6, 6), dtype=torch.uint8, generator=generator)
    return coarse.repeat_interleave(12, 2).repeat_interleave(12, 3)


def image_set(images, labels):
    return ImageSet(images, torch.tensor(labels), CLASSES)


def data_set(**splits):
    return DataSet("set", splits, "0")


def found(made):
    return {finding.kind: finding for finding in repeats(made)}


def places(finding):
    return [[(p.split, p.index) for p in group] for group in finding.groups]


def test_nothing_is_found_where_nothing_is():
    made = data_set(
        train=image_set(pictures(8, 0), [0, 1] * 4), test=image_set(pictures(4, 1), [0] * 4)
    )
    assert found(made) == {}


def test_equal_and_nearly_equal_images_across_splits_are_leaks():
    train, test = pictures(4, 0), pictures(4, 1)
    test[1] = train[2]
    test[3] = (train[0].float() * 0.97).to(torch.uint8)
    findings = found(data_set(train=image_set(train, [0] * 4), test=image_set(test, [0] * 4)))
    exact = findings["exact duplicates across splits"]
    assert exact.severity == "leak"
    assert exact.message.startswith("1 of the 4 images of test are in train too")
    assert places(exact) == [[("train", 2), ("test", 1)]]
    near = findings["near duplicates across splits"]
    assert near.severity == "leak"
    assert places(near) == [[("train", 0), ("test", 3)]]
    assert set(findings) == {exact.kind, near.kind}


def test_repeats_within_a_split_are_faults_in_one_group():
    train = pictures(5, 0)
    train[1] = train[3] = train[0]
    (finding,) = repeats(data_set(train=image_set(train, [0] * 5)))
    assert (finding.kind, finding.severity) == ("exact duplicates within a split", "fault")
    assert places(finding) == [[("train", 0), ("train", 1), ("train", 3)]]
    assert finding.message.startswith("3 images (in 1 group) are there more than once")


def test_one_image_of_two_classes_is_a_contradiction():
    train = pictures(3, 0)
    train[2] = train[0]
    findings = found(data_set(train=image_set(train, [0, 1, 1])))
    assert [p.class_name for p in findings["contradiction"].groups[0]] == ["a", "b"]


@pytest.mark.parametrize("contiguous", [True, False])
def test_splits_of_one_tensor_are_found_at_their_place(contiguous):
    whole = pictures(6, 0)
    whole[5] = whole[1]
    first, second = whole[:4], whole[4:]
    if not contiguous:
        second = second.clone()
    made = data_set(train=image_set(first, [0] * 4), test=image_set(second, [0] * 2))
    (finding,) = repeats(made)
    assert places(finding) == [[("train", 1), ("test", 1)]]


def test_shared_images_are_counted_byte_for_byte():
    train, test = pictures(4, 0), pictures(4, 1)
    test[:2] = train[:2]
    assert count_equal_images(image_set(test, [0] * 4), image_set(train, [0] * 4)) == 2
    smaller = image_set(test[..., :10], [0] * 4)
    assert count_equal_images(smaller, image_set(train, [0] * 4)) == 0


def test_faint_images_are_found_and_counted_as_by_the_findings():
    masks = torch.randint(0, 2, (8, 1, 28, 28), dtype=torch.uint8)
    made = data_set(train=image_set(masks, [0, 1] * 4), test=image_set(masks[2:5], [0, 1, 0]))
    assert count_shared_images(made) == {("test", "train"): 3}
    exact = found(made)["exact duplicates across splits"]
    assert exact.message.startswith("3 of the 3 images of test")
    assert len(exact.groups) == 3


def test_findings_across_splits_add_up_to_what_is_counted():
    train, test = pictures(4, 0), pictures(4, 1)
    test[1] = train[2]
    test[2] = (train[2].float() * 0.97).to(torch.uint8)
    made = data_set(train=image_set(train, [0] * 4), test=image_set(test, [0] * 4))
    across = [f for kind, f in found(made).items() if "across" in kind]
    assert [finding.message[0] for finding in across] == ["1", "1"]
    assert count_shared_images(made) == {("test", "train"): 2}
