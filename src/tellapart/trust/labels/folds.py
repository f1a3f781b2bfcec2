"""The folds of a cross-validation: of every class as evenly as possible, groups undivided."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tellapart.data.hold_out.groups import joined_groups
from tellapart.data.image_set import DataSet
from tellapart.data.quality.duplicates import near_groups
from tellapart.runtime import generator

NUM_FOLDS = 5
FEWEST_IMAGES = 3
"""Of fewer images of a class there are too few to learn it from where one is held out."""
ALWAYS_TRAINED_ON = -1
"""In place of a fold: the image is never held out, and its label not examined."""

_Ints = NDArray[np.int64]


def folds_of(labels: Tensor, groups: Tensor, seed: int) -> Tensor:
    """Return the fold of each image; those of one group are in one fold.

    Large groups are dealt out first, each to the fold with the fewest images of its class. Images
    of a class that would then be missing from the images to learn from, or that has fewer than
    `FEWEST_IMAGES`, have `ALWAYS_TRAINED_ON`.

    Args:
        labels: int64 (images,).
        groups: int64 (images,), equal for images that stay together.
        seed: the same seed gives the same folds.

    Returns:
        int64 (images,).
    """
    own, members = labels.numpy(), _members(groups.numpy(), seed)
    num_classes = int(own.max()) + 1
    counts = [[0] * NUM_FOLDS for _ in range(num_classes)]
    sizes = [0] * NUM_FOLDS
    folds = np.empty(len(own), np.int64)
    for group in members:
        label = Counter(own[group].tolist()).most_common(1)[0][0]
        fold = min(range(NUM_FOLDS), key=lambda fold: (counts[label][fold], sizes[fold]))
        folds[group] = fold
        sizes[fold] += len(group)
        for one in own[group].tolist():
            counts[one][fold] += 1
    for label, count in enumerate(counts):
        if sum(count) < FEWEST_IMAGES or max(count) == sum(count):
            folds[own == label] = ALWAYS_TRAINED_ON
    return torch.from_numpy(folds)


def groups_of_train(data_set: DataSet) -> Tensor:
    """Return the group of each image of train: near duplicates, and groups that a person has given.

    Where near duplicates would leave a class fewer than `FEWEST_IMAGES` groups, as pictures of a
    fixed camera do, those of that class count singly.
    """
    labels = data_set.split("train").labels.cpu()
    near = near_groups(data_set)["train"]
    for label in sorted(set(labels.tolist())):
        own = (labels == label).numpy()
        if len(np.unique(near[own])) < FEWEST_IMAGES:
            near = _apart(near, own)
    names = data_set.groups.get("train")
    if not names or not any(names):
        return torch.from_numpy(near)
    _, numbers = np.unique(np.array(names), return_inverse=True)
    grouped = np.array([bool(name) for name in names])
    given = torch.from_numpy(_apart(numbers.astype(np.int64), ~grouped))
    return joined_groups(torch.from_numpy(near), given)


def _apart(groups: _Ints, chosen: NDArray[np.bool_]) -> _Ints:
    """The groups, with each of the chosen images in a group of its own."""
    alone: _Ints = int(groups.max(initial=0)) + 1 + np.arange(len(groups))
    return np.where(chosen, alone, groups)


def _members(groups: _Ints, seed: int) -> list[_Ints]:
    """The images of each group: large groups first, those of one size in a random order."""
    shuffled = torch.randperm(len(groups), generator=generator(seed, "label folds")).numpy()
    _, first, inverse, sizes = np.unique(
        groups[shuffled], return_index=True, return_inverse=True, return_counts=True
    )
    by_group = shuffled[np.argsort(inverse, kind="stable")]
    found = np.split(by_group, np.cumsum(sizes)[:-1])
    return [found[number] for number in np.lexsort((first, -sizes))]
