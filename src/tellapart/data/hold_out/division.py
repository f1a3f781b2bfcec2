"""Holding images out of train: the test and the validation split that a data set lacks.

This is the one place where splits are cut, of files and of arrays alike, by `data.split_seed`;
groups that a person has given are held out by `tellapart.data.hold_out.groups`. The test split is
cut first, then validation, both out of train; shots are drawn later from what is left
(`tellapart.runs.splits`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tellapart.data.hold_out.groups import hold_out_groups, separable_groups
from tellapart.data.preparation import Preparation
from tellapart.errors import ConfigError, DataError, ShapeError
from tellapart.wording import percent


@dataclass(frozen=True)
class Division:
    """How the images of train are divided.

    Args:
        indices: int64, ascending, of the images in each split, ``train`` first.
        notes: facts about the division for the person, one per line.
    """

    indices: dict[str, Tensor]
    notes: tuple[str, ...] = ()


def divide(
    labels: Tensor,
    class_names: Sequence[str],
    near: Tensor,
    given: Collection[str],
    preparation: Preparation,
    groups: Tensor | None = None,
) -> Division:
    """Divide train into train and the requested test and validation splits that are missing.

    Both fractions are of all images. Near duplicates stay in one split, see `hold_out`; classes
    with near duplicates only are divided image by image, and a note names them. ``groups`` stay in
    one split too, joined where near duplicates link them, see `hold_out_groups`; they are never
    divided.

    Args:
        labels: of the images of train, int64, (images,), an index into ``class_names``.
        class_names: the classes.
        near: int64, (images,), equal for near duplicates.
        given: the splits that the data set has already.
        preparation: the fractions, the seed, and whether near duplicates stay together.
        groups: int64, (images,), equal for images that the person has put into one group; None
            where there are no groups.

    Raises:
        DataError: a class with fewer than 2 images, or fewer than 2 groups.
    """
    together = preparation.near_duplicates == "together"
    near = near if together else torch.arange(len(labels))
    left, remaining, notes = torch.arange(len(labels)), 1.0, []
    indices: dict[str, Tensor] = {}
    fractions = {"test": preparation.test_fraction, "validation": preparation.validation_fraction}
    missing = {split: part for split, part in fractions.items() if part and split not in given}
    for number, (split, fraction) in enumerate(missing.items()):
        part, seed = min(fraction / remaining, 0.9), preparation.seed
        present, numbered = np.unique(labels[left].cpu().numpy(), return_inverse=True)
        names, own_labels = [class_names[label] for label in present], torch.from_numpy(numbered)
        _require_two_of_each(names, torch.bincount(own_labels))
        if groups is None:
            own_near, alike = _divisible(own_labels, near[left], names)
            kept, held_out = hold_out(own_labels, own_near, part, seed)
            notes.append(_note(split, fraction, preparation, together))
        else:
            joined, alike = separable_groups(own_labels, near[left], groups[left], names, split)
            # The splits that are held out after this one need groups too.
            num_kept = len(missing) - number
            kept, held_out = hold_out_groups(own_labels, joined, names, part, seed, num_kept)
            reached = _reached(labels, left[held_out])
            notes.append(_groups_note(split, fraction, preparation, together, reached))
        indices[split], left = left[held_out], left[kept]
        remaining -= fraction
        notes += [_alike_note(split, alike, in_groups=groups is not None)] if alike else []
    if "validation" in given and preparation.validation_fraction:
        notes.append(
            "the data's own validation split is used: data.validation_fraction "
            f"{preparation.validation_fraction:g} holds nothing out"
        )
    return Division({"train": left, **indices}, tuple(dict.fromkeys(notes)))


def hold_out(labels: Tensor, groups: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Hold out ``fraction`` of every class, with the images of one group in one split.

    A group counts as one image, of the class of its first one; so the fraction is of different
    images, not of copies. A group that is larger than the number to hold out stays in train if the
    class has smaller ones.

    Args:
        labels: int64, (images,), from 0 without a gap.
        groups: int64, (images,), equal for images that stay together.
        fraction: how much to hold out, between 0 and 1, both excluded.
        seed: the same seed gives the same split.

    Returns:
        The indices that stay and those held out, int64, ascending.

    Raises:
        ConfigError, DataError, ShapeError: as :func:`stratified_split`.
    """
    first, group = _first_of_groups(groups)
    sizes = torch.bincount(group)
    allowed = (fraction * torch.bincount(labels)).round().clamp(min=1)
    is_large = sizes > allowed[labels[first]]
    generator = torch.Generator().manual_seed(seed)
    chosen = stratified_split(labels[first], fraction, generator, last=is_large)[1]
    is_held_out = torch.zeros(len(first), dtype=torch.bool)
    is_held_out[chosen] = True
    is_held_out = is_held_out[group]
    return (~is_held_out).nonzero().flatten(), is_held_out.nonzero().flatten()


def _first_of_groups(groups: Tensor) -> tuple[Tensor, Tensor]:
    """Return each group's first image, in the order of the images, and each image's group."""
    _, first, group = np.unique(groups.numpy(), return_index=True, return_inverse=True)
    order = first.argsort()
    return torch.from_numpy(first[order]), torch.from_numpy(order.argsort()[group])


def _divisible(
    labels: Tensor, groups: Tensor, class_names: Sequence[str]
) -> tuple[Tensor, list[str]]:
    """Return groups such that every class has at least two, and the classes that were changed.

    The groups of a class that has fewer are dissolved into single images.
    """
    first, group = _first_of_groups(groups)
    counts = torch.bincount(labels[first], minlength=len(class_names))
    alike = (counts < 2).nonzero().flatten()
    if not len(alike):
        return groups, []
    dissolved = torch.zeros(len(first), dtype=torch.bool)
    dissolved[group[torch.isin(labels, alike)]] = True
    own = torch.where(dissolved[group], torch.arange(len(labels)), first[group])
    return own, [class_names[label] for label in alike.tolist()]


def _note(split: str, fraction: float, preparation: Preparation, together: bool) -> str:
    how = ", look-alikes together," if together else " image by image"
    return (
        f"no {split} split was given: {fraction:.0%} of each class is held out{how} by "
        f"data.split_seed {preparation.seed}"
    )


def _groups_note(
    split: str, fraction: float, preparation: Preparation, together: bool, reached: str
) -> str:
    how = "groups and look-alikes together" if together else "groups together"
    return (
        f"no {split} split was given: of {fraction:.0%} wanted, {reached} are held out, {how}, by "
        f"data.split_seed {preparation.seed}"
    )


def _reached(labels: Tensor, held_out: Tensor) -> str:
    """Return which fraction of all images, and of the classes, is held out, in words."""
    counts = torch.bincount(labels)
    held = torch.bincount(labels[held_out], minlength=len(counts))
    of_classes = (held[counts > 0] / counts[counts > 0]).tolist()
    lowest, highest = percent(min(of_classes), 1), percent(max(of_classes), 1)
    return f"{percent(len(held_out) / len(labels), 1)} ({lowest} to {highest} of a class)"


def _alike_note(split: str, class_names: Sequence[str], *, in_groups: bool) -> str:
    listed = ", ".join(map(repr, class_names[:3])) + (", ..." if len(class_names) > 3 else "")
    each = "group by group" if in_groups else "one by one"
    return (
        f"all images of {listed} look alike: for {split} they are divided {each}, and an "
        f"accuracy on them says little about others (data.near_duplicates=ignore: always {each})"
    )


def stratified_split(
    labels: Tensor,
    fraction: float,
    generator: torch.Generator,
    *,
    last: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Hold out ``fraction`` of every class at random.

    From a class with n images, round(fraction * n) are held out, at least 1 and at most n - 1.

    Args:
        labels: int64, (images,), from 0 without a gap.
        fraction: how much to hold out, between 0 and 1, both excluded.
        generator: on the CPU; the same state gives the same split on every device.
        last: bool, (images,), images that are held out only if a class has too few others.

    Returns:
        The indices that stay and those held out, int64, ascending, on the device of ``labels``.

    Raises:
        ConfigError: a ``fraction`` that is not between 0 and 1.
        DataError: a class with fewer than 2 images.
        ShapeError: ``labels`` that are not int64 (images,).
    """
    if labels.ndim != 1 or labels.dtype != torch.int64:
        raise ShapeError(
            f"labels must be int64 (images,), got {labels.dtype} {tuple(labels.shape)}"
        )
    if not 0 < fraction < 1:
        raise ConfigError(
            f"the fraction held out must lie between 0 and 1, got {fraction}; for a tenth give 0.1"
        )
    local_labels = labels.cpu()
    counts = torch.bincount(local_labels)
    _require_two_of_each([str(label) for label in range(len(counts))], counts)

    # All images shuffled, then sorted by class with the order within each class kept.
    shuffled = torch.randperm(len(local_labels), generator=generator)
    if last is not None:
        shuffled = shuffled[last[shuffled].long().argsort(stable=True)]
    by_class = shuffled[local_labels[shuffled].argsort(stable=True)]
    first_of_class = counts.cumsum(0) - counts
    sorted_labels = local_labels[by_class]
    rank_in_class = torch.arange(len(by_class)) - first_of_class[sorted_labels]

    num_held_out = (fraction * counts.double()).round().long().clamp(min=1).minimum(counts - 1)
    held_out = rank_in_class < num_held_out[sorted_labels]
    kept_indices = by_class[~held_out].sort().values
    held_out_indices = by_class[held_out].sort().values
    return kept_indices.to(labels.device), held_out_indices.to(labels.device)


def _require_two_of_each(class_names: Sequence[str], counts: Tensor) -> None:
    too_few = (counts < 2).nonzero().flatten().tolist()
    if too_few:
        listed = ", ".join(f"{class_names[label]!r} has {int(counts[label])}" for label in too_few)
        raise DataError(
            "a class needs at least 2 images, one to train on and one to hold out; "
            f"class {listed}: add images or leave the class out"
        )
