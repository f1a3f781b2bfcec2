"""The images of one split as one tensor, and the data set that holds the splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from tellapart.data.images.listing import LeftOut, ReadableFile
from tellapart.data.preparation import Fit
from tellapart.errors import DataError, ShapeError


@dataclass(frozen=True)
class ImageSet:
    """The images of one split, on one device.

    Args:
        images: uint8, (images, channels, height, width), 0 is black and 255 is white.
        labels: int64, (images,), an index into ``class_names``.
        class_names: the names of the classes; the same in every split of a data set.
        mapped: whether the images are a memory-mapped file, which may be larger than memory: read
            them a batch at a time.

    Raises:
        ShapeError: other shapes or types, or lengths that differ.
        DataError: a label outside ``class_names``.

    >>> import tellapart
    >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    >>> pair = tellapart.ImageSet(images, torch.tensor([0, 1]), ("ant", "bee"))
    >>> len(pair), pair.image_shape, pair.class_counts()
    (2, (1, 28, 28), (1, 1))
    """

    images: torch.Tensor
    labels: torch.Tensor
    class_names: tuple[str, ...]
    mapped: bool = False

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ShapeError(
                "images must be uint8 (images, channels, height, width), "
                f"got {self.images.dtype} {tuple(self.images.shape)}"
            )
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            raise ShapeError(
                f"labels must be int64 ({len(self.images)},), one per image, "
                f"got {self.labels.dtype} {tuple(self.labels.shape)}"
            )
        if len(self.labels):
            low, high = int(self.labels.min()), int(self.labels.max())
            if low < 0 or high >= len(self.class_names):
                raise DataError(
                    f"labels must lie in 0..{len(self.class_names) - 1} "
                    f"({len(self.class_names)} classes), got {low}..{high}"
                )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_classes(self) -> int:
        """The number of classes of the data set, also those with no image in this split."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        _, channels, height, width = self.images.shape
        return channels, height, width

    def class_counts(self) -> tuple[int, ...]:
        """Return the number of images of each class, in the order of ``class_names``."""
        counts = torch.bincount(self.labels, minlength=self.num_classes)
        return tuple(int(count) for count in counts)

    def select(self, indices: torch.Tensor) -> ImageSet:
        """Return the images at ``indices`` (int64, (k,)), in that order, copied into memory."""
        return replace(self, images=self.images[indices], labels=self.labels[indices], mapped=False)

    def to(self, device: torch.device) -> ImageSet:
        """Return the same images on ``device``."""
        return replace(
            self,
            images=self.images.to(device),
            labels=self.labels.to(device),
            mapped=self.mapped and device.type == "cpu",
        )


@dataclass(frozen=True)
class Correction:
    """A wrong label of a data set and the right one, see `tellapart.data.sets.corrections`.

    Args:
        split: of the image, as the source has it; may be empty where a path is given.
        index: of the image in that split; None where a path is given.
        path: of its file, from the data's folder on; empty for an image in arrays.
        given: the class that it has.
        suggested: the class that it should have; empty for no change.
        line: of the file of corrections, for messages; it makes no difference.
    """

    split: str
    index: int | None
    path: str
    given: str
    suggested: str
    line: int = field(default=0, compare=False)

    @property
    def is_change(self) -> bool:
        """Whether it changes the label."""
        return self.suggested not in ("", self.given)


@dataclass(frozen=True)
class DataSet:
    """Images and labels by split, with their origin.

    Args:
        name: the name in the catalogue, or of the folder or file.
        splits: ``train``, and ``validation`` and ``test`` if the source has them.
        fingerprint: hexadecimal SHA-256 over class names, images and labels of all splits.
        provenance: who made it, in one line.
        licence: the terms of use, in a few words.
        notes: facts to know before training on it, one per line.
        fit: how images of another aspect ratio were fitted.
        white_level: which value of images with more than 8 bits is white; 0 where none has so many.
        cache_problem: why decoded images could not be cached; empty if they were, or need not be.
        files: the file of each image by split, if the images come from files.
        left_out: files that were found beside the images but not used, and why.
        near_groups: by split a number for each image, int64 (images,), equal for near duplicates
            of all splits; None if they were not searched for.
        groups: by split the name of each image's group, such as a patient, empty for an image in
            none; without splits if there are no groups.
        columns: by split what else a table has about each image, by the name of its column.
        root: the folder from which paths of files are counted; None for arrays.
        positions: of arrays whose train was divided, by split the index of each image in the train
            that the source has, int64 (images,); without splits that are as the source has them.
        corrections: the changes of labels that were made, each named as `source_place` does.

    Example:
        >>> import tellapart
        >>> digits = tellapart.load_data_set("mnist-sample")
        >>> {name: len(part) for name, part in digits.splits.items()}
        {'train': 4000, 'test': 1000}
    """

    name: str
    splits: Mapping[str, ImageSet]
    fingerprint: str
    provenance: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()
    fit: Fit = "pad"
    white_level: int = 0
    cache_problem: str = ""
    files: Mapping[str, tuple[ReadableFile, ...]] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    near_groups: Mapping[str, torch.Tensor] | None = None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    root: Path | None = None
    positions: Mapping[str, torch.Tensor] = field(default_factory=dict)
    corrections: tuple[Correction, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes' names, in the order of their indices."""
        return next(iter(self.splits.values())).class_names

    def split(self, name: str) -> ImageSet:
        """Return the split called ``name``.

        Raises:
            DataError: a split that this data set does not have.
        """
        if name not in self.splits:
            raise DataError(
                f"data set {self.name!r} has no {name!r} split; it has: {', '.join(self.splits)}"
            )
        return self.splits[name]
