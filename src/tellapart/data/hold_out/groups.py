"""Holding out whole groups of images: of one patient, one cell, one video.

Such groups differ in size and may hold several classes, so no choice of groups holds out exactly
the requested fraction of every class. The groups are taken in a random order, small ones first, and
each is held out if that brings the held-out fractions of its classes closer to the requested one.
Other orders are tried until a result is close enough, and less close is enough the more were tried:
so other seeds give other divisions, where the closest of all would often be the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tellapart.data.images.near_duplicates import groups_of, pairs_of
from tellapart.errors import DataError
from tellapart.wording import listed

_Ints = NDArray[np.int64]

# What is held out of a class may be off by this fraction of what is wanted, times the number of
# orders tried, or by half an image.
_TOLERANCE = 0.02
_MOST_ORDERS, _MOST_PASSES = 50, 5
# So many groups are looked at in all orders together: fewer orders are tried of many groups, which
# come close at once.
_NUM_LOOKED_AT = 200_000


def joined_groups(near: Tensor, own: Tensor) -> Tensor:
    """Return groups such that images of one ``near`` group or of one ``own`` group are in one.

    Args:
        near: int64, (images,), equal for near duplicates.
        own: int64, (images,), equal for images of one group.

    Returns:
        int64, (images,): the index of the first image of each image's group.
    """
    pairs = np.concatenate([pairs_of(near.numpy()), pairs_of(own.numpy())])
    return torch.from_numpy(groups_of(pairs, len(own)))


def separable_groups(
    labels: Tensor, near: Tensor, own: Tensor, class_names: Sequence[str], split: str
) -> tuple[Tensor, list[str]]:
    """Join groups with near duplicates, but so that each class is in at least two groups.

    Where near duplicates join all groups of a class to one, those links are dropped.

    Args:
        labels: int64, (images,), an index into ``class_names``, each of which has an image.
        near: int64, (images,), equal for near duplicates.
        own: int64, (images,), equal for images of one group.
        class_names: the classes.
        split: what is to be held out, for the message.

    Returns:
        The group of each image, int64 (images,), and the classes whose links were dropped.

    Raises:
        DataError: a class with images of fewer than two of the ``own`` groups.
    """
    joined = joined_groups(near, own)
    alike = (_groups_per_class(labels, joined) < 2).nonzero().flatten()
    if not len(alike):
        return joined, []
    dropped = torch.isin(joined, joined[torch.isin(labels, alike)])
    alone = torch.arange(len(labels))
    # Numbers above those of all groups of near duplicates, so that no two fall together.
    joined = joined_groups(torch.where(dropped, int(near.max()) + 1 + alone, near), own)
    counts = _groups_per_class(labels, joined)
    too_few = (counts < 2).nonzero().flatten().tolist()
    if too_few:
        found = listed((f"{class_names[label]!r} has {int(counts[label])}" for label in too_few), 3)
        raise DataError(
            f"to hold out images for {split}, each class needs images of at least 2 groups in "
            f"train, and class {found}: add images of other groups, leave the class or "
            f"the groups out, or set data.{split}_fraction=0"
        )
    return joined, [class_names[label] for label in alike.tolist()]


def hold_out_groups(
    labels: Tensor,
    groups: Tensor,
    class_names: Sequence[str],
    fraction: float,
    seed: int,
    num_kept: int = 1,
) -> tuple[Tensor, Tensor]:
    """Hold out whole groups, so that about ``fraction`` of the images of every class are held out.

    At least one image of every class is held out.

    Args:
        labels: int64, (images,), an index into ``class_names``, each of which has an image.
        groups: int64, (images,), equal for images that stay together; every class is in at least
            two groups.
        class_names: the classes.
        fraction: how much to hold out, between 0 and 1, both excluded.
        seed: the same seed gives the same split.
        num_kept: in so many groups a class stays at least, as far as it has more than that.

    Returns:
        The indices that stay and those held out, int64, ascending.

    Raises:
        DataError: groups of which no choice was found that leaves every class on both sides.

    Cost: about 2 us for each group and class in it, up to 50 times where groups are few.
    """
    _, numbered = np.unique(groups.numpy(), return_inverse=True)
    contents = _contents(labels.numpy(), numbered)
    generator = torch.Generator().manual_seed(seed)
    num_orders = max(1, min(_MOST_ORDERS, _NUM_LOOKED_AT // len(contents)))
    best: _Choice | None = None
    for num_tried in range(1, num_orders + 1):
        choice = _Choice(contents, fraction, num_kept)
        choice.fill(torch.randperm(len(contents), generator=generator).tolist())
        is_close = choice.is_close(_TOLERANCE * num_tried)
        if best is None or is_close or choice.distance() < best.distance():
            best = choice
        if is_close:
            break
    assert best is not None
    counts = _groups_per_class(labels, groups)
    missing = [f"{class_names[n]!r} in {int(counts[n])}" for n in best.missing_classes()]
    if missing:
        raise DataError(
            "the groups share their classes so that they cannot be divided with images of each "
            f"class on both sides; class {listed(missing, 3)} groups: add images of other groups, "
            "or leave the class out"
        )
    is_held_out = torch.tensor(best.is_held_out)[torch.from_numpy(numbered)]
    return (~is_held_out).nonzero().flatten(), is_held_out.nonzero().flatten()


class _Choice:
    """Groups chosen to be held out, and how far they are from the requested fraction.

    Args:
        contents: for each group the classes in it, each with its number of images.
        fraction: how much of every class is to be held out.
        num_kept: in so many groups a class stays, as far as it has more than that.
    """

    def __init__(
        self, contents: Sequence[Sequence[tuple[int, int]]], fraction: float, num_kept: int
    ) -> None:
        num_classes = 1 + max(label for group in contents for label, _ in group)
        self._contents = contents
        self._sizes, self._kept_groups = [0] * num_classes, [0] * num_classes
        for group in contents:
            for label, count in group:
                self._sizes[label] += count
                self._kept_groups[label] += 1
        self._least_kept = [min(num_kept, count - 1) for count in self._kept_groups]
        self._wanted = [fraction * size for size in self._sizes]
        self._held_out = [0] * num_classes
        self.is_held_out = [False] * len(contents)

    def fill(self, order: Sequence[int]) -> None:
        """Hold out, or return, each group in turn where that comes closer, until none does."""
        # A group that alone is more than was wanted is looked at last.
        order = sorted(order, key=self._is_large)
        for _ in range(_MOST_PASSES):
            changed = [self._change(group) for group in order]
            if not any(changed):
                return

    def distance(self) -> float:
        """Return the sum over classes of the squared distance of the fractions, and of 1 for each
        class of which nothing is held out."""
        return sum(self._cost(label, held) for label, held in enumerate(self._held_out))

    def is_close(self, tolerance: float) -> bool:
        """Whether of every class the wanted number of images is held out, but for a fraction."""
        return not self.missing_classes() and all(
            abs(held - wanted) <= max(0.5, tolerance * wanted)
            for held, wanted in zip(self._held_out, self._wanted, strict=True)
        )

    def missing_classes(self) -> list[int]:
        """Return the classes of which no image is held out."""
        return [label for label, held in enumerate(self._held_out) if not held]

    def _change(self, group: int) -> bool:
        """Move the group to the other side where that is allowed and comes closer."""
        contents, sign = self._contents[group], -1 if self.is_held_out[group] else 1
        if sign > 0 and any(
            self._kept_groups[label] <= self._least_kept[label] for label, _ in contents
        ):
            return False
        gain = sum(
            self._cost(label, self._held_out[label])
            - self._cost(label, self._held_out[label] + sign * count)
            for label, count in contents
        )
        if gain <= 1e-12:  # no rounding error may move a group to and fro
            return False
        for label, count in contents:
            self._held_out[label] += sign * count
            self._kept_groups[label] -= sign
        self.is_held_out[group] = sign > 0
        return True

    def _cost(self, label: int, held: int) -> float:
        off = (held - self._wanted[label]) / self._sizes[label]
        return off * off + (not held)

    def _is_large(self, group: int) -> bool:
        return any(
            count > max(1, round(self._wanted[label])) for label, count in self._contents[group]
        )


def _contents(labels: _Ints, groups: _Ints) -> list[list[tuple[int, int]]]:
    """Return the classes in each group, each with its number of images."""
    num_classes = int(labels.max()) + 1
    pairs, counts = np.unique(groups * num_classes + labels, return_counts=True)
    contents: list[list[tuple[int, int]]] = [[] for _ in range(int(groups.max()) + 1)]
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        contents[pair // num_classes].append((pair % num_classes, count))
    return contents


def _groups_per_class(labels: Tensor, groups: Tensor) -> Tensor:
    """Return of how many groups each class has images, (classes,)."""
    pairs = np.unique(np.stack([labels.numpy(), groups.numpy()]), axis=1)
    return torch.from_numpy(np.bincount(pairs[0]))
