"""Data sets of IDX files under MNIST's usual names, or similar names."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.images.listing import SPLITS
from tellapart.data.images.split_names import split_named
from tellapart.data.images.walking import is_file, is_folder, is_image_name, walk
from tellapart.data.sets.idx import GZIP_MAGIC, IdxFile, IdxPair, read_idx_pair
from tellapart.data.sets.source import DataSource, opened_ready
from tellapart.errors import DataError

_PREFIXES = {"train": "train", "validation": "val", "test": "t10k"}
_ENDINGS = {"images": "images-idx3-ubyte", "labels": "labels-idx1-ubyte"}
# train-images-idx3-ubyte, test-labels.idx1-ubyte.gz, emnist-digits-train-images-idx3-ubyte
_NAME = re.compile(
    r"(?:.*[-_.])?([a-z]+|t10k)[-_.](images|labels)[-_.]idx[134][-_.]ubyte(\.gz)?", re.IGNORECASE
)
_LOOKS_LIKE_IDX = re.compile(r"idx[1-4]", re.IGNORECASE)
_NUM_NAMED = 5
_CHANNELS = (1, 3)
# Zeros, the code of a type and the number of dimensions.
_IDX_BEGINNING = re.compile(rb"\0\0[\x08\x09\x0b-\x0e][\1-\4]")


@dataclass(frozen=True)
class _Found:
    """The IDX files of a folder: the candidates for each split and content, and the others."""

    files: Mapping[tuple[str, str], list[Path]]
    others: tuple[str, ...]


def load_idx_folder(folder: Path) -> DataSet:
    """Load ``train``, and ``validation`` and ``test`` if they exist, from IDX files.

    ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the same with ``t10k`` or ``test``
    and with ``val``; a dot in place of a hyphen and ``.gz`` at the end are fine, and so is a file
    in a folder of its own name. A raw file is preferred to a gzipped one.
    The files may also lie in ``MNIST/raw`` below, where torchvision puts them. Classes are called
    ``0`` to the highest label of train.

    Raises:
        DataError: where a file is missing or damaged, the images of the splits differ in shape, a
            class has no image in train, or a split has a label that train has not.
    """
    place = _place(folder)
    found = _found(place)
    pairs = {}
    for split in SPLITS:
        paths = _pair(place, split, found)
        if paths is not None:
            pairs[split] = read_idx_pair(*paths)
    for split, pair in pairs.items():
        if not len(pair.images.array):
            raise DataError(f"{place}: its {split} files hold no image; a split needs at least 1")
        _require_same_images(place, split, pairs["train"].images, pair.images)
    class_names = _class_names_of(place, pairs)
    others = ", ".join(found.others)
    return DataSet(
        name=folder.resolve().name,
        splits=image_sets(class_names, pairs),
        fingerprint=fingerprint(class_names, pairs),
        provenance=f"IDX files in {place.resolve()}",
        notes=(f"IDX files that are not read, by their names: {others}",) if others else (),
    )


def holds_idx_files(folder: Path) -> bool:
    """Whether ``folder`` is one of IDX files.

    It is where a file of any split lies in it under a usual name; where such a file lies in a
    folder below, or a name in it only looks like IDX, it is one unless there are images.
    """
    if _found(folder).files:
        return True
    suspects = bool(_found(folder).others) or any(_found(below).files for below in _below(folder))
    if not suspects and not any(_may_be_idx(entry.name) for entry in _entries(folder)):
        return False
    if any(is_image_name(path.name) for path in walk(folder)):
        return False
    return suspects or bool(_idx_by_content(folder))


def find_idx_file(name: str, folders: Iterable[Path]) -> Path | None:
    """Return the IDX file ``name`` in the first folder that has it, in one of its spellings.

    ``train-images-idx3-ubyte`` is also found as ``train-images.idx3-ubyte``, as unpacking programs
    call it, and either of them with ``.gz`` or in a folder of its own name.
    """
    dotted = name.replace("-idx", ".idx")
    for folder in folders:
        for spelling in (name, dotted, f"{name}.gz", f"{dotted}.gz"):
            path = folder / spelling
            try:
                if path.is_file():
                    return path
                if (path / spelling).is_file():
                    return path / spelling
            except OSError as error:
                raise DataError(f"{path}: cannot be looked up: {error.strerror}") from error
    return None


def image_sets(class_names: tuple[str, ...], pairs: Mapping[str, IdxPair]) -> dict[str, ImageSet]:
    """Return the image set of each split; images without a channel dimension get one channel.

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
    pixels = pair.images.array
    if pixels.ndim == 3:
        pixels = pixels[:, np.newaxis]  # (count, 1, height, width)
    elif pixels.shape[1] not in _CHANNELS and pixels.shape[3] in _CHANNELS:
        # (count, height, width, channels) -> (count, channels, height, width)
        pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    return ImageSet(
        images=torch.from_numpy(pixels),
        labels=torch.from_numpy(pair.labels.array.astype(np.int64)),
        class_names=class_names,
    )


def _place(folder: Path) -> Path:
    """The folder itself, or the one below it that holds the files."""
    if _found(folder).files:
        return folder
    below = [path for path in _below(folder) if _found(path).files]
    if len(below) > 1:
        listed = ", ".join(map(str, below[:_NUM_NAMED]))
        raise DataError(
            f"{folder}: several folders in it hold IDX files ({listed}); give one of them, or put "
            "the files of one data set into one folder"
        )
    return below[0] if below else folder


def _below(folder: Path) -> Iterator[Path]:
    """Where torchvision and archives put the files: ``raw``, ``NAME`` and ``NAME/raw``.

    Or further down, where each folder holds nothing but the next one.
    """
    folders = [Path(entry.path) for entry in _entries(folder) if is_folder(Path(entry.path))]
    for path in folders:
        yield path
        if len(folders) > 1 and is_folder(path / "raw"):
            yield path / "raw"
    if len(folders) == 1 and not folders[0].is_symlink():
        yield from _below(folders[0])


def _may_be_idx(name: str) -> bool:
    """Whether a name has no ending of another kind; names of folders mostly have none."""
    return not is_image_name(name) and not name.startswith(".")


def _idx_by_content(folder: Path) -> list[str]:
    """The files in a folder and below it that begin as IDX files do, whatever they are called."""
    return [path.relative_to(folder).as_posix() for path in walk(folder) if _begins_as_idx(path)]


def _begins_as_idx(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            beginning = file.read(4)
        if beginning.startswith(GZIP_MAGIC):
            with gzip.open(path) as file:
                beginning = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return _IDX_BEGINNING.fullmatch(beginning) is not None


def _found(folder: Path) -> _Found:
    files: dict[tuple[str, str], list[Path]] = {}
    others = []
    for entry in _entries(folder):
        # By the name first: a folder may hold a million images, none of which is looked up.
        if not _LOOKS_LIKE_IDX.search(entry.name):
            continue
        file = _unfolded(Path(entry.path))
        if not is_file(file):
            continue
        match = _NAME.fullmatch(file.name)
        split = ("test" if match[1].lower() == "t10k" else split_named(match[1])) if match else None
        if match and split:
            files.setdefault((split, match[2].lower()), []).append(file)
        else:
            others.append(entry.name)
    return _Found(files, tuple(others))


def _unfolded(path: Path) -> Path:
    """The file itself, or the one in a folder of its name, which may be spelled otherwise."""
    if not is_folder(path):
        return path
    inside = [Path(entry.path) for entry in _entries(path) if _NAME.fullmatch(entry.name)]
    return inside[0] if len(inside) == 1 else path / path.name


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """The entries of a folder by name; empty if it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _pair(folder: Path, split: str, found: _Found) -> tuple[Path, Path] | None:
    """Images and labels of ``split``; None if both are missing, which is an error for train."""
    files = {kind: _one(folder, split, kind, found) for kind in _ENDINGS}
    images, labels = files["images"], files["labels"]
    if images and labels:
        return images, labels
    if split != "train" and not images and not labels:
        return None
    lacking = " and ".join(
        f"{_PREFIXES[split]}-{ending}[.gz]" for kind, ending in _ENDINGS.items() if not files[kind]
    )
    named = found.others or ([] if found.files else _idx_by_content(folder))
    others = f" (it has {', '.join(named[:_NUM_NAMED])})" if named else ""
    raise DataError(
        f"{folder}: no {lacking} in it{others}; put the IDX files there under these names"
    )


def _one(folder: Path, split: str, kind: str, found: _Found) -> Path | None:
    """The file of a split and a content: the raw one, if there are several spellings of a name."""
    spellings: dict[str, list[Path]] = {}
    for path in found.files.get((split, kind), ()):
        raw = path.name.removesuffix(".gz").removesuffix(".GZ")
        spellings.setdefault(re.sub(r"[-_.]", "-", raw.lower()), []).append(path)
    if len(spellings) > 1:
        listed = " and ".join(paths[0].name for paths in spellings.values())
        raise DataError(
            f"{folder}: {listed} could both be the {kind} of {split}; keep the files of one data "
            "set in a folder"
        )
    for paths in spellings.values():
        return min(paths, key=lambda path: (path.suffix.lower() == ".gz", path.name.count(".")))
    return None


def _require_same_images(folder: Path, split: str, train: IdxFile, other: IdxFile) -> None:
    if train.array.shape[1:] != other.array.shape[1:]:
        raise DataError(
            f"{folder}: images of train are {train.array.shape[1:]}, those of {split} "
            f"{other.array.shape[1:]}; all images of a data set must have one shape"
        )


def _class_names_of(folder: Path, pairs: Mapping[str, IdxPair]) -> tuple[str, ...]:
    counts = np.bincount(pairs["train"].labels.array)
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        raise DataError(
            f"{folder}: train has labels up to {len(counts) - 1}, but no image with label "
            f"{', '.join(map(str, empty))}; number the classes from 0 without a gap"
        )
    for split, pair in pairs.items():
        if (highest := pair.labels.array.max()) >= len(counts):
            raise DataError(
                f"{folder}: {split} has label {highest}, but train only 0 to {len(counts) - 1}; "
                "train must have images of every class that is tested"
            )
    return tuple(str(label) for label in range(len(counts)))


IDX_FOLDER = DataSource(
    name="a folder of IDX files",
    is_mine=lambda path: path.is_dir() and holds_idx_files(path),
    open=lambda path: opened_ready(load_idx_folder(path)),
)
