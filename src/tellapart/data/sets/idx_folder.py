"""A folder of IDX files under MNIST's usual names, as a data set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.sets.idx import IdxFile, IdxPair, read_idx_pair
from tellapart.data.sets.source import DataSource, opened_ready
from tellapart.errors import DataError

_PREFIXES = {"train": "train", "test": "t10k"}
_IMAGES_ENDINGS = ("images-idx3-ubyte", "images-idx4-ubyte")
_LABELS_ENDINGS = ("labels-idx1-ubyte",)


def load_idx_folder(folder: Path) -> DataSet:
    """Load ``train``, and ``test`` where it is there, from IDX files under MNIST's usual names.

    ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the same with ``t10k``; a dot in
    place of the second hyphen and ``.gz`` at the end are fine. Of several spellings the raw file
    is read before the gzipped one. Classes are called ``0`` to the highest label of train.

    Raises:
        DataError: where a file is missing or damaged, the pictures of the splits differ in shape,
            a class has no picture in train, or test has a label that train has not.
    """
    pairs = {}
    for split in ("train", "test"):
        paths = _find_pair(folder, split)
        if paths is not None:
            pairs[split] = read_idx_pair(*paths)
    for split, pair in pairs.items():
        if not len(pair.images.array):
            raise DataError(
                f"{folder}: its {split} files hold no picture; a split needs at least 1"
            )
        _require_same_images(folder, pairs["train"].images, pair.images)
    class_names = _class_names_of(folder, pairs)
    return DataSet(
        name=folder.resolve().name,
        splits=image_sets(class_names, pairs),
        fingerprint=fingerprint(class_names, pairs),
        provenance=f"IDX files in {folder.resolve()}",
    )


def holds_idx_files(folder: Path) -> bool:
    """Whether ``folder`` has an IDX file of any split, under a usual name."""
    endings = (_IMAGES_ENDINGS, _LABELS_ENDINGS)
    return any(_find_first(folder, split, e) for split in _PREFIXES for e in endings)


def find_idx_file(name: str, folders: Iterable[Path]) -> Path | None:
    """The IDX file ``name`` in the first folder that has it, in a spelling that is in use.

    ``train-images-idx3-ubyte`` is also found as ``train-images.idx3-ubyte``, as unpacking programs
    call it, and either of them with ``.gz``.
    """
    dotted = name.replace("-idx", ".idx")
    for folder in folders:
        for spelling in (name, dotted, f"{name}.gz", f"{dotted}.gz"):
            path = folder / spelling
            try:
                if path.is_file():
                    return path
            except OSError as error:
                raise DataError(f"{path}: cannot be looked up: {error.strerror}") from error
    return None


def image_sets(class_names: tuple[str, ...], pairs: Mapping[str, IdxPair]) -> dict[str, ImageSet]:
    """The image set of each split; pictures without a channel dimension get one channel.

    Raises:
        DataError: where a label lies outside ``class_names``.
    """
    return {split: _image_set(class_names, pair) for split, pair in pairs.items()}


def fingerprint(class_names: tuple[str, ...], pairs: Mapping[str, IdxPair]) -> str:
    """SHA-256 of a JSON text: the class names, then per split the digests of its two raw files.

    Reading has those digests already, so nothing is hashed twice; and a data set has the same
    fingerprint whether its files are raw or gzipped, and wherever they are.
    """
    digests = {split: [pair.images.sha256, pair.labels.sha256] for split, pair in pairs.items()}
    text = json.dumps({"class_names": class_names, "splits": digests}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _image_set(class_names: tuple[str, ...], pair: IdxPair) -> ImageSet:
    pictures = pair.images.array
    if pictures.ndim == 3:
        pictures = pictures[:, np.newaxis]  # (count, 1, height, width)
    return ImageSet(
        images=torch.from_numpy(pictures),
        labels=torch.from_numpy(pair.labels.array.astype(np.int64)),
        class_names=class_names,
    )


def _find_pair(folder: Path, split: Literal["train", "test"]) -> tuple[Path, Path] | None:
    """Images and labels of ``split``; None where there is neither, which only test may be."""
    images = _find_first(folder, split, _IMAGES_ENDINGS)
    labels = _find_first(folder, split, _LABELS_ENDINGS)
    if images and labels:
        return images, labels
    if split == "test" and not images and not labels:
        return None
    lacking = " and ".join(
        f"{_PREFIXES[split]}-{endings[0]}[.gz]"
        for path, endings in ((images, _IMAGES_ENDINGS), (labels, _LABELS_ENDINGS))
        if path is None
    )
    raise DataError(f"{folder}: no {lacking} in it; put the IDX files there under these names")


def _find_first(folder: Path, split: str, endings: tuple[str, ...]) -> Path | None:
    paths = (find_idx_file(f"{_PREFIXES[split]}-{ending}", [folder]) for ending in endings)
    return next(filter(None, paths), None)


def _require_same_images(folder: Path, train: IdxFile, other: IdxFile) -> None:
    if train.array.shape[1:] != other.array.shape[1:]:
        raise DataError(
            f"{folder}: pictures of train are {train.array.shape[1:]}, those of test "
            f"{other.array.shape[1:]}; all pictures of a data set must have one shape"
        )


def _class_names_of(folder: Path, pairs: Mapping[str, IdxPair]) -> tuple[str, ...]:
    counts = np.bincount(pairs["train"].labels.array)
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        raise DataError(
            f"{folder}: train has labels up to {len(counts) - 1}, but no picture with label "
            f"{', '.join(map(str, empty))}; number the classes from 0 without a gap"
        )
    if "test" in pairs and (highest := pairs["test"].labels.array.max()) >= len(counts):
        raise DataError(
            f"{folder}: test has label {highest}, but train only 0 to {len(counts) - 1}; "
            "train must have pictures of every class that is tested"
        )
    return tuple(str(label) for label in range(len(counts)))


IDX_FOLDER = DataSource(
    name="a folder of IDX files",
    is_mine=lambda path: path.is_dir() and holds_idx_files(path),
    open=lambda path: opened_ready(load_idx_folder(path)),
)
