"""The interface of data sources, and a data set before its images are read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from tellapart.data.hold_out.division import divide
from tellapart.data.image_set import DataSet
from tellapart.data.images.backgrounds import are_drawings
from tellapart.data.images.digests import Progress
from tellapart.data.images.listing import Listing
from tellapart.data.images.near_duplicates import groups_of, near_duplicates
from tellapart.data.preparation import Preparation
from tellapart.data.sets.form import choose_frame, decoded_sample, own_shape, typical_side
from tellapart.data.sets.grouping import group_files
from tellapart.data.sets.image_files import load_image_files
from tellapart.errors import ConfigError, DataError

# Images that are looked at before a recipe is chosen.
_NUM_SAMPLED = 100


@dataclass(frozen=True)
class DataSource:
    """A kind of data set that a path may hold.

    Args:
        name: of the kind, as an error lists it.
        is_mine: whether the path, which exists, holds such a data set.
        open: lists what is there, without decoding images.
    """

    name: str
    is_mine: Callable[[Path], bool]
    open: Callable[[Path], OpenedSource]


@dataclass(frozen=True)
class OpenedSource:
    """A data set that was found, before its images are read.

    Args:
        name: of the data set.
        train_counts: how many images of each class there are to learn from, before any is held
            out.
        find_shape: returns channels, height and width of the images if no others are requested;
            may read headers.
        read: reads the images in the form of a preparation, and reports progress.
        find_side: returns the typical shorter side of image files in pixels, which take the form
            that is asked for; None for images that have one form only.
        find_sample: returns a few images of train, uint8 (images, channels, height, width).
        shows_signs: whether mirroring changes what an image means; None where that is not known.
        one_class_remedy: what to do where all of it is one class.
        warnings: what a person should know at once, a line each.
    """

    name: str
    train_counts: Mapping[str, int]
    find_shape: Callable[[], tuple[int, int, int]]
    read: Callable[[Preparation, Progress | None], DataSet]
    find_side: Callable[[], int] | None = None
    find_sample: Callable[[], torch.Tensor] | None = None
    shows_signs: bool | None = None
    one_class_remedy: str = "add images of another class"
    warnings: tuple[str, ...] = ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width, if no others are requested.

        Raises:
            DataError: where none of the files looked at is an image.
        """
        return self.find_shape()

    @property
    def has_files(self) -> bool:
        """Whether the images are files, which take the form that is asked for."""
        return self.find_side is not None

    def shows_drawings(self) -> bool:
        """Return whether the images are drawings on a plain background, by a few of them."""
        if self.find_sample is None:
            return False
        return are_drawings(self.find_sample().numpy())

    def load(self, preparation: Preparation, progress: Progress | None = None) -> DataSet:
        """Read the images.

        Args:
            preparation: the form and the splits that are wanted. Where it names no classes, the
                data set is to be learned from, and must have at least two.
            progress: is told of files that are decoded.

        Raises:
            DataError: where an image set cannot be made of it, or everything is of one class.
        """
        if preparation.class_names:
            return self.read(preparation, progress)
        self._require_two(tuple(self.train_counts))
        data_set = self.read(preparation, progress)
        self._require_two(data_set.class_names)
        return data_set

    def _require_two(self, class_names: tuple[str, ...]) -> None:
        if len(class_names) == 1:
            raise DataError(
                f"{self.name} has one class, {class_names[0]!r}; a classifier tells at least 2 "
                f"apart: {self.one_class_remedy}"
            )


def opened_files(listing: Listing) -> OpenedSource:
    """Return the source of listed image files; their headers are read only if needed, and once."""
    find_shape = functools.cache(functools.partial(own_shape, listing))

    def read(preparation: Preparation, progress: Progress | None) -> DataSet:
        grouped = group_files(listing, preparation.group_by)
        frame = choose_frame(preparation, find_shape)
        return load_image_files(grouped, frame, preparation, progress)

    opened = OpenedSource(
        listing.name,
        listing.train_counts(),
        find_shape,
        read,
        find_side=functools.partial(typical_side, listing),
        find_sample=functools.partial(decoded_sample, listing),
    )
    if listing.one_class_remedy:
        return replace(opened, one_class_remedy=listing.one_class_remedy)
    return opened


def opened_ready(
    data_set: DataSet, *, is_known: bool = False, shows_signs: bool | None = None
) -> OpenedSource:
    """Return the source of images that are in memory, in the one form they have.

    Args:
        data_set: with its train split.
        is_known: of the catalogue, and not searched for near duplicates.
        shows_signs: see `OpenedSource`.
    """

    def read(preparation: Preparation, progress: Progress | None) -> DataSet:
        del progress
        if preparation.group_by:
            raise ConfigError(
                f"data.group_by '{preparation.group_by}' finds groups in the paths of image files, "
                f"and {data_set.name} holds arrays without paths; leave it out, or give the images "
                "as files in folders or in a table"
            )
        if is_known:
            preparation = replace(preparation, near_duplicates="ignore")
        return _divided(data_set, preparation)

    train = data_set.split("train")
    counts = dict(zip(train.class_names, train.class_counts(), strict=True))
    return OpenedSource(
        data_set.name,
        counts,
        lambda: train.image_shape,
        read,
        find_sample=lambda: train.images[:: max(1, len(train) // _NUM_SAMPLED)],
        shows_signs=shows_signs,
    )


def _divided(data_set: DataSet, preparation: Preparation) -> DataSet:
    """Return the data set with the splits that it lacks, held out of train."""
    train, given = data_set.split("train"), data_set.splits
    near = None
    if preparation.near_duplicates == "together" and _holds_out(preparation, given):
        near = _near_groups(data_set)
    own = torch.arange(len(train)) if near is None else near["train"]
    division = divide(train.labels, train.class_names, own, tuple(given), preparation)
    parts = {split: train.select(indices) for split, indices in division.indices.items()}
    positions = division.indices if len(parts) > 1 else {}
    if not positions:
        parts = {"train": train}
    if near is not None:
        held_out = {split: own[indices] for split, indices in division.indices.items()}
        data_set = replace(data_set, near_groups={**near, **held_out})
    return replace(
        data_set,
        splits={**given, **parts},
        notes=(*data_set.notes, *division.notes),
        positions=positions,
    )


def _holds_out(preparation: Preparation, given: Collection[str]) -> bool:
    """Whether images of train are wanted for a split that is not given."""
    has_validation = "validation" in given
    return bool(
        (preparation.test_fraction and "test" not in given)
        or (preparation.validation_fraction and not has_validation)
        or (preparation.calibration_fraction and not has_validation)
    )


def _near_groups(data_set: DataSet) -> dict[str, torch.Tensor]:
    """By split the number of each image's group of near duplicates, searched in all splits."""
    images = torch.cat([part.images.cpu() for part in data_set.splits.values()])
    groups = torch.from_numpy(groups_of(near_duplicates(images), len(images)))
    sizes = [len(part) for part in data_set.splits.values()]
    return dict(zip(data_set.splits, torch.split(groups, sizes), strict=True))
