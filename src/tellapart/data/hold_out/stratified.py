"""Holding out a fraction of every class, with near duplicates on one side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tellapart.errors import ConfigError, DataError, ShapeError


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


def divisible_groups(
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
    require_two_of_each([str(label) for label in range(len(counts))], counts)

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


def require_two_of_each(class_names: Sequence[str], counts: Tensor) -> None:
    """Raise a DataError that names the classes with fewer than 2 images."""
    too_few = (counts < 2).nonzero().flatten().tolist()
    if too_few:
        listed = ", ".join(f"{class_names[label]!r} has {int(counts[label])}" for label in too_few)
        raise DataError(
            "a class needs at least 2 images, one to train on and one to hold out; "
            f"class {listed}: add images or leave the class out"
        )


def _first_of_groups(groups: Tensor) -> tuple[Tensor, Tensor]:
    """Return each group's first image, in the order of the images, and each image's group."""
    _, first, group = np.unique(groups.numpy(), return_index=True, return_inverse=True)
    order = first.argsort()
    return torch.from_numpy(first[order]), torch.from_numpy(order.argsort()[group])
