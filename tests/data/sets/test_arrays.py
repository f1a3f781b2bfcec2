"""Archives of arrays: Keras's and MedMNIST's ways, and files that lie about themselves."""

import contextlib
import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.sets.arrays import load_arrays
from tellapart.data.sets.sources import load_data_set
from tellapart.errors import DataError

X = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
Y = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture
def write(tmp_path):
    def make(**arrays):
        np.savez(tmp_path / "set.npz", **arrays)
        return tmp_path / "set.npz"

    return make


def test_as_keras_writes_them(write):
    splits, digest = load_arrays(write(x_train=X, y_train=Y, x_test=X[:2], y_test=Y[:2]))
    assert list(splits) == ["train", "test"]
    assert splits["train"].images.shape == (6, 1, 4, 5)
    assert np.array_equal(splits["test"].images[:, 0].numpy(), X[:2])
    assert splits["train"].class_names == ("0", "1", "2")
    assert digest == load_arrays(write(x_train=X, y_train=Y, x_test=X[:2], y_test=Y[:2]))[1]
    assert digest != load_arrays(write(x_train=X, y_train=Y[::-1], x_test=X[:2], y_test=Y[:2]))[1]


def test_as_medmnist_writes_them(write):
    colour = np.stack([X, X + 1, X + 2], axis=3)
    labels = Y[:, None].astype(np.uint8)
    splits, _ = load_arrays(
        write(
            train_images=colour, train_labels=labels, val_images=colour, val_labels=labels,
            test_images=colour, test_labels=labels,
        )
    )  # fmt: skip
    assert list(splits) == ["train", "validation", "test"]
    assert splits["train"].images.shape == (6, 3, 4, 5)
    assert np.array_equal(splits["train"].images[:, 2].numpy(), X + 2)
    assert splits["validation"].labels.tolist() == Y.tolist()


def test_channels_first_names_and_fortran_order(write):
    first = np.asfortranarray(np.stack([X, X, X + 7], axis=1))
    splits, _ = load_arrays(write(x_train=first, y_train=np.array(list("abcabc"))))
    assert splits["train"].class_names == ("a", "b", "c")
    assert splits["train"].labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert np.array_equal(splits["train"].images.numpy(), first)
    named, _ = load_arrays(write(x_train=X, y_train=Y, class_names=np.array(["x", "y", "z"])))
    assert named["train"].class_names == ("x", "y", "z")


def test_as_a_source_its_test_split_is_made(write):
    many = np.random.default_rng(0).integers(0, 256, (30, 4, 4), dtype=np.uint8)
    path = write(x_train=many, y_train=np.arange(30) % 3)
    data_set = load_data_set(path)
    assert {name: len(part) for name, part in data_set.splits.items()} == {"train": 24, "test": 6}
    assert "no test split was given: 20% of each class is held out" in data_set.notes[0]
    assert data_set.split("test").class_counts() == (2, 2, 2)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "has no x_train and y_train .* it has: x"),
        ({"x_train": X / 255, "y_train": Y}, "must hold whole numbers or names, got float64"),
        ({"x_train": X.astype(np.uint16), "y_train": Y}, "must be uint8 .* got uint16"),
        ({"x_train": X.reshape(6, 20), "y_train": Y}, r"must be uint8 .* \(6, 20\)"),
        ({"x_train": X[:, :0], "y_train": Y}, "have no pixel"),
        ({"x_train": X, "y_train": Y[:5]}, "train has 6 pictures and 5 labels"),
        ({"x_train": X, "y_train": np.eye(6, dtype=int)}, "several labels per picture cannot be"),
        ({"x_train": X, "y_train": Y + 1}, "must run from 0 without a gap, got 3 of them from 1 "),
        ({"x_train": X, "y_train": Y - 1}, "from -1 to 1"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y + 1}, "test has labels that train "),
        ({"x_train": X, "y_train": Y, "x_test": X[:, 1:], "y_test": Y}, "all must have one shape"),
        ({"x_train": X, "y_train": Y, "class_names": np.array(["a"])}, "must name each of the 3"),
        ({"x_train": np.array([None]), "y_train": Y}, "got object|not a NumPy array"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_data_set_are_refused(write, arrays, message):
    with pytest.raises(DataError, match=message):
        load_arrays(write(**arrays))


def lying_archive(path, shape, body):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("x_train", "y_train"):
            archive.writestr(f"{name}.npy", header.getvalue() + body)


@pytest.mark.parametrize("shape", [(10**12, 28, 28), (2**63, 2), (-1, 4), (3,)])
def test_a_header_that_lies_takes_no_memory(tmp_path, shape):
    lying_archive(tmp_path / "lie.npz", shape, bytes(16))
    with pytest.raises(DataError, match=r"lie\.npz: x_train\.npy"):
        load_arrays(tmp_path / "lie.npz")


WHOLE = io.BytesIO()
np.savez_compressed(WHOLE, x_train=X, y_train=Y)


@given(st.integers(0, len(WHOLE.getvalue())), st.binary(max_size=6))
def test_a_damaged_archive_is_a_data_error_or_a_data_set(tmp_path_factory, place, junk):
    path = tmp_path_factory.getbasetemp() / "fuzz.npz"
    whole = WHOLE.getvalue()
    path.write_bytes(whole[:place] + junk + whole[place + len(junk) + (not junk) :])
    with contextlib.suppress(DataError):
        load_arrays(path)


def test_no_file_and_no_archive(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        load_arrays(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DataError, match=r"is a damaged \.npz archive: File is not a zip file"):
        load_arrays(tmp_path / "text.npz")
