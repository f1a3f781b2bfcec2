"""Occlusion: how much a class's score falls when a patch of the image is covered.

A patch of the mean colour slides over the image. A pixel's value is the mean, over all patches
that cover it, of the score without the patch minus the score with it.

Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014,
section 4.2. The mean over overlapping patches makes it a value per pixel, as captum does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from tellapart.evaluation.predicting import evaluation_mode, images_at_a_time

# A patch is a seventh of a side, as a stroke of a digit is, and moves by half of itself.
_PATCHES_PER_SIDE = 7


def patch_of(height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the size of a patch and its stride, each (rows, columns) in pixels."""
    rows, columns = (max(1, side // _PATCHES_PER_SIDE) for side in (height, width))
    return (rows, columns), (max(1, rows // 2), max(1, columns // 2))


def occlusion(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    *,
    patch: tuple[int, int] | None = None,
    stride: tuple[int, int] | None = None,
) -> Tensor:
    """Return a map for each image and class.

    Args:
        network: normalised images (batch, channels, height, width) to logits (batch, classes).
        inputs: float32 (batch, channels, height, width), normalised.
        targets: int64 (batch, k), the classes that are explained for each image.
        patch: rows and columns of the patch; None is `patch_of`.
        stride: by how many pixels it moves down and right; None is `patch_of`.

    Returns:
        float32 (batch, k, height, width).
    """
    height, width = inputs.shape[2:]
    usual_patch, usual_stride = patch_of(height, width)
    places = list(_places((height, width), patch or usual_patch, stride or usual_stride))
    fallen = inputs.new_zeros(*targets.shape, height, width)
    covered = inputs.new_zeros(height, width)
    together = max(1, images_at_a_time(inputs.shape) // len(inputs))
    with evaluation_mode(network), torch.no_grad():
        scores = network(inputs).gather(1, targets)  # (batch, k)
        for start in range(0, len(places), together):
            part = places[start : start + together]
            changed = inputs.repeat(len(part), 1, 1, 1)  # (places * batch, channels, h, w)
            for number, (rows, columns) in enumerate(part):
                changed[number * len(inputs) : (number + 1) * len(inputs), :, rows, columns] = 0
            lower = network(changed).gather(1, targets.repeat(len(part), 1))
            for (rows, columns), score in zip(part, torch.split(lower, len(inputs)), strict=True):
                fallen[:, :, rows, columns] += (scores - score)[:, :, None, None]
                covered[rows, columns] += 1
    return fallen / covered


def _places(
    size: tuple[int, int], patch: tuple[int, int], stride: tuple[int, int]
) -> Iterator[tuple[slice, slice]]:
    """The rows and columns of every patch; the last ones may reach over the border."""
    starts = [
        [step * number for number in range(math.ceil((side - length) / step) + 1)]
        for side, length, step in zip(size, patch, stride, strict=True)
    ]
    for top in starts[0]:
        for left in starts[1]:
            yield slice(top, top + patch[0]), slice(left, left + patch[1])
