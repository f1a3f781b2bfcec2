"""Which sub-folder is a class, which a split, and the notes on everything else."""

import os
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from tellapart.data.preparation import Preparation
from tellapart.data.sets.folder import list_folder
from tellapart.data.sets.sources import open_source
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


def test_a_folder_is_a_class_and_images_may_lie_deeper(tree):
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


def test_a_loose_image_makes_no_class_of_train(tree):
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
        ("cat/notes.txt", "not an image by its name"),
        ("loose.png", "without a class"),
    }


def test_what_lies_beside_splits_has_no_class(tree):
    folder = tree("train/cat/a.jpg", "extra/cat/b.jpg", "train/dog/c.jpg", "test/d.jpg")
    listing = list_folder(folder)
    assert [(item.path.name, item.kind, item.reason) for item in listing.left_out] == [
        ("b.jpg", "without a class", "lies beside the folders of the splits"),
        ("d.jpg", "without a class", "lies in no folder of a class"),
    ]


def test_an_empty_class_is_reported(tree):
    assert list_folder(tree("cat/a.jpg", "dog/")).notes == ("dog/ holds no image",)
    folder = tree("split/train/cat/a.jpg", "split/test/owl/")
    assert list_folder(folder / "split").notes == ("test/owl/ holds no image",)


def test_one_name_written_in_two_ways_is_one_class(tree):
    composed, parted = (unicodedata.normalize(form, "Käfer") for form in ("NFC", "NFD"))
    folder = tree(f"train/{composed}/a.jpg", f"test/{parted}/b.jpg")
    assert {name for _, name, _ in listed(folder)} == {composed}


def test_links_are_followed_unless_they_lead_back_up(tree):
    folder = tree("cat/a.jpg")
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.jpg").touch()
    (folder / "dog").symlink_to(elsewhere)
    (folder / "hound").symlink_to("dog")
    (folder / "cat" / "round").symlink_to(folder)
    (folder / "cat" / "higher").symlink_to(folder.parent)
    (elsewhere / "own").symlink_to(elsewhere)
    assert listed(folder) == [
        ("cat/a.jpg", "cat", None), ("dog/b.jpg", "dog", None), ("hound/b.jpg", "hound", None)
    ]  # fmt: skip
    left_out = {
        (i.path.relative_to(folder).as_posix(), i.kind) for i in list_folder(folder).left_out
    }
    ways = ("cat/round", "cat/higher", "dog/own", "hound/own")
    assert left_out == {(way, "link back up") for way in ways}


def test_own_runs_and_folders_of_systems_are_passed_over(tree):
    runs = [f"runs/{run}/{name}" for run in "ab" for name in ("recipe.toml", "run.json", "x.png")]
    system = ("lost+found/a.jpg", "System Volume Information/b", "$Recycle.Bin/c.jpg", "@eaDir/d")
    folder = tree("cat/a.jpg", "dog/b.jpg", *runs, *system)
    listing = list_folder(folder)
    assert {file.class_name for file in listing.files} == {"cat", "dog"}
    kinds = Counter(item.kind for item in listing.left_out)
    assert kinds == {"own run": 2, "system file": 4}
    assert listing.notes == ()


def test_a_folder_that_cannot_be_searched_is_left_out(tree, monkeypatch):
    folder = tree("cat/a.jpg", "dog/b.jpg", "secret/c.jpg")
    scan = os.scandir

    def refuse(path):
        if Path(path).name in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    closed = {"secret"}
    listing = list_folder(folder)
    assert [(item.path.name, item.kind) for item in listing.left_out] == [
        ("secret", "unreadable folder")
    ]
    assert listing.notes == ()
    closed = {"secret", "cat", "dog"}
    with pytest.raises(DataError, match="readable"):
        list_folder(folder)
    closed = {folder.name}
    with pytest.raises(DataError, match="cannot be searched"):
        list_folder(folder)


@pytest.mark.parametrize(
    "prefix", ["archive", "a/b/c", "archive/train"], ids=["one", "several", "split"]
)
def test_a_wrapper_names_the_folder_to_give(tree, prefix):
    folder = tree(f"{prefix}/rose/a.jpg", f"{prefix}/tulip/b.jpg", "readme.txt", "__MACOSX/x.jpg")
    opened = open_source(folder)
    with pytest.raises(DataError) as caught:
        opened.load(Preparation())
    way = folder / "archive" if "train" in prefix else folder / prefix
    assert str(way) in str(caught.value)
    names = "train" if "train" in prefix else "rose, tulip"
    assert names in str(caught.value)


def test_one_class_has_no_other_folder_to_give(tree):
    with pytest.raises(DataError, match=r"one class, 'cat'.*add images of another class$"):
        open_source(tree("cat/a.jpg", "cat/deeper/b.jpg")).load(Preparation())


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["loose.png"], ["1 images", "DATA/CLASS/"]),
        (["cat/notes.txt"], [".txt 1", "DATA/CLASS/"]),
        (["train/cat/", "test/cat/a.jpg"], ["test", "train folder"]),
        (["train/cat/a.jpg", "val/cat/b.jpg", "valid/cat/c.jpg"], ["val and valid", "validation"]),
        (["train/cat.1.jpg", "test/1.jpg"], ["test, train", ".csv", "DATA/train/CLASS"]),
        (["train/train/cat.1.jpg", "test1/test1/1.jpg"], ["test1, train", ".csv"]),
        (["train/a.jpg"], ["train", ".csv"]),
        (["left/cat/a.jpg", "left/dog/b.jpg", "right/cat/a.jpg", "right/dog/a.jpg"],
         ["left, right", "cat, dog", ".csv"]),
        (["cat/train/a.jpg", "cat/test/b.jpg", "dog/train/c.jpg"], ["cat, dog", "train", ".csv"]),
        (["a/1.heic", "b/2.HEIC"], [".heic 2", "JPEG"]),
        ([], ["is empty"]),
    ],
)  # fmt: skip
def test_a_layout_without_classes_is_refused_with_the_remedy(tree, names, words):
    folder = tree(*names)
    folder.mkdir(exist_ok=True)
    with pytest.raises(DataError) as caught:
        list_folder(folder)
    for word in (str(folder), *words):
        assert word in str(caught.value)


def touch_bytes(folder, name):
    """An empty file with a name of bytes that are no UTF-8, as old archives unpack to."""
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError:
        pytest.skip("this file system takes names of UTF-8 only")
    return path


def test_an_image_whose_name_is_not_utf_8_is_left_out_and_named(tree):
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


def test_an_empty_class_whose_name_is_not_utf_8_is_reported_in_words_that_print(tree):
    folder = tree("cat/a.jpg", "dog/b.jpg")
    touch_bytes(folder, b"K\xe4fer/x").unlink()
    assert list_folder(folder).notes == ("K\\xe4fer/ holds no image",)


@pytest.mark.parametrize("plain", ["images", "图片"])
def test_a_plain_folder_is_no_class(tree, plain):
    data = tree(*(f"{split}/{plain}/{name}/1.png" for split in ("train", "test") for name in "ab"))
    assert {file.class_name for file in list_folder(data).files} == {"a", "b"}


def test_one_class_called_images_is_to_be_sorted(tree):
    data = tree("train/images/1.png", "train/images/2.png", "test/images/1.png")
    with pytest.raises(DataError) as refusal:
        open_source(data).load(Preparation())
    assert "'images'" in str(refusal.value)
    assert "DATA/CLASS/" in str(refusal.value)
