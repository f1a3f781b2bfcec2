"""Files of the catalogue: where they are looked for, what is checked, what the errors name."""

import gzip
import hashlib
import os
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch

from tellapart.data.sets import catalogue_files, sources
from tellapart.data.sets.catalogue import CATALOGUE, CatalogueEntry, CatalogueFile
from tellapart.data.sets.catalogue_files import fetch, search_folders
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


@pytest.fixture(autouse=True)
def own_places(tmp_path, monkeypatch):
    """No file of this machine is found, and no network is reached."""
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TELLAPART_DATA", raising=False)

    def refuse(urls, target, **options):
        raise DataError("no network in this test")

    monkeypatch.setattr(catalogue_files, "download", refuse)


def tiny_entry(tmp_path, sha256_of="raw") -> CatalogueEntry:
    """An entry for the files above, with digests of the raw or of the gzipped ones."""
    folder = write_files(tmp_path / "published", compress=True)
    files = []
    for (split, content), name in NAMES.items():
        packed = (folder / f"{name}.gz").read_bytes()
        raw = gzip.decompress(packed)
        digest = hashlib.sha256(raw if sha256_of == "raw" else packed).hexdigest()
        files.append(CatalogueFile(name, split, content, len(raw), len(packed), digest, sha256_of))
    return replace(
        CATALOGUE["mnist"], name="tiny", files=tuple(files), class_names=("a", "b"),
        mirrors=("http://first/", "http://second/"),
    )  # fmt: skip


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    entry = tiny_entry(tmp_path)
    monkeypatch.setattr(sources, "CATALOGUE", MappingProxyType({"tiny": entry}))
    monkeypatch.setattr(catalogue_files, "catalogue_entry", {"tiny": entry}.__getitem__)
    return entry


@pytest.fixture
def tiny_by_gzip(tmp_path, monkeypatch):
    entry = tiny_entry(tmp_path, "gzip")
    monkeypatch.setattr(sources, "CATALOGUE", MappingProxyType({"tiny": entry}))
    return entry


def spoil(folder, split, content, array):
    write_idx(folder / NAMES[split, content], np.asarray(array, np.uint8))


def assert_is_tiny(data_set):
    for split in ("train", "test"):
        images = data_set.split(split)
        assert torch.equal(images.images, torch.from_numpy(IMAGES[split])[:, None])
        assert images.labels.tolist() == LABELS[split].tolist()


def test_the_sample_needs_nothing(tmp_path):
    data_set = load_data_set("mnist-sample", allow_download=False)
    assert data_set.split("train").class_counts() == (400,) * 10
    assert data_set.split("test").class_counts() == (100,) * 10
    assert data_set.split("train").image_shape == (1, 28, 28)
    assert data_set.licence.startswith("CC BY-SA 3.0")
    assert "MNIST's train split" in data_set.notes[0]
    assert len(fetch("mnist-sample")) == 4
    assert not (tmp_path / "cache").exists()


def test_files_are_sought_in_order(tmp_path, tiny, monkeypatch):
    first, second, third = (tmp_path / name for name in ("given", "environment", "cache/data"))
    monkeypatch.setenv("TELLAPART_DATA", str(second))
    assert search_folders("tiny", first) == (first / "tiny", second / "tiny", third / "tiny")
    first.mkdir()
    for root in (third, second, first):
        with pytest.raises(DataError, match="downloading is switched off"):
            load_data_set("tiny", data_dir=first, allow_download=False)
        folder = write_files(root / "tiny", compress=root is third)
        assert_is_tiny(load_data_set("tiny", data_dir=first, allow_download=False))
        # Now spoilt: were it not the first to be looked at, the next round would not notice.
        spoil(folder, "test", "labels", [0, 0])
        if root is not first:
            (folder / NAMES["test", "labels"]).unlink()
            (folder / f"{NAMES['test', 'labels']}.gz").unlink(missing_ok=True)


def test_a_wrong_file_is_refused_and_not_passed_over(tmp_path, tiny, monkeypatch):
    monkeypatch.setenv("TELLAPART_DATA", str(tmp_path))
    write_files(tmp_path / "cache" / "data" / "tiny")
    spoil(write_files(tmp_path / "tiny"), "test", "images", np.ones((2, 2, 3)))
    with pytest.raises(DataError) as error:
        load_data_set("tiny")
    found = hashlib.sha256((tmp_path / "tiny" / NAMES["test", "images"]).read_bytes()).hexdigest()
    text = str(error.value)
    assert text.startswith(f"{tmp_path / 'tiny' / NAMES['test', 'images']}: SHA-256")
    assert found in text
    assert tiny.files[2].sha256 in text
    assert "delete it to have it fetched, or name the right folder with --data-dir" in text


def test_offline_the_error_reports_where_it_looked_and_what_to_do(tmp_path, tiny):
    with pytest.raises(DataError) as error:
        load_data_set("tiny")
    text = str(error.value)
    assert text.startswith("tiny: train-images-idx3-ubyte[.gz] is not in")
    assert str(tmp_path / "cache" / "data" / "tiny") in text
    assert "not fetched: no network in this test" in text
    assert "'mnist-sample'" in text
    assert "--data-dir" in text
    assert len(text.splitlines()) == 2


def test_a_data_folder_that_is_missing_is_refused(tmp_path, tiny):
    with pytest.raises(DataError, match=r"the data folder .*typo does not exist; make it"):
        load_data_set("tiny", data_dir=tmp_path / "typo")


@pytest.fixture
def network(tmp_path, tiny, monkeypatch):
    """A download that copies the published file, as the real one calls and checks it."""
    requested = []

    def copy(urls, target, *, check, max_bytes, progress):
        requested.append(list(urls))
        content = (tmp_path / "published" / target.name).read_bytes()
        assert len(content) <= max_bytes
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        check(target)
        if progress:
            progress(len(content), len(content))

    monkeypatch.setattr(catalogue_files, "download", copy)
    return requested


def test_what_is_missing_is_downloaded_into_the_cache(tmp_path, tiny, network):
    seen = []
    data_set = load_data_set("tiny", progress=lambda done, total: seen.append((done, total)))
    assert_is_tiny(data_set)
    name = "train-images-idx3-ubyte.gz"
    assert network[0] == [f"http://first/{name}", f"http://second/{name}"]
    assert len(network) == 4
    assert seen[-1] == (tiny.download_bytes, tiny.download_bytes)
    assert seen == sorted(seen)
    load_data_set("tiny")
    assert len(network) == 4  # nothing more was asked for


def test_fetch_puts_the_files_where_it_is_told(tmp_path, tiny, network):
    paths = fetch("tiny", data_dir=tmp_path / "new")
    assert paths == [tmp_path / "new" / "tiny" / f"{name}.gz" for name in NAMES.values()]
    paths[1].unlink()
    assert fetch("tiny", data_dir=tmp_path / "new") == paths
    assert len(network) == 5
    paths[2].write_bytes(paths[0].read_bytes())
    with pytest.raises(DataError, match="SHA-256 of the uncompressed bytes is"):
        fetch("tiny", data_dir=tmp_path / "new")


def test_fetch_refuses_an_unknown_name():
    with pytest.raises(DataError, match="no data set is called 'mnis'; did you mean 'mnist'"):
        fetch("mnis")


# Where only the digest of the gzipped file is known


def test_a_published_gzip_is_checked_before_it_is_unpacked(tmp_path, tiny_by_gzip):
    folder = write_files(tmp_path / "tiny", compress=True)
    data_set = load_data_set("tiny", data_dir=tmp_path)
    assert_is_tiny(data_set)
    assert data_set.notes == tiny_by_gzip.notes
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))
    with pytest.raises(
        DataError, match=r"compressed anew; .*unpack it to use it unchecked"
    ) as error:
        load_data_set("tiny", data_dir=tmp_path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in str(error.value)
    assert tiny_by_gzip.files[0].sha256 in str(error.value)


def test_a_raw_file_that_cannot_be_checked_is_taken_with_a_note(tmp_path, tiny_by_gzip):
    folder = write_files(tmp_path / "tiny", compress=True)
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    spoil(folder, "test", "labels", LABELS["test"])
    data_set = load_data_set("tiny", data_dir=tmp_path)
    path = folder / "t10k-labels-idx1-ubyte"
    assert data_set.notes[-1] == (
        f"{path} was not checked: only the digest of the published "
        "t10k-labels-idx1-ubyte.gz is known."
    )
    assert len(data_set.notes) == len(tiny_by_gzip.notes) + 1
    spoil(folder, "test", "labels", [1])
    with pytest.raises(DataError, match="holds 9 bytes, the true t10k-labels-idx1-ubyte 10"):
        load_data_set("tiny", data_dir=tmp_path)


# Real data


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_real_files_are_what_the_catalogue_states(name, monkeypatch, real_data):
    data_set = load_data_set(name, data_dir=real_data, allow_download=False)
    assert len(data_set.split("train")) == 60_000
    assert len(data_set.split("test")) == 10_000
    assert data_set.name == name
    assert min(data_set.split("test").class_counts()) > 800


def test_the_samples_origin_is_as_its_note_states(real_data):
    """All 5,000 are in MNIST's train split with the same label, none in test, none twice."""
    sample, mnist = load_data_set("mnist-sample"), load_data_set("mnist", data_dir=real_data)

    def pictures(data_set, split):
        images = data_set.split(split)
        return [
            (image.numpy().tobytes(), int(label))
            for image, label in zip(images.images, images.labels, strict=True)
        ]

    digits = {*pictures(sample, "train"), *pictures(sample, "test")}
    assert len(digits) == 5_000
    assert digits <= set(pictures(mnist, "train"))
    assert not digits & set(pictures(mnist, "test"))


_REAL_DATA = os.environ.get("TELLAPART_DATA")


@pytest.fixture
def real_data():
    if not _REAL_DATA:
        pytest.skip("needs TELLAPART_DATA with mnist/ and fashion-mnist/")
    return Path(_REAL_DATA)
