"""Names of splits, alone and beside others."""

import pytest

from tellapart.data.images.split_names import split_named, splits_of_siblings


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Train", "train"), (" VAL ", "validation"), ("testing", "test"), ("dev", "validation"),
        ("training-set", "train"), ("TestImages", "test"), ("val2017", "validation"),
        ("验证集", "validation"), ("測試", "test"), ("train_data_dir", "train"),
        ("extra", None), ("steam train", None), ("train test", None), ("trainee", None),
        ("", None), ("训练测试", None), ("set", None),
    ],
)  # fmt: skip
def test_splits_by_name(name, split):
    assert split_named(name) == split


def test_siblings_that_differ_in_the_split_alone_are_splits():
    assert splits_of_siblings(["seg_train", "seg_test", "seg_pred", "other_train"]) == {
        "seg_train": "train", "seg_test": "test"
    }  # fmt: skip
    assert splits_of_siblings(["steam train", "freight train", "test"]) == {"test": "test"}
