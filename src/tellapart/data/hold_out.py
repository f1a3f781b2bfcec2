"""Carving a validation split from train, class by class, so that none is left out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tellapart.data.image_set import ImageSet
from tellapart.errors import ConfigError, DataError, ShapeError


def stratified_split(
    labels: Tensor, fraction: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Hold out ``fraction`` of every class at random.

    Of a class with n pictures, round(share * n) are held out, but at least 1 and at most n - 1.

    Args:
        labels: int64, (pictures,), from 0 without a gap.
        fraction: how much to hold out, between 0 and 1, both excluded.
        generator: on the CPU; the same state gives the same split on every device.

    Returns:
        The indices that stay and those held out, int64, ascending, on the device of ``labels``.

    Raises:
        ConfigError: where ``fraction`` is not between 0 and 1.
        DataError: where a class has fewer than 2 pictures.
        ShapeError: where ``labels`` is not int64 (pictures,).
    """
    if labels.ndim != 1 or labels.dtype != torch.int64:
        raise ShapeError(
            f"labels must be int64 (pictures,), got {labels.dtype} {tuple(labels.shape)}"
        )
    if not 0 < fraction < 1:
        raise ConfigError(
            f"the share held out for validation must lie between 0 and 1, got {fraction}; "
            "for a tenth give 0.1"
        )
    local_labels = labels.cpu()
    counts = torch.bincount(local_labels)
    _require_two_of_each([str(label) for label in range(len(counts))], counts)

    # All pictures shuffled, then sorted by class with the order within each class kept.
    shuffled = torch.randperm(len(local_labels), generator=generator)
    by_class = shuffled[local_labels[shuffled].argsort(stable=True)]
    first_of_class = counts.cumsum(0) - counts
    sorted_labels = local_labels[by_class]
    rank_in_class = torch.arange(len(by_class)) - first_of_class[sorted_labels]

    num_held_out = (fraction * counts.double()).round().long().clamp(min=1).minimum(counts - 1)
    held_out = rank_in_class < num_held_out[sorted_labels]
    kept_indices = by_class[~held_out].sort().values
    held_out_indices = by_class[held_out].sort().values
    return kept_indices.to(labels.device), held_out_indices.to(labels.device)


def stratified_groups(
    labels: Tensor, groups: Tensor, fraction: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """:func:`stratified_split` that keeps the pictures of one group on one side.

    A group counts as one picture, of the class of its first; so a class of many copies of few
    pictures gives its share of the pictures, not of the copies.

    Args:
        labels: int64, (pictures,), from 0 without a gap.
        groups: int64, (pictures,), the index of the first picture of each one's group.
        fraction: how much to hold out, between 0 and 1, both excluded.
        generator: on the CPU.

    Returns:
        The indices that stay and those held out, int64, ascending.

    Raises:
        ConfigError, DataError, ShapeError: as :func:`stratified_split`.
    """
    first = (groups == torch.arange(len(groups))).nonzero().flatten()
    held_out = stratified_split(labels[first], fraction, generator)[1]
    is_held_out = torch.zeros(len(labels), dtype=torch.bool)
    is_held_out[first[held_out]] = True
    is_held_out = is_held_out[groups]
    return (~is_held_out).nonzero().flatten(), is_held_out.nonzero().flatten()


def stratified_validation(train: ImageSet, fraction: float, seed: int) -> tuple[ImageSet, ImageSet]:
    """Split ``train`` into what is trained on and what choices are made on.

    Args:
        train: the pictures to split; every class needs at least 2.
        fraction: how much of each class goes to validation, between 0 and 1, both excluded.
        seed: the same seed gives the same split.

    Returns:
        Train without the held-out pictures, and validation, both in the order of ``train``.

    Raises:
        ConfigError: where ``fraction`` is not between 0 and 1.
        DataError: where a class has fewer than 2 pictures.
    """
    _require_two_of_each(train.class_names, torch.tensor(train.class_counts()))
    generator = torch.Generator().manual_seed(seed)
    kept, held_out = stratified_split(train.labels, fraction, generator)
    return train.select(kept), train.select(held_out)


def _require_two_of_each(class_names: Sequence[str], counts: Tensor) -> None:
    too_few = (counts < 2).nonzero().flatten().tolist()
    if too_few:
        listed = ", ".join(f"{class_names[label]!r} has {int(counts[label])}" for label in too_few)
        raise DataError(
            "a class needs at least 2 pictures, one to train on and one to validate on; "
            f"class {listed}: add pictures or leave the class out"
        )
