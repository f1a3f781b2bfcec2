"""Corrected labels: what the table may say, which image a row means, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tellapart.data.preparation import Preparation
from tellapart.data.sets.corrections import (
    correct_labels,
    corrections_text,
    read_corrections,
    source_place,
)
from tellapart.data.sets.sources import load_data_set
from tellapart.errors import DataError


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def table(tmp_path):
    """Writes lines as a file of corrections, and returns its path."""

    def write(*lines, head="split,index,given,suggested"):
        path = tmp_path / "corrections.csv"
        path.write_text("\n".join((head, *lines)) + "\n", "utf-8")
        return path

    return write


@pytest.fixture
def archive(tmp_path):
    """Twelve images of classes a, b, c in turn, in train only."""
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    path = tmp_path / "things.npz"
    np.savez(path, x_train=images, y_train=np.array(list("abc" * 4)))
    return path


@pytest.fixture
def folder(tmp_path):
    for number in range(12):
        path = tmp_path / "pets" / ("cat" if number % 2 else "dog") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    return tmp_path / "pets"


def corrected(data_set, path):
    return correct_labels(data_set, read_corrections(path))


def test_an_index_counts_in_the_train_of_the_source_whatever_is_held_out_of_it(archive, table):
    path = table("train,4,b,c", "train,9,a,", "train,10,b,b")
    for fractions in ((0.0, 0.0), (0.25, 0.0), (0.25, 0.25)):
        for seed in range(3):
            preparation = Preparation(
                test_fraction=fractions[0], validation_fraction=fractions[1], seed=seed
            )
            before = load_data_set(archive, preparation=preparation)
            after = corrected(before, path)
            changed = [
                source_place(before, split, index)[:2]
                for split in before.splits
                for index in (
                    (before.split(split).labels != after.split(split).labels).nonzero().flatten()
                ).tolist()
            ]
            assert changed == [("train", 4)]
            for split, part in before.splits.items():
                assert torch.equal(part.images, after.split(split).images)
            assert len(after.corrections) == 1
            assert after.fingerprint != before.fingerprint


def test_the_fingerprint_is_of_the_changes_not_of_their_order_or_of_rows_without_effect(
    archive, table
):
    data_set = load_data_set(archive)
    one = corrected(data_set, table("train,4,b,c", "train,0,a,b"))
    same = corrected(data_set, table("train,0,a,b", "train,1,b,", "train,4,b,c"))
    other = corrected(data_set, table("train,0,a,c", "train,4,b,c"))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert corrected(data_set, table("train,1,b,b")) is data_set
    assert corrected(data_set, table()) is data_set


@pytest.mark.parametrize("path", ["cat/1.png", "whole", "from here"])
def test_a_file_is_named_by_its_path(folder, table, path, monkeypatch):
    monkeypatch.chdir(folder.parent)
    written = {"whole": str(folder / "cat/1.png"), "from here": "pets/cat/1.png"}.get(path, path)
    before = load_data_set(folder)
    after = corrected(before, table(f",{written},cat,dog", head="split,path,given,suggested"))
    [split] = [s for s in before.splits if folder / "cat/1.png" in before.files[s]]
    index = before.files[split].index(folder / "cat/1.png")
    assert after.class_names[after.split(split).labels[index]] == "dog"
    assert (
        sum(int((p.labels != after.split(s).labels).sum()) for s, p in before.splits.items()) == 1
    )
    assert [row.path for row in after.corrections] == ["cat/1.png"]


def test_members_of_an_archive_and_a_table_are_named_by_their_paths_too(folder, table, tmp_path):
    import tarfile

    with tarfile.open(tmp_path / "pets.tar", "w") as tar:
        for path in sorted(folder.rglob("*.png")):
            tar.add(path, path.relative_to(folder).as_posix())
    rows = [f"{p.relative_to(tmp_path)},{p.parent.name}" for p in sorted(folder.rglob("*.png"))]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows]), "utf-8")
    for source, path in (("pets.tar", "pets.tar/cat/1.png"), ("list.csv", "pets/cat/1.png")):
        data_set = load_data_set(tmp_path / source)
        after = corrected(
            data_set, table(f"test,{path},cat,dog", head="split,path,given,suggested")
        )
        assert [row.path for row in after.corrections] == [path]


def test_what_is_written_is_read_back(folder, archive, table, tmp_path):
    for source, row in (
        (archive, "train,4,b,c"),
        (folder, ",cat/1.png,cat,dog"),
    ):
        head = "split,path,given,suggested" if source is folder else "split,index,given,suggested"
        data_set = load_data_set(source)
        after = corrected(data_set, table(row, head=head))
        copy = tmp_path / "copy.csv"
        copy.write_text(corrections_text(after.corrections, by_path=source is folder), "utf-8")
        again = corrected(data_set, copy)
        assert (again.fingerprint, again.corrections) == (after.fingerprint, after.corrections)


def test_a_file_that_a_spreadsheet_has_saved_is_read(archive, tmp_path):
    path = tmp_path / "saved.csv"
    path.write_bytes("\ufeffSplit;Index;Given;Suggested\r\ntrain;4;b;c\r\n;;;\r\n".encode())
    assert len(corrected(load_data_set(archive), path).corrections) == 1


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["train,4,a,c"], ["line 2", "'a'", "'b'", "data check"]),
        (["train,4,b,C"], ["line 2", "'C'", "did you mean 'c'"]),
        (["train,4,b,zebra"], ["line 2", "'zebra'", "a, b, c"]),
        (["train,0,a,b", "train,12,a,b"], ["line 3", "12", "0 to 11"]),
        (["train,-1,a,b"], ["line 2", "'-1'", "whole number"]),
        (["train,4.0,b,c"], ["line 2", "'4.0'", "whole number"]),
        (["train,4,b,c", "train,4,b,a"], ["line 3", "line 2", "train[4]"]),
        (["test,0,a,b"], ["line 2", "'test'", "train"]),
        (["tset,0,a,b"], ["line 2", "'tset'", "train, validation, test"]),
        ([",0,a,b"], ["line 2", "split"]),
        (["train,4,,c"], ["line 2", "given"]),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_line(archive, table, lines, words):
    path = table(*lines)
    data_set = load_data_set(archive, preparation=Preparation(test_fraction=0.25))
    with pytest.raises(DataError) as caught:
        corrected(data_set, path)
    assert str(path) in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_path_that_is_not_in_the_data_is_refused(folder, table):
    for row, words in (
        (",cat/0.png,cat,dog", ["line 2", "cat/0.png", str(folder)]),
        ("train,,cat,dog", ["line 2", "path"]),
    ):
        path = table(row, head="split,path,given,suggested")
        with pytest.raises(DataError) as caught:
            corrected(load_data_set(folder), path)
        assert all(word in str(caught.value) for word in (*words, str(path)))
    with pytest.raises(DataError, match=r"line 2.*path"):
        corrected(load_data_set(folder), table("train,1,cat,dog"))


@pytest.mark.parametrize(
    ("head", "missing"),
    [
        ("split,index,given", "suggested"),
        ("split,index,suggested", "given"),
        ("index,given,suggested", "path, or split and index"),
        ("split,index,given,given,suggested", "given twice"),
    ],
)
def test_missing_columns_are_named(table, head, missing):
    path = table("train,1,a,b,c"[: 2 * head.count(",") + 5], head=head)
    with pytest.raises(DataError) as caught:
        read_corrections(path)
    assert missing in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv"):
        read_corrections(tmp_path / "none.csv")


def test_a_class_keeps_an_image_in_train(archive, table):
    path = table(*(f"train,{index},c,a" for index in (2, 5, 8, 11)))
    with pytest.raises(DataError, match="'c'"):
        corrected(load_data_set(archive, preparation=Preparation(test_fraction=0.0)), path)
    assert Path(path).exists()
