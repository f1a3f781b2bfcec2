"""Tar archives as a data set: where classes and splits stand, and what is refused."""

import gzip

import pytest

from tellapart.data.sets.folder import list_folder
from tellapart.data.sets.sources import load_data_set, open_source
from tellapart.data.sets.table import table_text
from tellapart.data.sets.tar_shards import list_shards
from tellapart.errors import DataError


def listed(path):
    return [(f.path.member, f.class_name, f.split) for f in list_shards(path).files]


def test_numbers_and_names_beside_images(tmp_path, write_tar):
    members = [
        ("2.jpg", ""), ("2.cls", "7\n"), ("1.cls", "cat"), ("1.PNG", ""),
        ("deep/3.jpg", ""), ("deep/3.json", '{"label": 1, "class": "owl", "id": 9}'),
        ("4.jpg", ""), ("4.json", '{"class": 3}'),
    ]  # fmt: skip
    assert listed(write_tar(tmp_path / "a.tar", members)) == [
        ("2.jpg", "7", None), ("1.PNG", "cat", None), ("deep/3.jpg", "owl", None),
        ("4.jpg", "3", None),
    ]  # fmt: skip


@pytest.mark.parametrize("wrapper", ["", "./", "pets/", "a/b/"])
def test_folders_in_the_archive_are_classes(tmp_path, write_tar, wrapper):
    members = [(f"{wrapper}{name}/{n}.jpg", "") for n in (2, 1) for name in ("cat", "dog")]
    path = write_tar(tmp_path / "a.tar", [*members, (f"{wrapper}notes.txt", "x")])
    place = wrapper.removeprefix("./")
    assert listed(path) == [
        (f"{place}{name}/{n}.jpg", name, None) for n in (2, 1) for name in ("cat", "dog")
    ]
    (note,) = list_shards(path).notes
    assert ".txt 1" in note


def test_splits_inside_an_archive(tmp_path, write_tar):
    members = [(f"d/{s}/{name}/1.jpg", "") for s in ("train", "val") for name in ("cat", "dog")]
    assert [split for _, _, split in listed(write_tar(tmp_path / "a.tar", members))] == [
        "train", "train", "validation", "validation"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [
        ("train/0.tar", "train/1.tar", "val/0.tar", "test/0.tar"),
        ("train-000.tar", "train-001.tar", "val-000.tar", "test-000.tar"),
        ("pets-train-000.tar", "pets-train-001.tar", "pets-val-000.tar", "pets-test-000.tar"),
    ],
)
def test_splits_by_folder_or_name_of_the_archives(tmp_path, write_tar, names):
    for name in names:
        write_tar(tmp_path / "data" / name, [("1.jpg", ""), ("1.cls", "cat")])
    files = list_shards(tmp_path / "data").files
    assert {(f.path.archive.relative_to(tmp_path / "data").as_posix(), f.split) for f in files} == {
        (name, split)
        for name, split in zip(names, ("train", "train", "validation", "test"), strict=True)
    }


def test_members_count_as_files_do(tmp_path, pets, write_tar):
    """The same images in a folder and in archives are the same data set, to the last byte."""
    paths = [file.path for file in list_folder(pets).files]
    members = [(f"{path.parent.name}/{path.name}", path) for path in paths]
    cats, dogs = members[:10], members[10:]
    write_tar(tmp_path / "shards" / "0.tar", [("cat/x.txt", "no image"), *cats])
    write_tar(tmp_path / "shards" / "1.tar", dogs)
    loose, packed = load_data_set(pets), load_data_set(tmp_path / "shards")
    assert packed.fingerprint == loose.fingerprint
    assert packed.class_names == ("cat", "dog")
    assert (packed.split("train").images == loose.split("train").images).all()


def test_the_table_of_a_run_on_archives_gives_the_same_images(tmp_path, pets, write_tar):
    members = [
        (f"{path.parent.name}/{path.name}", path) for path in sorted(pets.rglob("*.png"))[::-1]
    ]
    data_set = load_data_set(write_tar(tmp_path / "pets.tar", members))
    rows = [
        (str(path), data_set.class_names[label], split)
        for split, paths in data_set.files.items()
        for path, label in zip(paths, data_set.split(split).labels.tolist(), strict=True)
    ]
    (tmp_path / "again.csv").write_text(table_text(rows), encoding="utf-8")
    assert load_data_set(tmp_path / "again.csv").fingerprint == data_set.fingerprint


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([("1.jpg", ""), ("1.jpg", ""), ("1.cls", "0")], ["1.jpg twice"]),
        ([("1.jpg", ""), ("1.png", ""), ("1.cls", "0")], ["1.jpg and 1.png", "keep one"]),
        ([("1.jpg", ""), ("1.cls", "0"), ("2.jpg", "")], ["2.jpg has no label", "KEY.cls"]),
        ([("1.jpg", ""), ("2.jpg", "")], ["1.jpg has no label", "KEY.cls"]),
        ([("1.jpg", ""), ("1.cls", " ")], ["label of 1", "KEY.cls"]),
        ([("1.jpg", ""), ("1.json", "{}")], ["label of 1", "nothing"]),
        ([("1.jpg", ""), ("1.json", '{"label": [1, 2]}')], ["label of 1", "[1, 2]"]),
        ([("1.jpg", ""), ("1.json", '{"label"')], ["1.json", "JSON"]),
        ([("1.jpg", ""), ("1.cls", b"\xe4")], ["1.cls", "UTF-8"]),
        ([("1.jpg", ""), ("1.cls", "cat"), ("1.json", '{"label": "dog"}')], ["cat, dog"]),
        ([("train/1.jpg", ""), ("test/1.jpg", "")], ["test, train", ".csv"]),
        ([("readme.txt", "")], ["no image"]),
    ],
)  # fmt: skip
def test_what_is_no_data_set_is_refused(tmp_path, write_tar, members, words):
    path = write_tar(tmp_path / "a.tar", members)
    with pytest.raises(DataError) as caught:
        list_shards(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_archives_that_lie_nowhere_in_particular(tmp_path, write_tar):
    members = [("1.jpg", ""), ("1.cls", "cat")]
    for folder, names, word in (
        ("a", ("train/0.tar", "0.tar"), "train"),
        ("b", ("train/0.tar", "more/0.tar"), "more"),
        ("c", ("train-0.tar", "other.tar"), "other.tar"),
        ("d", ("val/0.tar", "test/0.tar"), "train"),
    ):
        for name in names:
            write_tar(tmp_path / folder / name, members)
        with pytest.raises(DataError, match=word):
            list_shards(tmp_path / folder)


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz", "a.tar"])
def test_a_compressed_archive_is_refused_with_the_remedy(tmp_path, write_tar, name):
    plain = write_tar(tmp_path / "plain.tar", [("cat/1.jpg", ""), ("dog/1.jpg", "")])
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / name).write_bytes(gzip.compress(plain.read_bytes()))
    for path in (folder / name, folder):
        with pytest.raises(DataError, match=r"compressed.*unpack"):
            open_source(path)


def test_a_folder_of_images_with_an_archive_beside_is_a_folder_of_images(tmp_path, pets, write_tar):
    write_tar(pets / "backup.tar", [("cat/1.jpg", ""), ("dog/1.jpg", "")])
    assert open_source(pets).train_counts == {"cat": 10, "dog": 10}


def test_an_unreadable_member_is_left_out_and_named(tmp_path, pets, write_tar):
    members = [(f"{path.parent.name}/{path.name}", path) for path in sorted(pets.rglob("*.png"))]
    path = write_tar(tmp_path / "a.tar", [("cat/bad.png", b"no image"), *members])
    (left_out,) = load_data_set(path).left_out
    assert str(left_out.path) == f"{path}/cat/bad.png"
