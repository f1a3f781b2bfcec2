"""Holding images out of train: the test and the validation split that a data set lacks, and images
for calibration where there is no validation split.

This is the one place where splits are cut, of files and of arrays alike, by `data.split_seed`;
groups that a person has given are held out by `tellapart.data.hold_out.groups`. The test split is
cut first, then validation or calibration, all out of train; shots are drawn later from what is left
(`tellapart.runs.splits`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tellapart.data.hold_out.calibration import hold_out_for_calibration
from tellapart.data.hold_out.groups import hold_out_groups, separable_groups
from tellapart.data.hold_out.stratified import divisible_groups, hold_out, require_two_of_each
from tellapart.data.preparation import Preparation
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
    """Divide train into train and the requested splits that are missing.

    The fractions for test and validation are of all images; how many images are held out for
    calibration is decided by `hold_out_for_calibration`. Near duplicates stay in one split, see
    `hold_out`; classes with near duplicates only are divided image by image, and a note names them.
    ``groups`` stay in one split too, joined where near duplicates link them, see `hold_out_groups`;
    they are never divided.

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
        require_two_of_each(names, torch.bincount(own_labels))
        if groups is None:
            own_near, alike = divisible_groups(own_labels, near[left], names)
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
    present_already = {*given, *indices} & {"validation", "calibration"}
    if preparation.calibration_fraction and not present_already:
        own_groups = None if groups is None else groups[left]
        chosen, note = hold_out_for_calibration(
            labels[left], class_names, near[left], preparation, own_groups
        )
        notes.append(note)
        if len(chosen):
            indices["calibration"], left = left[chosen], left[~_mask(chosen, len(left))]
    if "validation" in given and preparation.validation_fraction:
        notes.append(
            "the data's own validation split is used: data.validation_fraction "
            f"{preparation.validation_fraction:g} holds nothing out"
        )
    return Division({"train": left, **indices}, tuple(dict.fromkeys(notes)))


def _mask(indices: Tensor, length: int) -> Tensor:
    """Return bool (length,), true at the indices."""
    mask = torch.zeros(length, dtype=torch.bool)
    mask[indices] = True
    return mask


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
