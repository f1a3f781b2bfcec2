"""Which source takes a path, and what is refused because none does."""

import numpy as np
import pytest

from tellapart.data.sets.idx import write_idx
from tellapart.data.sets.sources import SOURCES, load_data_set, open_source
from tellapart.errors import DataError


@pytest.mark.parametrize("source", ["mnits", "./mnist", "x" * 5000, "a\0b"])
def test_an_unknown_source_is_refused(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"mnits.*did you mean 'mnist'|no file or folder|looked up"):
        load_data_set(source)


def test_a_file_as_source_is_refused(tmp_path):
    (tmp_path / "digits.dat").write_bytes(b"")
    with pytest.raises(DataError, match=r"digits\.dat") as caught:
        load_data_set(tmp_path / "digits.dat")
    for source in SOURCES:
        assert source.name in str(caught.value)


def test_a_name_of_the_catalogue_hides_a_folder_and_that_is_pointed_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_source("mnist-sample").warnings == ()
    (tmp_path / "mnist-sample").mkdir()
    (warning,) = open_source("mnist-sample").warnings
    assert "./mnist-sample" in warning
    # Where the catalogue's files lie there, the folder is taken.
    monkeypatch.setenv("TELLAPART_DATA", str(tmp_path))
    assert open_source("mnist-sample").warnings == ()


def test_one_class_is_refused_whatever_it_is_made_of(tmp_path):
    images, labels = np.zeros((4, 3, 3), np.uint8), np.zeros(4, np.uint8)
    np.savez(tmp_path / "one.npz", x_train=images, y_train=labels)
    (tmp_path / "idx").mkdir()
    write_idx(tmp_path / "idx" / "train-images-idx3-ubyte", images)
    write_idx(tmp_path / "idx" / "train-labels-idx1-ubyte", labels)
    for name in ("one.npz", "idx"):
        with pytest.raises(DataError, match="one class, '0'"):
            load_data_set(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "remedy"), [("x.npy", ".npz"), ("labels.xlsx", ".csv"), ("a.zip", "unpack")]
)
def test_a_file_of_a_known_other_kind_has_its_remedy(tmp_path, name, remedy):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=remedy):
        open_source(tmp_path / name)
