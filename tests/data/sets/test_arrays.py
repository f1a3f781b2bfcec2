"""Archives of arrays: Keras's and MedMNIST's ways, and files that lie about themselves."""

import contextlib
import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.sets import arrays as arrays_module
from tellapart.data.sets.sources import load_data_set
from tellapart.errors import DataError


def load_arrays(path):
    data_set = arrays_module.load_arrays(path)
    return data_set.splits, data_set.fingerprint


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
    ("arrays", "words"),
    [
        ({"a": X}, ["x_train and y_train", "it has: a"]),
        ({"x_test": X, "y_test": Y}, ["x_train and y_train", "x_test, y_test"]),
        ({"x_train": X / 255, "y_train": Y}, ["float64", '(x_train * 255).round().astype("uint8'])
        ,
        ({"x_train": X * 1.0, "y_train": Y}, ["float64", 'x_train.round().astype("uint8")']),
        ({"x_train": X / 9 - 1, "y_train": Y}, ["float64", "normalised", "-1"]),
        ({"x_train": X.astype(np.int32), "y_train": Y}, ["int32", 'x_train.astype("uint8")']),
        ({"x_train": X.astype(np.uint16) * 257, "y_train": Y}, ["uint16", "// 257"]),
        ({"x_train": X > 9, "y_train": Y}, ["bool", '.astype("uint8") * 255']),
        ({"x_train": X[:, :2, :2].reshape(6, 4), "y_train": Y}, ["(6, 4)", "reshape(-1, 2, 2)"]),
        ({"x_train": np.stack([X] * 4, 3), "y_train": Y}, ["(6, 4, 5, 4)", "[..., :3]"]),
        ({"x_train": X[:, :0], "y_train": Y}, ["no pixel"]),
        ({"x_train": X, "y_train": Y[:5]}, ["6 images and 5 labels"]),
        ({"x_train": X, "y_train": np.eye(3)[Y] / 2}, ["y_train", "argmax(1)"]),
        ({"x_train": X, "y_train": np.ones((6, 3), int)}, ["y_train", "several", "argmax(1)"]),
        ({"x_train": X, "y_train": Y[None]}, ["y_train", ".ravel()"]),
        ({"arr_0": X, "arr_1": Y}, ["arr_0", "arr_1", "x_train=", "y_train="]),
        ({"train_imgs": X, "train_lbls": Y}, ["train_imgs", "train_lbls", "y_train"]),
        ({"features": X, "labels": Y}, ["labels", "features", "x_train"]),
        ({"x_train": X, "y_train": Y + 1}, ["y_train", "from 0", "np.unique"]),
        ({"x_train": X, "y_train": Y + 0.5}, ["y_train", "0.5", "np.unique", ".astype(str)"]),
        ({"x_train": X, "y_train": Y * np.nan}, ["y_train", "nan", ".astype(int)"]),
        ({"x_train": X, "y_train": np.array(list("abcabc"), object)}, ["y_train", ".astype(str)"]),
        ({"x_train": X, "y_train": np.array([b"\xe4"] * 6)}, ["y_train", "UTF-8", ".astype(str)"]),
        ({"x_train": X, "y_train": Y + 1}, ["y_train", "without a gap", "3 of them from 1"]),
        ({"x_train": X, "y_train": Y - 1}, ["from -1 to 1"]),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y + 1}, ["test has labels", "3"]),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y.astype(str)}, ["y_test", "names"]),
        ({"x_train": X, "y_train": Y, "x_test": X[:, 1:], "y_test": Y}, ["one shape"]),
        ({"x_train": X, "y_train": Y, "class_names": np.array(["a"])}, ["each of the 3"]),
        ({"x_train": X, "y_train": np.array(list("abcabc")), "class_names": np.array(list("xyz"))},
         ["class_names", "y_train"]),
        ({"x_train": np.array([None]), "y_train": Y}, ["x_train"]),
        ({"x_train": X, "y_train": Y, "x_test": X}, ["x_test", "y_test"]),
        ({"x_train": X, "y_train": Y, "labels_dev": Y}, ["labels_dev", "x_validation"]),
        ({"x_train": X, "y_train": Y, "train_images": X, "train_labels": Y},
         ["x_train and train_images", "keep one"]),
    ],
)  # fmt: skip
def test_arrays_that_are_no_data_set_are_refused_with_the_remedy(write, arrays, words):
    with pytest.raises(DataError) as caught:
        load_arrays(write(**arrays))
    for word in ("set.npz", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("images", "labels", "split"),
    [
        ("X_test", "y_test", "test"),
        ("x_dev", "y_dev", "validation"),
        ("x_validation", "Y_Validation", "validation"),
        ("testImages", "test-labels", "test"),
        ("test_data", "test_targets", "test"),
        ("xtest", "ytest", "test"),
    ],
)
def test_names_that_are_nearly_the_usual_ones(write, images, labels, split):
    path = write(**{"x_train": X, "y_train": Y, images: X[:4], labels: Y[:4]})
    data_set = arrays_module.load_arrays(path)
    sizes = {name: len(part) for name, part in data_set.splits.items()}
    assert sizes == {"train": 6, split: 4}
    (note,) = data_set.notes
    for word in (images, labels, split):
        assert word in note
    splits, _ = load_arrays(write(images=X, labels=Y))
    assert {name: len(part) for name, part in splits.items()} == {"train": 6}


def test_arrays_that_are_not_read_are_named(write):
    path = write(x_train=X, y_train=Y, weights=Y, meta=np.array([None]))
    (note,) = arrays_module.load_arrays(path).notes
    assert "weights" in note
    assert "meta" in note


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.eye(3)[Y], "012"),
        (np.eye(3, dtype=bool)[Y], "012"),
        (np.eye(3, dtype=np.uint8)[Y], "012"),
        (Y > 0, "01"),
        (Y * 1.0, "012"),
        ((Y * 1.0)[:, None], "012"),
        (np.array([b"a", b"b", b"c"])[Y], "abc"),
    ],
)
def test_labels_whose_meaning_is_exact_are_read(write, labels, names):
    train = load_arrays(write(x_train=X, y_train=labels))[0]["train"]
    assert train.class_names == tuple(names)
    assert train.labels.tolist() == np.minimum(Y, len(names) - 1).tolist()


def test_class_names_of_labels_written_in_digits(write):
    path = write(x_train=X, y_train=Y.astype(str), class_names=np.array([b"x", b"y", b"z"]))
    train = load_arrays(path)[0]["train"]
    assert train.class_names == ("x", "y", "z")
    assert train.labels.tolist() == Y.tolist()
    path = write(x_train=X, y_train=np.array(list("bacbac")), class_names=np.array(list("cab")))
    assert load_arrays(path)[0]["train"].class_names == ("a", "b", "c")


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
