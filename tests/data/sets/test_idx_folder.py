"""Folders of IDX files: the names they may have, and what does not fit together."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tellapart.data.preparation import Preparation
from tellapart.data.sets.idx import write_idx
from tellapart.data.sets.sources import load_data_set
from tellapart.errors import DataError

IMAGES = {
    "train": np.arange(4 * 6, dtype=np.uint8).reshape(4, 2, 3),
    "test": np.arange(2 * 6, dtype=np.uint8).reshape(2, 2, 3) + 100,
}
LABELS = {"train": np.array([0, 1, 1, 0], np.uint8), "test": np.array([1, 0], np.uint8)}
NAMES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}


def array_of(split, content):
    return (IMAGES if content == "images" else LABELS)[split]


def write_files(folder: Path, *, compress: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for (split, content), name in NAMES.items():
        path = folder / (f"{name}.gz" if compress else name)
        write_idx(path, array_of(split, content), compress=compress)
    return folder


def assert_is_tiny(data_set):
    for split in ("train", "test"):
        images = data_set.split(split)
        assert torch.equal(images.images, torch.from_numpy(IMAGES[split])[:, None])
        assert images.labels.tolist() == LABELS[split].tolist()


@pytest.mark.parametrize("compress", [False, True])
def test_a_folder_of_idx_files_is_a_data_set(tmp_path, compress):
    data_set = load_data_set(write_files(tmp_path / "mine", compress=compress))
    assert_is_tiny(data_set)
    assert data_set.name == "mine"
    assert data_set.class_names == ("0", "1")
    assert data_set.provenance == f"IDX files in {tmp_path / 'mine'}"


def test_dots_in_names_and_images_with_channels(tmp_path):
    write_idx(tmp_path / "train-images.idx4-ubyte", np.ones((2, 3, 4, 5), np.uint8))
    write_idx(tmp_path / "train-labels.idx1-ubyte.gz", np.array([0, 1], np.uint8), compress=True)
    data_set = load_data_set(str(tmp_path), preparation=Preparation(test_fraction=0))
    assert data_set.split("train").image_shape == (3, 4, 5)
    assert list(data_set.splits) == ["train"]
    assert list(data_set.splits) == ["train"]


def test_the_fingerprint_is_of_the_contents_not_of_the_packing(tmp_path):
    raw = load_data_set(write_files(tmp_path / "raw"))
    packed = load_data_set(write_files(tmp_path / "packed", compress=True))
    assert raw.fingerprint == packed.fingerprint
    assert len(bytes.fromhex(raw.fingerprint)) == 32
    write_idx(tmp_path / "raw" / "t10k-labels-idx1-ubyte", np.array([0, 1], np.uint8))
    assert load_data_set(tmp_path / "raw").fingerprint != packed.fingerprint


def spoil(folder, split, content, array):
    write_idx(folder / NAMES[split, content], np.asarray(array, np.uint8))


@pytest.mark.parametrize(
    ("split", "content", "array", "message"),
    [
        ("train", "labels", [0, 1, 3, 0], "up to 3, but no image with label 2; number the"),
        ("train", "labels", [1, 4, 1, 4], "no image with label 0, 2, 3;"),
        ("test", "labels", [1, 2], "test has label 2, but train only 0 to 1; train must"),
        ("test", "labels", [1, 1, 1], "2 images and .* 3 labels"),
        ("test", "images", np.zeros((2, 9, 9)), r"train are \(2, 3\), those of test \(9, 9\)"),
    ],
)
def test_a_folder_that_does_not_fit_together_is_refused(tmp_path, split, content, array, message):
    spoil(write_files(tmp_path), split, content, array)
    with pytest.raises(DataError, match=message):
        load_data_set(tmp_path)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_without_images_is_refused(tmp_path, split):
    write_files(tmp_path)
    spoil(tmp_path, split, "images", np.zeros((0, 2, 3)))
    spoil(tmp_path, split, "labels", [])
    with pytest.raises(DataError, match=f"its {split} files hold no image"):
        load_data_set(tmp_path)


@pytest.mark.parametrize("name", NAMES.values())
def test_a_missing_file_is_named(tmp_path, name):
    (write_files(tmp_path) / name).unlink()
    with pytest.raises(DataError, match=rf"no {name}\[\.gz\] in it; put the IDX files"):
        load_data_set(tmp_path)


@pytest.mark.parametrize(
    "place", ["raw", "MNIST/raw", "archive"], ids=["inside", "torchvision", "archive"]
)
def test_files_further_down_are_found(tmp_path, place):
    write_files(tmp_path / "data" / place)
    assert_is_tiny(load_data_set(tmp_path / "data"))


def test_several_sets_below_are_named(tmp_path):
    for name in ("MNIST", "FashionMNIST"):
        write_files(tmp_path / name / "raw")
    with pytest.raises(DataError) as caught:
        load_data_set(tmp_path)
    for name in ("MNIST", "FashionMNIST"):
        assert str(tmp_path / name / "raw") in str(caught.value)


def test_files_in_folders_of_their_own_name(tmp_path):
    write_files(tmp_path / "flat")
    for name in NAMES.values():
        dotted = name.replace("-idx", ".idx")
        (tmp_path / "data" / dotted).mkdir(parents=True)
        (tmp_path / "flat" / name).rename(tmp_path / "data" / dotted / dotted)
    assert_is_tiny(load_data_set(tmp_path / "data"))


@pytest.mark.parametrize("change", [("t10k", "test"), ("-", "."), ("train", "set-train")])
def test_other_spellings(tmp_path, change):
    folder = write_files(tmp_path / "data")
    for path in list(folder.iterdir()):
        path.rename(path.with_name(path.name.replace(*change)))
    assert_is_tiny(load_data_set(folder))


def test_a_validation_split(tmp_path):
    folder = write_files(tmp_path / "data")
    write_idx(folder / "val-images-idx3-ubyte", IMAGES["test"])
    write_idx(folder / "val-labels-idx1-ubyte", LABELS["test"])
    splits = load_data_set(folder).splits
    assert {name: len(part) for name, part in splits.items()} == {
        "train": 4, "validation": 2, "test": 2
    }  # fmt: skip


def test_files_that_are_not_read_are_named(tmp_path):
    folder = write_files(tmp_path / "data")
    write_idx(folder / "more-images-idx3-ubyte", IMAGES["test"])
    (note,) = load_data_set(folder).notes
    assert "more-images-idx3-ubyte" in note
    for name in NAMES.values():
        (folder / name).unlink()
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.*more-images-idx3-ubyte"):
        load_data_set(folder)
    (folder / "cat").mkdir()
    (folder / "cat" / "a.png").touch()
    with pytest.raises(DataError, match="one class"):
        load_data_set(folder)


def test_two_that_could_be_the_same_are_refused(tmp_path):
    folder = write_files(tmp_path / "data")
    write_idx(folder / "digits-train-images-idx3-ubyte", IMAGES["train"])
    with pytest.raises(DataError, match=r"digits-train-images.*train-images.*keep"):
        load_data_set(folder)


def test_a_file_in_a_folder_of_its_name_may_be_spelled_otherwise(tmp_path):
    files = write_files(tmp_path / "files")
    for name in NAMES.values():
        place = tmp_path / "set" / name / name.replace("-idx", ".idx")
        place.parent.mkdir(parents=True)
        (files / name).rename(place)
    assert_is_tiny(load_data_set(tmp_path / "set"))


def test_files_are_found_below_folders_that_hold_nothing_else(tmp_path):
    write_files(tmp_path / "downloads/data/MNIST/raw")
    assert_is_tiny(load_data_set(tmp_path / "downloads"))


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("name", ["train-images", "digits.idx", "train/images-idx3-ubyte"])
def test_idx_files_under_any_other_name_are_named_with_the_usual_ones(tmp_path, name, compress):
    path = tmp_path / "set" / name
    path.parent.mkdir(parents=True)
    write_idx(path, IMAGES["train"], compress=compress)
    with pytest.raises(DataError) as refusal:
        load_data_set(tmp_path / "set")
    for word in (name, "train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        assert word in str(refusal.value)


def test_files_in_a_folder_for_each_split_belong_into_one(tmp_path):
    for (split, content), name in NAMES.items():
        (tmp_path / "set" / split).mkdir(parents=True, exist_ok=True)
        write_idx(tmp_path / "set" / split / name, array_of(split, content))
    with pytest.raises(DataError, match="into one folder"):
        load_data_set(tmp_path / "set")


def test_colours_may_be_the_last_dimension(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)
    write_idx(tmp_path / "train-images-idx4-ubyte", pixels)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.array([0, 1, 0, 1], np.uint8))
    parts = load_data_set(tmp_path, preparation=Preparation(test_fraction=0)).splits.values()
    found = torch.cat([part.images for part in parts])
    assert found.shape[1:] == (3, 5, 6)
    assert {image.numpy().tobytes() for image in found} == {
        image.transpose(2, 0, 1).tobytes() for image in pixels
    }
