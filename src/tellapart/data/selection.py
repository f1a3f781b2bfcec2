"""Selecting some classes of a data set, or a few images of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import torch

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.errors import DataError
from tellapart.wording import did_you_mean, listed

_T = TypeVar("_T")


def select_classes(data_set: DataSet, names: Sequence[str]) -> DataSet:
    """Return the data set with only these classes, with new labels in the order of the data set.

    The fingerprint is not changed: it identifies the source, and the recipe the selection.

    Args:
        data_set: the data set to select from.
        names: the classes to keep; empty keeps all.

    Raises:
        DataError: an unknown class.
    """
    if not names:
        return data_set
    known = data_set.class_names
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, otherwise=f"it has: {listed(known, limit=20)}")
            raise DataError(f"{data_set.name} has no class {name!r} (data.classes){hint}")
    kept = tuple(name for name in known if name in names)
    note = f"{len(kept)} of {len(known)} classes are taken: {', '.join(kept)}."
    return replace(
        data_set,
        splits={split: _of_classes(part, kept) for split, part in data_set.splits.items()},
        files={split: _of_kept(data_set, split, kept, f) for split, f in data_set.files.items()},
        near_groups=_groups_of_classes(data_set, kept),
        groups={split: _of_kept(data_set, split, kept, n) for split, n in data_set.groups.items()},
        columns={
            split: {name: _of_kept(data_set, split, kept, cells) for name, cells in part.items()}
            for split, part in data_set.columns.items()
        },
        notes=(*data_set.notes, note),
    )


def _groups_of_classes(data_set: DataSet, kept: tuple[str, ...]) -> dict[str, torch.Tensor] | None:
    if data_set.near_groups is None:
        return None
    names = data_set.class_names
    wanted = torch.tensor([label for label, name in enumerate(names) if name in kept])
    return {
        split: groups[torch.isin(data_set.split(split).labels.cpu(), wanted)]
        for split, groups in data_set.near_groups.items()
    }


def _of_kept(
    data_set: DataSet, split: str, kept: tuple[str, ...], items: tuple[_T, ...]
) -> tuple[_T, ...]:
    """Return those of the ``items``, one for each image of the split, of the classes kept."""
    labels = data_set.split(split).labels.tolist()
    return tuple(
        item
        for item, label in zip(items, labels, strict=True)
        if data_set.class_names[label] in kept
    )


def _of_classes(part: ImageSet, kept: tuple[str, ...]) -> ImageSet:
    numbers = torch.full((part.num_classes,), -1, dtype=torch.int64, device=part.labels.device)
    for number, name in enumerate(kept):
        numbers[part.class_names.index(name)] = number
    labels = numbers[part.labels]
    wanted = labels >= 0
    return ImageSet(part.images[wanted], labels[wanted], kept)


def match_classes(image_set: ImageSet, class_names: Sequence[str], name: str) -> ImageSet:
    """Return the same images with labels that are indices into ``class_names``.

    Classes are matched by name, in any order; some may have no image here.

    Args:
        image_set: the images.
        class_names: the classes of a classifier, in its order.
        name: the name of the data set, for error messages.

    Raises:
        DataError: images of a class that is not among ``class_names``.
    """
    wanted = tuple(class_names)
    if image_set.class_names == wanted:
        return image_set
    counts = zip(image_set.class_names, image_set.class_counts(), strict=True)
    unknown = [repr(known) for known, count in counts if count and known not in wanted]
    if unknown:
        known_words = ", ".join(map(repr, wanted[:5])) + (", ..." if len(wanted) > 5 else "")
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise DataError(
            f"{name} has images of {', '.join(unknown[:5])}{more}, which the classifier does not "
            f"know; it knows {known_words}: leave them out, or fine-tune the classifier to them"
        )
    numbers = [wanted.index(known) if known in wanted else 0 for known in image_set.class_names]
    labels = torch.tensor(numbers, device=image_set.labels.device)[image_set.labels]
    return replace(image_set, labels=labels, class_names=wanted)


def few_shots(train: ImageSet, shots: int, seed: int) -> ImageSet:
    """Return ``shots`` images of each class, drawn at random, in the order of ``train``.

    A larger draw with the same seed contains every smaller one.

    Args:
        train: the images to draw from.
        shots: images per class, at least 1.
        seed: the same seed draws the same images.

    Raises:
        DataError: a class with fewer images.
    """
    too_few = [
        f"{name!r} has {count}"
        for name, count in zip(train.class_names, train.class_counts(), strict=True)
        if count < shots
    ]
    if too_few:
        raise DataError(
            f"{shots} shots ask for {shots} training images a class, and class "
            f"{listed(too_few)}; set data.shots to at most that"
        )
    generator = torch.Generator().manual_seed(seed)
    labels = train.labels.cpu()
    shuffled = torch.randperm(len(labels), generator=generator)
    by_class = [shuffled[labels[shuffled] == label] for label in range(train.num_classes)]
    drawn = torch.cat([members[:shots] for members in by_class]).sort().values
    return train.select(drawn.to(train.labels.device))
