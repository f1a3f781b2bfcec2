"""Images in an ``.npz`` archive of arrays, as Keras and MedMNIST write them.

::

    x_train, y_train, x_test, y_test            and x_val, y_val; or
    train_images, train_labels, test_images, test_labels, and val_images, val_labels

Images are uint8, (n, height, width), (n, height, width, channels) or (n, channels, height, width);
labels are whole numbers from 0, names or one-hot rows. A file's header is not
trusted: no array is read that is larger than its entry in the archive or than the limit, and no
code in it is run.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.sets.array_labels import read_labels
from tellapart.data.sets.array_names import roles_of
from tellapart.data.sets.source import DataSource, opened_ready
from tellapart.errors import DataError

MAX_BYTES = 8 * 2**30
"""The most uncompressed bytes that one array may hold, 8 GiB."""

_REMEDY = "fetch or write the file again"


def load_arrays(path: Path) -> DataSet:
    """Load the data set of an archive; its fingerprint is over class names, images and labels.

    Raises:
        DataError: where the archive is damaged, lacks the arrays of train, or an array has another
            type or shape, or labels do not run from 0 without a gap.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            roles = roles_of(path, members)
            wanted = {name for pair in roles.pairs.values() for name in pair} | {roles.class_names}
            arrays = {
                name: _read(path, archive, members[name]) for name in members if name in wanted
            }
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}; {_REMEDY}") from error
    # An archive with a password, or an unknown compression, raises the last two.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{path}: is a damaged .npz archive: {error}; {_REMEDY}") from error
    images = {split: _images(path, pair[0], arrays[pair[0]]) for split, pair in roles.pairs.items()}
    found = {split: (name, arrays[name]) for split, (_, name) in roles.pairs.items()}
    class_names, labels = read_labels(path, found, arrays.get(roles.class_names))
    splits = _image_sets(path, images, labels, class_names)
    return DataSet(
        path.stem,
        splits,
        _digest(class_names, splits),
        f"arrays in {path.resolve()}",
        notes=roles.notes(),
    )


def _image_sets(
    path: Path,
    images: Mapping[str, torch.Tensor],
    labels: Mapping[str, NDArray[np.int64]],
    class_names: tuple[str, ...],
) -> dict[str, ImageSet]:
    train_shape = tuple(images["train"].shape[1:])
    for split, tensor in images.items():
        if not len(tensor) or len(tensor) != len(labels[split]):
            raise DataError(
                f"{path}: {split} has {len(tensor)} images and {len(labels[split])} labels; "
                "there must be at least one, and one label per image"
            )
        if tuple(tensor.shape[1:]) != train_shape:
            raise DataError(
                f"{path}: images of train are {train_shape}, those of {split} "
                f"{tuple(tensor.shape[1:])} (channels, height, width); all must have one shape"
            )
    return {
        split: ImageSet(tensor, torch.from_numpy(labels[split]), class_names)
        for split, tensor in images.items()
    }


def _read(path: Path, archive: zipfile.ZipFile, member: str) -> NDArray[Any]:
    """Read one array, after comparing its header with the archive's table."""
    info = archive.getinfo(member)
    if info.file_size > MAX_BYTES:
        raise DataError(
            f"{path}: {member} claims {info.file_size} bytes; at most {MAX_BYTES} are read: "
            "split the data set, or give its images as files"
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
        name = member.removesuffix(".npy")
        if dtype.hasobject:
            raise DataError(
                f"{path}: {name} holds Python objects, which are never loaded because that can run "
                f"code; save labels as {name}.astype(str) or {name}.astype(int), images as uint8"
            )
        if dtype.kind not in "uibfUS" or not dtype.itemsize or min(shape, default=0) < 0:
            raise DataError(
                f"{path}: {member} must hold numbers or names, got {dtype} {shape}; save images as "
                "uint8 and labels as whole numbers or names"
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


def _images(path: Path, name: str, array: NDArray[Any]) -> torch.Tensor:
    """uint8 (n, channels, height, width)."""
    if array.ndim == 3:
        array = array[:, np.newaxis]
    elif array.ndim == 4 and array.shape[3] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    if array.dtype != np.uint8:
        raise DataError(
            f"{path}: the images in {name} must be uint8 from 0 to 255, got {array.dtype}; save "
            f"{_as_bytes(name, array)}"
        )
    if array.ndim != 4 or array.shape[1] not in (1, 3):
        raise DataError(
            f"{path}: the images in {name} must be (n, height, width) or (n, height, width, "
            f"channels) with 1 or 3 channels, got {array.shape}; {_in_shape(name, array)}"
        )
    if 0 in array.shape[1:]:
        raise DataError(f"{path}: the images in {name} have no pixel, got {array.shape}")
    return torch.from_numpy(np.ascontiguousarray(array))


def _as_bytes(name: str, array: NDArray[Any]) -> str:
    """The remedy for numbers of this kind: how to convert them to uint8."""
    if array.dtype.kind == "b":
        return f'{name}.astype("uint8") * 255'
    if array.dtype.kind not in "uif" or not array.size:
        return "images as uint8"
    low, high = array.min(), array.max()
    if array.dtype.kind == "f" and low >= 0 and high <= 1:
        return f'({name} * 255).round().astype("uint8")'
    if low >= 0 and high <= 255:
        rounded = f"{name}.round()" if array.dtype.kind == "f" else name
        return f'{rounded}.astype("uint8")'
    if array.dtype == np.uint16:
        return f'({name} // 257).astype("uint8") where 65535 is white'
    return f"the values before they were normalised: these run from {low:g} to {high:g}"


def _in_shape(name: str, array: NDArray[Any]) -> str:
    """The remedy for another shape."""
    side = round(float(array.shape[-1]) ** 0.5) if array.ndim == 2 else 0
    if side > 1 and side * side == array.shape[-1]:
        return f"save {name}.reshape(-1, {side}, {side}) where they are {side}x{side} grey"
    if array.ndim == 4 and array.shape[3] == 4:
        return f"for colours without transparency save {name}[..., :3]"
    return "save them in one of these shapes"


def _digest(class_names: tuple[str, ...], splits: dict[str, ImageSet]) -> str:
    digest = hashlib.sha256("\0".join(class_names).encode())
    for split, part in splits.items():
        digest.update(f"{split}:{tuple(part.images.shape)};".encode())
        digest.update(part.images.numpy().data)
        digest.update(part.labels.numpy().data)
    return digest.hexdigest()


ARRAYS = DataSource(
    name="an .npz archive",
    is_mine=lambda path: path.suffix.lower() == ".npz" and not path.is_dir(),
    open=lambda path: opened_ready(load_arrays(path)),
)
