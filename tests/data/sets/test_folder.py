"""Which sub-folder is a class, which a split, and what is said of everything else."""

import os
import unicodedata
from pathlib import Path

import pytest

from tellapart.data.sets.folder import list_folder
from tellapart.errors import DataError


@pytest.fixture
def tree(tmp_path):
    def grow(*names):
        for name in names:
            path = tmp_path / "data" / name
            if name.endswith("/"):
                path.mkdir(parents=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        return tmp_path / "data"

    return grow


def listed(folder):
    listing = list_folder(folder)
    return [
        (file.path.relative_to(folder).as_posix(), file.class_name, file.split)
        for file in listing.files
    ]


def test_a_folder_is_a_class_and_pictures_may_lie_deeper(tree):
    folder = tree("dog/a.jpg", "cat/b.PNG", "cat/more/deep/c.webp")
    assert listed(folder) == [
        ("cat/b.PNG", "cat", None),
        ("cat/more/deep/c.webp", "cat", None),
        ("dog/a.jpg", "dog", None),
    ]


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "Val"])
def test_splits_by_their_usual_names(tree, validation):
    folder = tree("train/cat/a.jpg", f"{validation}/cat/b.jpg", "test/cat/c.jpg")
    assert sorted(split for _, _, split in listed(folder)) == ["test", "train", "validation"]
    assert {name for _, name, _ in listed(folder)} == {"cat"}


def test_among_vehicles_train_is_a_class(tree):
    folder = tree("train/a.jpg", "car/b.jpg", "test/c.jpg")
    assert [(name, split) for _, name, split in listed(folder)] == [
        ("car", None), ("test", None), ("train", None)
    ]  # fmt: skip


def test_a_loose_picture_makes_no_class_of_train(tree):
    listing = list_folder(tree("train/a.jpg", "train/cat/b.jpg", "val/cat/c.jpg"))
    assert [(f.class_name, f.split) for f in listing.files] == [
        ("cat", "train"), ("cat", "validation")
    ]  # fmt: skip
    assert [item.path.name for item in listing.left_out] == ["a.jpg"]


def test_everything_else_is_left_out_and_named(tree):
    system = (".DS_Store", "cat/Thumbs.db", "__MACOSX/cat/a.jpg")
    folder = tree(*system, "cat/a.jpg", "cat/notes.txt", "loose.png")
    listing = list_folder(folder)
    found = {(item.path.relative_to(folder).as_posix(), item.kind) for item in listing.left_out}
    assert found == {
        (".DS_Store", "system file"),
        ("cat/Thumbs.db", "system file"),
        ("__MACOSX", "system file"),
        ("cat/notes.txt", "not a picture by its name"),
        ("loose.png", "without a class"),
    }


def test_what_lies_beside_splits_has_no_class(tree):
    folder = tree("train/cat/a.jpg", "extra/cat/b.jpg", "train/dog/c.jpg", "test/d.jpg")
    listing = list_folder(folder)
    assert [(item.path.name, item.kind, item.reason) for item in listing.left_out] == [
        ("b.jpg", "without a class", "lies beside the folders of the splits"),
        ("d.jpg", "without a class", "lies in no folder of a class"),
    ]


def test_an_empty_class_is_said(tree):
    assert list_folder(tree("cat/a.jpg", "dog/")).notes == ("dog/ holds no picture",)
    folder = tree("split/train/cat/a.jpg", "split/test/owl/")
    assert list_folder(folder / "split").notes == ("test/owl/ holds no picture",)


def test_one_name_written_in_two_ways_is_one_class(tree):
    composed, parted = (unicodedata.normalize(form, "Käfer") for form in ("NFC", "NFD"))
    folder = tree(f"train/{composed}/a.jpg", f"test/{parted}/b.jpg")
    assert {name for _, name, _ in listed(folder)} == {composed}


def test_a_link_is_followed_once(tree):
    folder = tree("cat/a.jpg")
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.jpg").touch()
    (folder / "dog").symlink_to(elsewhere)
    (folder / "cat" / "round").symlink_to(folder)
    assert listed(folder) == [("cat/a.jpg", "cat", None), ("dog/b.jpg", "dog", None)]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["loose.png"], r"no picture \(.*\) in a folder of its class; make one folder per class"),
        (["cat/notes.txt"], "no picture"),
        (["train/cat/", "test/cat/a.jpg"], r"there is no picture in .*train; make one folder per"),
        (
            ["train/cat/a.jpg", "val/cat/b.jpg", "valid/cat/c.jpg"],
            "val and valid both mean the val",
        ),
    ],
)
def test_a_layout_that_says_nothing_is_refused(tree, names, message):
    with pytest.raises(DataError, match=message):
        list_folder(tree(*names))


def touch_bytes(folder, name):
    """An empty file with a name of bytes that are no UTF-8, as old archives unpack to."""
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError:
        pytest.skip("this file system takes names of UTF-8 only")
    return path


def test_a_picture_whose_name_is_not_utf_8_is_left_out_and_named(tree):
    folder = tree("cat/a.jpg", "dog/b.jpg")
    named = touch_bytes(folder, b"cat/K\xe4tzchen.jpg")
    deeper = touch_bytes(folder, b"dog/M\xfcnchen/c.jpg")
    listing = list_folder(folder)
    assert [file.path.name for file in listing.files] == ["a.jpg", "b.jpg"]
    assert {(item.path, item.kind) for item in listing.left_out} == {
        (named, "name not UTF-8"), (deeper, "name not UTF-8")
    }  # fmt: skip


def test_a_class_whose_name_is_not_utf_8_is_refused(tree):
    folder = tree("cat/a.jpg", "dog/b.jpg")
    touch_bytes(folder, b"K\xe4fer/c.jpg")
    with pytest.raises(DataError) as caught:
        list_folder(folder)
    assert str(caught.value) == (
        f"{folder}: the folder 'K\\xe4fer' has a name that is not UTF-8, and a class takes its "
        "folder's name; rename the folder"
    )


def test_an_empty_class_whose_name_is_not_utf_8_is_said_in_words_that_print(tree):
    folder = tree("cat/a.jpg", "dog/b.jpg")
    touch_bytes(folder, b"K\xe4fer/x").unlink()
    assert list_folder(folder).notes == ("K\\xe4fer/ holds no picture",)
