"""Pictures in an ``.npz`` archive of arrays, as Keras and MedMNIST write them.

::

    x_train, y_train, x_test, y_test            and x_val, y_val; or
    train_images, train_labels, test_images, test_labels, and val_images, val_labels

Pictures are uint8, (n, height, width), (n, height, width, channels) or (n, channels, height,
width); labels are whole numbers from 0, or names, (n,) or (n, 1). What a file claims about itself
is not believed: nothing is read that is larger than the archive says and the limit allows, and
nothing in it is run.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.sets.source import DataSource, OpenedSource, opened_ready
from tellapart.errors import DataError

MAX_BYTES = 8 * 2**30
"""The most uncompressed bytes that one array may hold, 8 GiB."""

_SPELLINGS = {
    "train": (("x_train", "y_train"), ("train_images", "train_labels")),
    "validation": (("x_val", "y_val"), ("x_valid", "y_valid"), ("val_images", "val_labels")),
    "test": (("x_test", "y_test"), ("test_images", "test_labels")),
}
_CLASS_NAMES = "class_names"
_REMEDY = "fetch or write the file again"


def load_arrays(path: Path) -> tuple[dict[str, ImageSet], str]:
    """The splits of an archive, and the SHA-256 of its class names, pictures and labels.

    Raises:
        DataError: where the archive is damaged, lacks the arrays of train, or an array has another
            type or shape, or labels do not run from 0 without a gap.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy"): name for name in archive.namelist()}
            found = {
                split: (_read(path, archive, names[x]), _read(path, archive, names[y]))
                for split, spellings in _SPELLINGS.items()
                for x, y in spellings
                if x in names and y in names
            }
            given = _read(path, archive, names[_CLASS_NAMES]) if _CLASS_NAMES in names else None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}; {_REMEDY}") from error
    # An archive with a password, or an unknown compression, raises the last two.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{path}: is a damaged .npz archive: {error}; {_REMEDY}") from error
    if "train" not in found:
        raise DataError(
            f"{path}: has no x_train and y_train (or train_images and train_labels); it has: "
            f"{', '.join(names) or 'nothing'}"
        )
    pictures = {split: _pictures(path, split, arrays[0]) for split, arrays in found.items()}
    class_names, labels = _labels(path, {split: y for split, (_, y) in found.items()}, given)
    splits = {}
    for split, images in pictures.items():
        if not len(images) or len(images) != len(labels[split]):
            raise DataError(
                f"{path}: {split} has {len(images)} pictures and {len(labels[split])} labels; "
                "there must be at least one, and one label per picture"
            )
        if images.shape[1:] != pictures["train"].shape[1:]:
            raise DataError(
                f"{path}: pictures of train are {tuple(pictures['train'].shape[1:])}, those of "
                f"{split} {tuple(images.shape[1:])}; all must have one shape"
            )
        splits[split] = ImageSet(images, torch.from_numpy(labels[split]), class_names)
    return splits, _digest(class_names, splits)


def _read(path: Path, archive: zipfile.ZipFile, member: str) -> NDArray[Any]:
    """One array, after its header was held against the archive's own table."""
    info = archive.getinfo(member)
    if info.file_size > MAX_BYTES:
        raise DataError(
            f"{path}: {member} claims {info.file_size} bytes; at most {MAX_BYTES} are read: "
            "split the data set, or give its pictures as files"
        )
    with archive.open(member) as file:
        try:
            version = np.lib.format.read_magic(file)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, fortran, dtype = read_header(file)
        except (ValueError, KeyError, SyntaxError, TypeError, OverflowError) as error:
            raise DataError(f"{path}: {member} is not a NumPy array: {error}; {_REMEDY}") from None
        if dtype.hasobject or dtype.kind not in "uibU" or min(shape, default=0) < 0:
            raise DataError(
                f"{path}: {member} must hold whole numbers or names, got {dtype}; pictures are "
                "uint8 from 0 to 255"
            )
        count = int(np.prod(shape, dtype=object)) if shape else 1
        content = file.read()
        if count * dtype.itemsize != len(content):
            raise DataError(
                f"{path}: {member} claims {shape} of {dtype}, {count * dtype.itemsize} bytes, and "
                f"holds {len(content)}; {_REMEDY}"
            )
    flat = np.frombuffer(bytearray(content), dtype) if count else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def _pictures(path: Path, split: str, array: NDArray[Any]) -> torch.Tensor:
    """uint8 (n, channels, height, width)."""
    if array.ndim == 3:
        array = array[:, np.newaxis]
    elif array.ndim == 4 and array.shape[3] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1] not in (1, 3):
        raise DataError(
            f"{path}: pictures of {split} must be uint8 (n, height, width) or (n, height, width, "
            f"channels) with 1 or 3 channels, got {array.dtype} {array.shape}"
        )
    if 0 in array.shape[1:]:
        raise DataError(f"{path}: pictures of {split} have no pixel, got {array.shape}")
    return torch.from_numpy(np.ascontiguousarray(array))


def _labels(
    path: Path, found: dict[str, NDArray[Any]], given: NDArray[Any] | None
) -> tuple[tuple[str, ...], dict[str, NDArray[np.int64]]]:
    """The names of the classes, and per split an index into them."""
    flat = {split: _flat_labels(path, split, array) for split, array in found.items()}
    trained = set(flat["train"].tolist())
    for split, labels in flat.items():
        unknown = sorted(set(labels.tolist()) - trained, key=str)
        if unknown:
            raise DataError(
                f"{path}: {split} has labels that train has not: "
                f"{', '.join(map(str, unknown[:5]))}; "
                "train must have pictures of every class that is tested"
            )
    if flat["train"].dtype.kind == "U":
        present = np.unique(flat["train"])
        indices = {split: np.searchsorted(present, labels) for split, labels in flat.items()}
        return tuple(map(str, present)), indices
    if trained != set(range(len(trained))):
        raise DataError(
            f"{path}: labels must run from 0 without a gap, got {len(trained)} of them from "
            f"{min(trained)} to {max(trained)}; number the classes anew"
        )
    names = tuple(map(str, range(len(trained)) if given is None else given.ravel()))
    if len(names) != len(trained) or len(set(names)) != len(names):
        raise DataError(
            f"{path}: {_CLASS_NAMES} must name each of the {len(trained)} classes once, "
            f"got {len(names)}: {', '.join(names[:5])}"
        )
    return names, {split: labels.astype(np.int64) for split, labels in flat.items()}


def _flat_labels(path: Path, split: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "uiU" or not len(array):
        raise DataError(
            f"{path}: labels of {split} must be (n,) or (n, 1), one class per picture, "
            f"got {array.dtype} {array.shape}; several labels per picture cannot be learned here"
        )
    return array


def _digest(class_names: tuple[str, ...], splits: dict[str, ImageSet]) -> str:
    digest = hashlib.sha256("\0".join(class_names).encode())
    for split, part in splits.items():
        digest.update(f"{split}:{tuple(part.images.shape)};".encode())
        digest.update(part.images.numpy().data)
        digest.update(part.labels.numpy().data)
    return digest.hexdigest()


def open_arrays(path: Path) -> OpenedSource:
    """Read an archive as a source; a test split that it lacks is made when it is loaded.

    Raises:
        DataError: as `load_arrays`.
    """
    splits, fingerprint = load_arrays(path)
    provenance = f"arrays in {path.resolve()}"
    return opened_ready(DataSet(path.stem, splits, fingerprint, provenance))


ARRAYS = DataSource(
    name="an .npz archive",
    is_mine=lambda path: path.suffix.lower() == ".npz",
    open=open_arrays,
)
