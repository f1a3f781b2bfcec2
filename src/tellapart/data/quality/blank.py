"""Blank images: one colour only, or nearly so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import torch

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.quality.findings import Finding, found_image

_BLANK_STD = 1.0
"""Below this standard deviation, in grey levels of 255 and in every channel, an image is blank."""

BLANK_FRACTION = 0.05
"""A class with this part of its images blank is worth a warning before training."""

# The number of images that are examined before training; a check examines all.
_NUM_SAMPLED = 4096
_VALUES_AT_A_TIME = 2**21


def is_blank(images: torch.Tensor) -> torch.Tensor:
    """Return which of ``images``, uint8 (images, channels, height, width), are blank, (images,).

    Cost: a pass over the images.
    """
    if not len(images):
        return torch.zeros(0, dtype=torch.bool)
    blank = []
    for chunk in torch.split(images, max(1, _VALUES_AT_A_TIME // images[0].numel())):
        std = chunk.float().flatten(2).std(2, correction=0)  # (chunk, channels)
        blank.append((std < _BLANK_STD).all(1))
    return torch.cat(blank).cpu()


def blank_images(data_set: DataSet) -> Iterator[Finding]:
    """Yield one finding for all blank images, with their number in each class."""
    names = data_set.class_names
    found, counts = [], Counter[str]()
    for split, part in data_set.splits.items():
        for index in is_blank(part.images).nonzero().flatten().tolist():
            image = found_image(data_set, split, index)
            found.append((image,))
            counts[image.class_name] += 1
    if not found:
        return
    most = [(name, counts[name]) for name in names if counts[name]]
    listed = ", ".join(f"{name} {count:,}" for name, count in most[:5])
    more = f" and {len(most) - 5} more classes" if len(most) > 5 else ""
    noun = "image is" if len(found) == 1 else "images are"
    yield Finding(
        "blank",
        "fault",
        f"{len(found):,} {noun} blank, of one colour only or nearly ({listed}{more}): take them "
        "out; if they are not blank to you, what they show is lost in reading: transparency, very "
        "few grey levels, or masks of 0 and 1",
        tuple(found),
    )


def mostly_blank_classes(train: ImageSet) -> dict[str, float]:
    """Return the fraction of blank images of each class that has many, by its name.

    Up to 4,096 images, spread over the split, are examined.
    """
    step = max(1, -(-len(train) // _NUM_SAMPLED))
    labels = train.labels[::step].cpu()
    blank = is_blank(train.images[::step])
    totals = torch.bincount(labels, minlength=train.num_classes).clamp(min=1)
    parts = torch.bincount(labels[blank], minlength=train.num_classes) / totals
    return {
        name: part
        for name, part in zip(train.class_names, parts.tolist(), strict=True)
        if part >= BLANK_FRACTION
    }
