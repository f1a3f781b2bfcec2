"""What folders mean by their names: classes, splits, or neither."""

import pytest

from tellapart.data.sets.layout import Branch, find_layout, find_wrapper


def tree(*folders):
    root = Branch()
    for folder in folders:
        root.reach(tuple(folder.split("/"))).num_images += 1
    return root


def homes(*folders):
    """Class and split of each folder."""
    layout = find_layout(tree(*folders), "DATA")
    return [layout.home(tuple(folder.split("/"))) for folder in folders]


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("training_set/training_set", "test_set/test_set"),
        ("训练集", "测试集"),
        ("Training", "Testing"),
        ("train2017", "test2017"),
        ("train_images/images", "test-images/images"),
        ("asl_alphabet_train/asl_alphabet_train", "asl_alphabet_test/asl_alphabet_test"),
        ("trainingset", "TestData"),
    ],
)
def test_split_folders_by_their_many_names(train, test):
    folders = [f"{train}/cat", f"{train}/dog/deep", f"{test}/cat", f"{test}/dog"]
    assert homes(*folders) == [
        ("cat", "train"), ("dog", "train"), ("cat", "test"), ("dog", "test")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [
        ("car", "bus", "train"),
        ("train", "car", "test"),
        ("steam train", "freight train"),
        ("test tube", "flask"),
        ("valid", "invalid"),
        ("trainers", "boots"),
    ],
)
def test_classes_that_only_sound_like_splits(names):
    assert homes(*names) == [(name, None) for name in names]


def test_unlabelled_images_of_a_split_have_no_class():
    assert homes("train/cat", "train/dog", "test/test", "seg_pred") == [
        ("cat", "train"),
        ("dog", "train"),
        "lies in no folder of a class",
        "lies beside the folders of the splits",
    ]


def test_equal_sub_folders_that_are_few_do_not_make_classes_of_themselves():
    tiny_image_net = ["train/n01/images", "train/n02/images"]
    assert homes(*tiny_image_net) == [("n01", "train"), ("n02", "train")]
    years = ["cat/2019", "cat/2020", "dog/2021", "dog/2020"]
    assert {home[0] for home in homes(*years)} == {"cat", "dog"}


@pytest.mark.parametrize(
    ("folders", "way"),
    [
        (["cat", "dog"], ()),
        (["archive/cat", "archive/dog"], ("archive",)),
        (["a/b/cat", "a/b/dog"], ("a", "b")),
        (["archive/train/cat", "archive/train/dog"], ("archive",)),
        (["archive/train/cat", "archive/test/cat"], ("archive",)),
        (["train/cat", "train/dog"], ()),
        (["cat"], ()),
        (["cat/deep", "cat"], ()),
    ],
)
def test_the_way_down_a_wrapper(folders, way):
    assert find_wrapper(tree(*folders)) == way
