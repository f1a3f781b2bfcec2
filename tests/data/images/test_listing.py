"""The notes on files that are left out, and on splits that lack a class."""

import os
from pathlib import Path

from tellapart.data.images.listing import (
    ImageFile,
    LeftOut,
    Listing,
    is_text,
    left_out_notes,
    missing_class_notes,
    path_text,
    shown_path,
)

ROOT = Path("/data")


def left_out(count, kind="unreadable"):
    return [LeftOut(ROOT / f"{i}.jpg", kind, "the file is empty") for i in range(count)]


def test_each_kind_is_counted_and_the_first_three_are_named():
    notes = left_out_notes([*left_out(5), *left_out(1, "system file")], ROOT)
    assert notes == (
        "left out, unreadable: 5 (0.jpg: the file is empty; 1.jpg: the file is empty; "
        "2.jpg: the file is empty and 2 more)",
        "left out, system file: 1 (0.jpg)",
    )
    assert left_out_notes([], ROOT) == ()


def test_a_split_without_a_class_is_named():
    files = [ImageFile(ROOT, "cat", s) for s in ("train", "test")]
    files.append(ImageFile(ROOT, "dog", "train"))
    assert missing_class_notes(files, ("cat", "dog")) == ["test has no image of 'dog'"]


def test_only_images_to_learn_from_are_counted():
    divided = [("cat", "train"), ("cat", "train"), ("cat", "test"), ("dog", "train")]
    for files, counts in (
        (divided, {"cat": 2, "dog": 1}),
        ([(name, None) for name, _ in divided], {"cat": 3, "dog": 1}),
    ):
        listing = Listing("pets", ROOT, tuple(ImageFile(ROOT, *file) for file in files))
        assert listing.train_counts() == counts


def test_paths_are_shown_from_the_root_where_they_lie_below_it():
    assert shown_path(ROOT / "a" / "b.jpg", ROOT) == "a/b.jpg"
    assert shown_path(Path("/other/b.jpg"), ROOT) == "/other/b.jpg"


def test_bytes_that_are_not_utf_8_are_shown_escaped():
    name = os.fsdecode(b"M\xfcller \xe8\x9a\x82.jpg")
    assert not is_text(name)
    assert path_text(name) == "M\\xfcller 蚂.jpg"
    assert shown_path(ROOT / "cat" / name, ROOT) == "cat/M\\xfcller 蚂.jpg"
    assert is_text("Müller 蚂.jpg")
    assert path_text(Path("Müller 蚂.jpg")) == "Müller 蚂.jpg"
