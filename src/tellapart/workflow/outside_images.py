"""Images that a classifier is not asked about: read as it takes them, whatever they show."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tellapart.data.image_set import DataSet
from tellapart.data.images.digests import num_cores
from tellapart.data.images.files import find_images
from tellapart.data.images.fitted import FittedImage
from tellapart.data.images.listing import ReadableFile
from tellapart.data.images.opening import quiet_pillow
from tellapart.data.preparation import Preparation
from tellapart.data.sets.catalogue import CATALOGUE
from tellapart.data.sets.folder import IMAGE_FOLDER
from tellapart.data.sets.sources import SOURCES
from tellapart.errors import DataError
from tellapart.files import expand_home
from tellapart.models.reading import read_image
from tellapart.models.spec import ClassifierSpec
from tellapart.runs.data import open_data
from tellapart.runs.drawings import correct_drawings
from tellapart.runs.session import Session
from tellapart.wording import listed, plural

# They are all held in memory; of more files so many are taken, evenly.
_MOST_FILES = 10_000


@dataclass(frozen=True)
class OutsideImages:
    """Images of another kind.

    Args:
        name: what they are called in tables.
        images: uint8 (images, channels, height, width), in the form that the classifier takes.
        paths: the file of each image; empty for arrays.
    """

    name: str
    images: Tensor
    paths: tuple[str, ...] = ()


def load_outside_images(
    data: str | Path, spec: ClassifierSpec, session: Session, *, as_is: bool = False
) -> OutsideImages:
    """Load images to compare with a classifier's own; their labels, if any, are not used.

    Image files, alone, in folders or behind a pattern, are read as `predict` reads them. Of a data
    set the test split is taken, or all images where it has none.

    Args:
        data: a name of the catalogue, a table, an archive, a folder, a file or a pattern.
        spec: of the classifier.
        session: data folder and callbacks.
        as_is: keep drawings as they are.

    Raises:
        DataError: no image, or arrays of another shape than the classifier takes.
    """
    loaded = (
        _from_files(str(data), spec, session, as_is=as_is)
        if _holds_files(data)
        else _from_data_set(data, spec, session, as_is=as_is)
    )
    shape = tuple(loaded.images.shape[1:])
    if shape != spec.image_shape:
        raise DataError(
            f"--outside {data} has arrays of (channels, height, width) {shape}, and the classifier "
            f"takes {spec.image_shape}; give them as image files, which are converted as predict "
            "converts them"
        )
    return loaded


def _holds_files(data: str | Path) -> bool:
    """Whether a person means image files and no data set with a form of its own."""
    if isinstance(data, str) and data in CATALOGUE:
        return False
    path = expand_home(data)
    if not path.exists():
        return "*" in str(data) or "?" in str(data) or not _may_be_data_set(path)
    mine = next((kind for kind in SOURCES if kind.is_mine(path)), None)
    return mine is None or mine is IMAGE_FOLDER


def _may_be_data_set(path: Path) -> bool:
    # A name without a place, which was meant to be one of the catalogue.
    return len(path.parts) == 1 and not path.suffix


def _from_files(data: str, spec: ClassifierSpec, session: Session, *, as_is: bool) -> OutsideImages:
    files = find_images([data])
    if len(files) > _MOST_FILES:
        session.callbacks.note(
            f"--outside {data}: {_MOST_FILES:,} of {len(files):,} images are taken, evenly"
        )
        files = [files[place * len(files) // _MOST_FILES] for place in range(_MOST_FILES)]
    with quiet_pillow(), ThreadPoolExecutor(num_cores()) as pool:
        read = functools.partial(_read, spec=spec, as_is=as_is)
        found = list(pool.map(read, files))
    pairs = list(zip(files, found, strict=True))
    kept = [
        (file, image) for file, image in pairs if isinstance(image, FittedImage) and image.found
    ]
    if not kept:
        raise DataError(
            f"--outside {data}: none of {plural(len(files), 'image')} can be read, such as "
            f"{files[0]}; give other images"
        )
    _tell_of_left_out(data, pairs, session)
    return OutsideImages(
        Path(data).name or data,
        torch.from_numpy(np.stack([image.pixels for _, image in kept])),
        tuple(os.fspath(file) for file, _ in kept),
    )


def _read(file: ReadableFile, spec: ClassifierSpec, as_is: bool) -> FittedImage | DataError:
    try:
        return read_image(file, spec, as_is=as_is)
    except DataError as error:
        return error


def _tell_of_left_out(
    data: str, pairs: Sequence[tuple[ReadableFile, FittedImage | DataError]], session: Session
) -> None:
    errors = [str(file) for file, image in pairs if isinstance(image, DataError)]
    blank = [str(f) for f, image in pairs if isinstance(image, FittedImage) and not image.found]
    for paths, reason in ((errors, "cannot be read"), (blank, "show no drawing")):
        if paths:
            session.callbacks.note(
                f"--outside {data}: {plural(len(paths), 'file')} left out that {reason}: "
                f"{listed(paths, 3)}"
            )


def _from_data_set(
    data: str | Path, spec: ClassifierSpec, session: Session, *, as_is: bool
) -> OutsideImages:
    channels, height, width = spec.image_shape
    preparation = Preparation(
        channels=channels,
        height=height,
        width=width,
        fit=spec.fit,
        white_level=spec.white_level,
        test_fraction=0.0,
        undivided="test",
        near_duplicates="ignore",
    )
    # Not `load`, which asks for two classes: here labels mean nothing.
    data_set = open_data(data, session).read(preparation, session.callbacks.on_decoding)
    corrected = correct_drawings(data_set, None if as_is else spec.style, data_set.splits, session)
    if corrected.changes:
        session.callbacks.note(f"--outside {data}: {corrected.to_text()}")
    return _taken(corrected.data_set)


def _taken(data_set: DataSet) -> OutsideImages:
    """The test split, or all images of a data set without one."""
    chosen = ["test"] if "test" in data_set.splits else list(data_set.splits)
    images = torch.cat([data_set.splits[split].images for split in chosen])
    paths = [os.fspath(file) for split in chosen for file in data_set.files.get(split, ())]
    return OutsideImages(data_set.name, images, tuple(paths) if len(paths) == len(images) else ())
