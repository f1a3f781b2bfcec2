"""Holding images out of train for calibration, where there is no validation split for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tellapart.data.hold_out.groups import hold_out_groups, separable_groups
from tellapart.data.hold_out.stratified import divisible_groups, hold_out
from tellapart.data.preparation import Preparation
from tellapart.errors import DataError
from tellapart.wording import percent

# With 200 images the calibration error of a good classifier stays below 1 %, and with more than
# 2,000 it falls no further (docs/decisions/calibration.md); sets for 99 % need 99 of them.
FEWEST_IMAGES, MOST_IMAGES = 200, 2_000
# Where more of train than this would be lost, accuracy is worth more than calibration.
LARGEST_FRACTION = 0.1
_NONE = torch.empty(0, dtype=torch.int64)
_REMEDY = "more images, or data.validation_fraction, would calibrate it"


def hold_out_for_calibration(
    labels: Tensor,
    class_names: Sequence[str],
    near: Tensor,
    preparation: Preparation,
    groups: Tensor | None = None,
) -> tuple[Tensor, str]:
    """Choose images of every class for calibration, with near duplicates and groups together.

    The fraction that the preparation asks for, but at least 200 and at most 2,000 images; none if
    so many are more than that fraction and more than a tenth, or if a class cannot be divided.

    Args:
        labels: of the images of train, int64, (images,), an index into ``class_names``.
        class_names: the classes.
        near: int64, (images,), equal for near duplicates.
        preparation: the fraction and the seed.
        groups: int64, (images,), equal for images of one group; None where there are none.

    Returns:
        The indices, int64, ascending, none where no image is held out; and a note for the person.
    """
    total, asked = len(labels), preparation.calibration_fraction
    wanted = min(max(round(asked * total), FEWEST_IMAGES), MOST_IMAGES)
    most = max(asked, LARGEST_FRACTION) * total
    if wanted > most:
        return _NONE, _refusal(
            f"at least {FEWEST_IMAGES} would be needed, which is more than a tenth of the "
            f"{total:,} images of train"
        )
    present, numbered = np.unique(labels.numpy(), return_inverse=True)
    names = [class_names[label] for label in present]
    try:
        held_out = _held_out(
            torch.from_numpy(numbered), names, near, groups, wanted, preparation.seed
        )
    except DataError:
        return _NONE, _refusal("a class has too few images, or groups, to divide it")
    if len(held_out) > 2 * most:
        return _NONE, _refusal(f"whole groups would take {len(held_out):,} images of {total:,}")
    return held_out, (
        f"no validation split was given: {len(held_out):,} images of train "
        f"({percent(len(held_out) / total, 1)}) are held out for calibration by data.split_seed "
        f"{preparation.seed}"
    )


def _held_out(
    labels: Tensor,
    class_names: Sequence[str],
    near: Tensor,
    groups: Tensor | None,
    wanted: int,
    seed: int,
) -> Tensor:
    """The indices of about ``wanted`` images, of every class the same fraction."""
    if groups is not None:
        joined, _ = separable_groups(labels, near, groups, class_names, "calibration")
        return hold_out_groups(labels, joined, class_names, wanted / len(labels), seed)[1]
    own_near, _ = divisible_groups(labels, near, class_names)
    return hold_out(labels, own_near, _fraction_for(torch.bincount(labels), wanted), seed)[1]


def _fraction_for(counts: Tensor, wanted: int) -> float:
    """The fraction of every class that is ``wanted`` images in all, counts being rounded."""
    fraction = wanted / int(counts.sum())
    while fraction < 0.5 and int((fraction * counts.double()).round().clamp(min=1).sum()) < wanted:
        fraction *= 1.002
    return fraction


def _refusal(reason: str) -> str:
    return (
        f"no image is held out for calibration: {reason}; the classifier's confidence stays "
        f"uncalibrated ({_REMEDY})"
    )
