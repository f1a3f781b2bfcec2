"""Classes that mirroring exchanges, such as arrows to the left and to the right.

A recipe that mirrors its training images teaches that both classes are the same. Three signs are
checked: classes that are digits or letters, class names that differ only in left and right, and the
images. For the images, the nearest neighbour of mirrored thumbnails of one class, among up to 2,000
images, must be of one other class and vice versa, and about as near as unmirrored images are to one
another: a mirrored image that resembles nothing has a nearest neighbour, too.

Measured as the fraction of mirrored images whose nearest neighbour is of the other class, the lower
of the two directions: arrows 0.75 with 20 images a class and 1.00 with 48; photographs of ants and
bees 0.42, hands that sign digits 0.22, clothes 0.19, MNIST's digits 0.34, noise 0.31.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.images.drawing import measure_style
from tellapart.data.images.near_duplicates import THUMBNAIL_SIDE, describe

_Floats = NDArray[np.float32]

_NUM_SAMPLED = 2000
# In both directions: at least this fraction of a class's mirrored images is like the other class,
_LEAST_EXCHANGED = 0.6
# at most this fraction of the unmirrored images is,
_MOST_CONFUSED = 0.4
# and a mirrored image may be at most this much farther from its nearest neighbour.
_FARTHEST = 1.5
# In standard deviations of a fair coin; 16 of 16 images are 4.
_SIGNIFICANT = 4.0

# Words that a mirror exchanges in names of classes, by the direction in which it does.
_OPPOSITES = {
    "horizontal": (
        *(("left", "right"), ("links", "rechts"), ("gauche", "droite")),
        *(("izquierda", "derecha"), ("esquerda", "direita"), ("sinistra", "destra"), ("左", "右")),
        *(("clockwise", "anticlockwise"), ("clockwise", "counterclockwise"), ("cw", "ccw")),
        ("顺时针", "逆时针"),
    ),
    "vertical": (
        *(("up", "down"), ("top", "bottom"), ("upper", "lower"), ("oben", "unten")),
        *(("haut", "bas"), ("arriba", "abajo"), ("上", "下")),
        *(("clockwise", "anticlockwise"), ("clockwise", "counterclockwise"), ("cw", "ccw")),
        ("顺时针", "逆时针"),
    ),
}


@dataclass(frozen=True)
class Mirroring:
    """How a recipe mirrors images.

    Args:
        horizontal: whether left and right are exchanged, in training or in prediction.
        vertical: whether top and bottom are exchanged.
        settings: the ``KEY=VALUE`` that switch it off.
        shows_signs: whether the images are digits or letters; None decides by the class names.
    """

    horizontal: bool
    vertical: bool
    settings: tuple[str, ...]
    shows_signs: bool | None = None


def mirrored_classes(data_set: DataSet, mirroring: Mirroring) -> str | None:
    """Return a message about classes that mirroring exchanges, with the remedy; None if none.

    Cost: up to 2,000 images are compared, in well under a second.
    """
    reason = why_not_mirror(data_set, mirroring)
    if reason is None:
        return None
    remedy = " ".join(f"--set {setting}" for setting in mirroring.settings)
    return f"the recipe mirrors images, and {reason}; switch it off with {remedy}"


def why_not_mirror(data_set: DataSet, mirroring: Mirroring) -> str | None:
    """Return what mirroring would exchange, as half a sentence; None if nothing is exchanged."""
    if not (mirroring.horizontal or mirroring.vertical):
        return None
    return _reason(data_set.split("train"), mirroring)


def _reason(train: ImageSet, mirroring: Mirroring) -> str | None:
    signs = mirroring.shows_signs
    if signs is None:
        # Photographs of hands that sign digits are named by digits too: only drawings count.
        signs = all(len(name) == 1 for name in train.class_names) and _are_drawings(train.images)
    if signs:
        return "the classes are digits or letters, which mirrored mean something else or nothing"
    for direction, axis in (("horizontal", 3), ("vertical", 2)):
        if not getattr(mirroring, direction):
            continue
        named = opposite_names(train.class_names, direction)
        if named:
            return f"{_listed(named)} are called like mirror images of one another"
        measured = exchanged_classes(train, axis)
        if measured:
            return f"mirrored images of one class look like another one: {_listed(measured)}"
    return None


def _are_drawings(images: torch.Tensor) -> bool:
    """Return whether the images are drawings on a plain background, of any colour."""
    sample = images[:: max(1, len(images) // _NUM_SAMPLED)]
    grey = torch.cat([some.float().mean(1, keepdim=True) for some in torch.split(sample, 64)])
    return measure_style(grey.to(torch.uint8).numpy()) is not None


def opposite_names(class_names: Sequence[str], direction: str) -> list[tuple[str, str]]:
    """Return the pairs of classes whose names differ in words that a mirror exchanges.

    Args:
        class_names: the classes.
        direction: ``horizontal`` or ``vertical``.
    """
    by_folded = {name.casefold(): name for name in class_names}
    pairs = [
        (by_folded[folded], by_folded[folded.replace(one, other)])
        for one, other in _OPPOSITES[direction]
        for folded in by_folded
        if one in folded and other not in folded and folded.replace(one, other) in by_folded
    ]
    return list(dict.fromkeys(pairs))


def exchanged_classes(train: ImageSet, axis: int) -> list[tuple[str, str]]:
    """Return the pairs of classes whose images mirroring exchanges, as measured.

    Args:
        train: the images; up to 2,000 of them, spread over the split, are compared.
        axis: of (images, channels, height, width), 3 for left and right and 2 for top and bottom.
    """
    step = max(1, -(-len(train) // _NUM_SAMPLED))
    labels = train.labels[::step].cpu().numpy()
    if len(labels) < 2:
        return []
    _, flat = describe(train.images[::step].contiguous())
    thumbnails = flat.reshape(*flat.shape[:2], THUMBNAIL_SIDE, THUMBNAIL_SIDE).astype(np.float32)
    originals, mirrored = _directions(thumbnails), _directions(np.flip(thumbnails, axis))
    nearest, distance = _nearest_neighbours(originals, originals, labels)
    nearest_mirrored, distance_mirrored = _nearest_neighbours(mirrored, originals, labels)
    found = []
    for one, other in combinations(np.unique(labels).tolist(), 2):
        members = [(labels == one, one, other), (labels == other, other, one)]
        exchanged = [np.mean(nearest_mirrored[of] == theirs) for of, _, theirs in members]
        confused = [np.mean(nearest[of] == theirs) for of, _, theirs in members]
        changed = sum(int((nearest_mirrored[of] == theirs).sum()) for of, _, theirs in members)
        kept = sum(int((nearest_mirrored[of] == ours).sum()) for of, ours, _ in members)
        both = members[0][0] | members[1][0]
        farther = np.median(distance_mirrored[both]) / max(1e-6, np.median(distance[both]))
        if (
            min(exchanged) >= _LEAST_EXCHANGED
            and max(confused) <= _MOST_CONFUSED
            and changed - kept >= _SIGNIFICANT * math.sqrt(changed + kept)
            and farther <= _FARTHEST
        ):
            found.append((train.class_names[one], train.class_names[other]))
    return found


def _directions(thumbnails: _Floats) -> _Floats:
    """Return thumbnails as vectors of length 1 about each channel's mean, (images, values)."""
    centred = thumbnails - thumbnails.mean((2, 3), keepdims=True)
    flat = centred.reshape(len(centred), -1)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    directions: _Floats = flat / np.maximum(lengths, 1e-6)
    return directions


def _nearest_neighbours(
    images: _Floats, others: _Floats, labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], _Floats]:
    """Return the class of each image's nearest other neighbour, and the distance to it."""
    similarity = images @ others.T
    np.fill_diagonal(similarity, -2)
    nearest = similarity.argmax(1)
    return labels[nearest], 1 - similarity.max(1)


def _listed(pairs: Sequence[tuple[str, str]]) -> str:
    listed = ", ".join(f"{one!r} and {other!r}" for one, other in pairs[:3])
    return listed + (f", and {len(pairs) - 3} more pairs" if len(pairs) > 3 else "")
