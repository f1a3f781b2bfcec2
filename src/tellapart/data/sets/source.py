"""A data set that was found: what is known of it before its pictures are read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from tellapart.data.hold_out import divide
from tellapart.data.image_set import DataSet
from tellapart.data.images.digests import Progress
from tellapart.data.images.listing import Listing
from tellapart.data.images.near_duplicates import groups_of, near_duplicates
from tellapart.data.preparation import Preparation
from tellapart.data.sets.arrays import load_arrays
from tellapart.data.sets.form import choose_frame, own_shape
from tellapart.data.sets.image_files import load_image_files


@dataclass(frozen=True)
class OpenedSource:
    """A data set whose pictures wait for somebody to say in what form they are wanted.

    Args:
        name: of the data set.
        train_counts: how many pictures of each class there are to learn from, before any is held
            out.
        find_shape: channels, height and width, if nothing else is asked for; may read headers.
        load: reads the pictures; asks for a preparation and for who is told of progress.
    """

    name: str
    train_counts: Mapping[str, int]
    find_shape: Callable[[], tuple[int, int, int]]
    load: Callable[[Preparation, Progress | None], DataSet]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width, if nothing else is asked for.

        Raises:
            DataError: where none of the files looked at is a picture.
        """
        return self.find_shape()


def opened_files(listing: Listing) -> OpenedSource:
    """Of picture files; their headers are read, once, only if somebody asks for their shape."""
    find_shape = functools.cache(functools.partial(own_shape, listing))

    def load(preparation: Preparation, progress: Progress | None) -> DataSet:
        frame = choose_frame(preparation, find_shape)
        return load_image_files(listing, frame, preparation, progress)

    return OpenedSource(listing.name, listing.train_counts(), find_shape, load)


def opened_arrays(path: Path) -> OpenedSource:
    """Of an ``.npz`` archive; reads it.

    Raises:
        DataError: as `tellapart.data.sets.arrays.load_arrays`.
    """
    splits, fingerprint = load_arrays(path)
    provenance = f"arrays in {path.resolve()}"
    return opened_ready(DataSet(path.stem, splits, fingerprint, provenance))


def opened_ready(data_set: DataSet, *, is_known: bool = False) -> OpenedSource:
    """Of pictures that are in memory, in the one form they have.

    Args:
        data_set: with its train split.
        is_known: of the catalogue, and not searched for near duplicates.
    """

    def load(preparation: Preparation, progress: Progress | None) -> DataSet:
        del progress
        if is_known:
            preparation = replace(preparation, near_duplicates="ignore")
        return _divided(data_set, preparation)

    train = data_set.split("train")
    counts = dict(zip(train.class_names, train.class_counts(), strict=True))
    return OpenedSource(data_set.name, counts, lambda: train.image_shape, load)


def _divided(data_set: DataSet, preparation: Preparation) -> DataSet:
    """Return the data set with the splits that it lacks, held out of train."""
    train, given = data_set.split("train"), data_set.splits
    fractions = {"test": preparation.test_fraction, "validation": preparation.validation_fraction}
    groups = torch.arange(len(train))
    if preparation.near_duplicates == "together" and any(
        fraction and split not in given for split, fraction in fractions.items()
    ):
        groups = torch.from_numpy(groups_of(near_duplicates(train.images), len(train)))
    division = divide(train.labels, train.class_names, groups, tuple(given), preparation)
    parts = {split: train.select(indices) for split, indices in division.indices.items()}
    if len(parts) == 1:
        parts = {"train": train}
    return replace(data_set, splits={**given, **parts}, notes=(*data_set.notes, *division.notes))
