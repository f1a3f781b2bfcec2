"""Labels in arrays: numbers, names or one-hot rows, read if their meaning is exact."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError

_REMEDY_NAMES = "or save names: .astype(str)"


def read_labels(
    path: Path, found: Mapping[str, tuple[str, NDArray[Any]]], given: NDArray[Any] | None
) -> tuple[tuple[str, ...], dict[str, NDArray[np.int64]]]:
    """Return the names of the classes, and per split an index into them.

    Args:
        path: of the archive.
        found: of each split, the name of its array of labels, and the array.
        given: the names of the classes 0, 1, ..., where the archive has them.

    Raises:
        DataError: where labels are not one class per image, do not run from 0 without a gap, test
            has some that train has not, or the names do not fit them.
    """
    flat = {split: _flat(path, name, array) for split, (name, array) in found.items()}
    names = None if given is None else _texts(path, "class_names", given.ravel())
    if names is not None and all(_are_numbers(labels) for labels in flat.values()):
        flat = {split: labels.astype(np.int64) for split, labels in flat.items()}
    _require_known(path, found, flat)
    present = np.unique(flat["train"])
    if flat["train"].dtype.kind == "U":
        if names is not None and set(names.tolist()) != set(present.tolist()):
            raise DataError(
                f"{path}: class_names and the labels in {found['train'][0]} are different names "
                f"({_some(names)}; {_some(present)}); use the same, or leave class_names out"
            )
        indices = {split: np.searchsorted(present, labels) for split, labels in flat.items()}
        return tuple(map(str, present)), indices
    count = len(present)
    if present.tolist() != list(range(count)):
        raise DataError(
            f"{path}: labels must run from 0 without a gap, got {count} of them from "
            f"{present[0]} to {present[-1]} in {found['train'][0]}; {_numbered(found['train'][0])}"
        )
    texts = tuple(map(str, range(count) if names is None else names))
    if len(texts) != count or len(set(texts)) != count:
        raise DataError(
            f"{path}: class_names must name each of the {count} classes once, got {len(texts)}: "
            f"{', '.join(texts[:5])}"
        )
    return texts, {split: labels.astype(np.int64) for split, labels in flat.items()}


def _require_known(
    path: Path, found: Mapping[str, tuple[str, NDArray[Any]]], flat: Mapping[str, NDArray[Any]]
) -> None:
    """Refuse labels of another split that train has not."""
    train_name, train = found["train"][0], flat["train"]
    for split, labels in flat.items():
        if (labels.dtype.kind == "U") != (train.dtype.kind == "U"):
            raise DataError(
                f"{path}: one of {train_name} and {found[split][0]} holds names and the other "
                "numbers; save labels of one kind"
            )
        unknown = np.setdiff1d(labels, train)
        if len(unknown):
            raise DataError(
                f"{path}: {split} has labels that train has not: {_some(unknown)}; "
                "train must have images of every class that is tested"
            )


def _flat(path: Path, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Labels as int64 or as text, (n,)."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.dtype.kind in "buif" and array.shape[1] > 1 and len(array):
        return _from_one_hot(path, name, array)
    if array.ndim != 1 or not len(array):
        raise DataError(
            f"{path}: the labels in {name} must be (n,), one class per image, got {array.dtype} "
            f"{array.shape}"
        )
    if array.dtype.kind in "US":
        return _texts(path, name, array)
    if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.round(array))).all():
        raise DataError(
            f"{path}: the labels in {name} are no whole numbers, got {_some(np.unique(array))}; "
            + (
                f"take out the images without a label and save {name}.astype(int)"
                if np.isnan(array).any()
                else f"{_numbered(name)}, {_REMEDY_NAMES}"
            )
        )
    return array.astype(np.int64)


def _from_one_hot(path: Path, name: str, array: NDArray[Any]) -> NDArray[np.int64]:
    """The index of the 1 in each row of zeros."""
    ones = array == 1
    is_binary = (ones | (array == 0)).all()
    if is_binary and (ones.sum(1) == 1).all():
        places: NDArray[np.int64] = ones.argmax(1)
        return places
    if len(array) == 1:  # as MATLAB keeps a list
        raise DataError(
            f"{path}: the labels in {name} are one row, {array.shape}, and must be (n,), one class "
            f"per image; save {name}.ravel()"
        )
    what = "rows with none or several ones" if is_binary else "rows of other values than 0 and 1"
    raise DataError(
        f"{path}: the labels in {name}, {array.dtype} {array.shape}, are {what}; several labels "
        "per image cannot be learned here: save one class per image, for the largest value of each "
        f"row {name}.argmax(1)"
    )


def _numbered(name: str) -> str:
    """How labels of any values become 0, 1, ..."""
    return f"number the classes from 0: np.unique({name}, return_inverse=True)[1]"


def _texts(path: Path, name: str, array: NDArray[Any]) -> NDArray[np.str_]:
    """Names as text; bytes are UTF-8."""
    try:
        if array.dtype.kind == "S":
            return np.char.decode(array, "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: the names in {name} are bytes that are not UTF-8 ({error}); save them as "
            "text: .astype(str)"
        ) from None
    return array.astype(np.str_)


def _are_numbers(labels: NDArray[Any]) -> bool:
    """Whether labels are whole numbers, as such or written out in digits."""
    return labels.dtype.kind != "U" or all(
        label.isdecimal() and str(int(label)) == label for label in np.unique(labels).tolist()
    )


def _some(values: NDArray[Any]) -> str:
    shown = ", ".join(map(str, values[:5].tolist()))
    return shown + (", ..." if len(values) > 5 else "")
