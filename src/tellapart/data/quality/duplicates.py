"""Repeated images of a data set: within a split, across splits, in two classes.

Everything here follows from two divisions of all images, into groups of equal ones and into groups
of near duplicates (`tellapart.data.images.near_duplicates`), so that the findings of a check and
the warning before a training agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.images.near_duplicates import equal_images, groups_of, near_duplicates
from tellapart.data.quality.findings import Finding, FoundImage, found_image
from tellapart.wording import plural

_Ints = NDArray[np.int64]

# At most this many groups are listed.
_NUM_LISTED_GROUPS = 10_000
_COMPARED = (("test", "train"), ("validation", "train"), ("test", "validation"))


def count_equal_images(images: ImageSet, others: ImageSet) -> int:
    """Return how many of ``images`` are in ``others`` with the same pixels; 0 for other shapes.

    Cost: one pass over both; 60,000 images of 28x28 take about 0.2 s.
    """
    if images.image_shape != others.image_shape:
        return 0
    groups = equal_images(torch.cat([images.images.cpu(), others.images.cpu()]))
    return int(np.isin(groups[: len(images)], groups[len(images) :]).sum())


def count_shared_images(data_set: DataSet) -> dict[tuple[str, str], int]:
    """Return how many images of the first split equal, or nearly equal, one of the second.

    The keys are the names of the two splits; every pair of splits is compared.
    """
    groups = near_groups(data_set)
    return {
        (split, other): int(np.isin(groups[split], groups[other]).sum())
        for split, other in _COMPARED
        if split in groups and other in groups
    }


def near_groups(data_set: DataSet) -> dict[str, _Ints]:
    """Return a number for each image of each split, equal for near duplicates of any split.

    They are taken from the data set if loading has found them, else searched for.
    """
    if data_set.near_groups is not None:
        return {split: groups.numpy() for split, groups in data_set.near_groups.items()}
    images = join_splits(data_set)
    groups = groups_of(near_duplicates(images), len(images))
    ends = np.cumsum([len(part) for part in data_set.splits.values()])
    return dict(zip(data_set.splits, np.split(groups, ends[:-1]), strict=True))


def join_splits(data_set: DataSet) -> torch.Tensor:
    """Return the images of all splits, one split behind the other, (images, ...).

    The splits of a mapped set are adjacent in one file, so nothing is copied.
    """
    parts = [part.images for part in data_set.splits.values()]
    first = parts[0]
    starts = np.cumsum([0, *(part.numel() for part in parts)])
    in_place = all(
        part.untyped_storage().data_ptr() == first.untyped_storage().data_ptr()
        and part.storage_offset() == start
        for part, start in zip(parts, starts.tolist(), strict=False)
    )
    if not in_place:
        return torch.cat([part.cpu() for part in parts])
    return first.as_strided((sum(map(len, parts)), *first.shape[1:]), first.stride(), 0)


@dataclass(frozen=True)
class _DescribedImages:
    """The images of all splits, one split after the other, each described by a few numbers.

    Args:
        data_set: the data set.
        labels: (images,).
        split: the number of each image's split, (images,).
        equal: equal for images of the same pixels, (images,).
        near: equal for near duplicates, (images,).
    """

    data_set: DataSet
    labels: _Ints
    split: _Ints
    equal: _Ints
    near: _Ints

    @classmethod
    def of(cls, data_set: DataSet) -> _DescribedImages:
        sizes = [len(part) for part in data_set.splits.values()]
        return cls(
            data_set,
            torch.cat([part.labels.cpu() for part in data_set.splits.values()]).numpy(),
            np.repeat(np.arange(len(sizes)), sizes),
            equal_images(join_splits(data_set)),
            np.concatenate(list(near_groups(data_set).values())),
        )

    def images(self, groups: Sequence[_Ints]) -> tuple[tuple[FoundImage, ...], ...]:
        """Return the images at these indices, of the first groups only."""
        starts = np.searchsorted(self.split, np.arange(len(self.data_set.splits)))
        names = list(self.data_set.splits)

        def image(place: int) -> FoundImage:
            number = int(self.split[place])
            return found_image(self.data_set, names[number], place - int(starts[number]))

        listed = groups[:_NUM_LISTED_GROUPS]
        return tuple(tuple(image(place) for place in group.tolist()) for group in listed)


def repeats(data_set: DataSet) -> Iterator[Finding]:
    """Yield findings of equal and near duplicates: across splits, within one, in two classes."""
    described = _DescribedImages.of(data_set)
    for one, other in combinations(range(len(data_set.splits)), 2):
        yield from _across(described, one, other)
    # Separate numbers for each split, so that only repeats within a split count.
    within = described.split * len(described.split)
    repeated = _is_repeated(described.equal + within)
    if repeated.any():
        yield _within(described, "exact", _grouped(described.equal + within, repeated))
    varied = _groups_of_several(described.near + within, described.equal)
    if varied.any():
        yield _within(described, "near", _grouped(described.near + within, varied))
    mixed = _groups_of_several(described.near, described.labels)
    if mixed.any():
        groups = _grouped(described.near, mixed)
        yield Finding(
            "contradiction",
            "fault",
            f"{_counted(groups)} in a group of equal or nearly equal ones that has more than one "
            "class: at least one label is wrong, or the classes differ in what is too small to see",
            described.images(groups),
        )


def _across(described: _DescribedImages, one: int, other: int) -> Iterator[Finding]:
    """Yield findings of equal images and near duplicates of two splits, given by number."""
    ours, theirs = described.split == one, described.split == other
    exact = theirs & np.isin(described.equal, described.equal[ours])
    near = theirs & np.isin(described.near, described.near[ours]) & ~exact
    names = list(described.data_set.splits)
    for kind, shared, numbers in (
        ("exact", exact, described.equal),
        ("near", near, described.near),
    ):
        if not shared.any():
            continue
        members = shared | (ours & np.isin(numbers, numbers[shared]))
        yield Finding(
            f"{kind} duplicates across splits",
            "leak",
            f"{shared.sum():,} of the {theirs.sum():,} images of {names[other]} are in "
            f"{names[one]} too, {_HOW[kind]}: take them out of one",
            described.images(_grouped(numbers, members)),
        )


_HOW = {"exact": "pixel for pixel", "near": "but for size, compression or light"}


def _within(described: _DescribedImages, kind: str, groups: Sequence[_Ints]) -> Finding:
    return Finding(
        f"{kind} duplicates within a split",
        "fault",
        f"{_counted(groups)} there more than once, {_HOW[kind]}: keep one of each",
        described.images(groups),
    )


def _is_repeated(numbers: _Ints) -> NDArray[np.bool_]:
    """Return whether each number occurs more than once."""
    _, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    repeated: NDArray[np.bool_] = counts[inverse] > 1
    return repeated


def _groups_of_several(groups: _Ints, values: _Ints) -> NDArray[np.bool_]:
    """Return whether each member's group has members with different ``values``."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    different = values != values[first[inverse]]
    return np.isin(groups, groups[different])


def _grouped(groups: _Ints, members: NDArray[np.bool_]) -> list[_Ints]:
    """Return the indices of ``members`` by their group, each ascending."""
    places = np.flatnonzero(members)
    order = places[np.argsort(groups[places], kind="stable")]
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def _counted(groups: Sequence[_Ints]) -> str:
    count = sum(map(len, groups))
    return f"{plural(count, 'image')} (in {plural(len(groups), 'group')}) are"
