"""Classes of unequal size: what a picture of each counts, how often it comes, what to stop on."""

from __future__ import annotations

import torch

from tellapart.data.image_set import ImageSet
from tellapart.data.quality.audit import IMBALANCE_RATIO, imbalance_ratio


def balanced_weights(train: ImageSet) -> torch.Tensor:
    """What a picture of each class counts: float32 (classes,), ``n / (classes * n_class)``.

    The mean over the pictures is 1. A class with no picture counts 0.
    """
    counts = torch.tensor(train.class_counts(), dtype=torch.float64)
    weights = len(train) / (int((counts > 0).sum()) * counts)
    return torch.where(counts > 0, weights, 0.0).float()


def balanced_order(labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """As many indices as there are labels, drawn so that every class comes equally often.

    A class is drawn evenly, then one of its pictures, with replacement: of a small class each
    picture comes several times an epoch, of a large one some do not come at all.

    Args:
        labels: int64 (pictures,), on the CPU.
        generator: on the CPU.
    """
    by_class = labels.argsort(stable=True)
    counts = torch.bincount(labels)
    starts = counts.cumsum(0) - counts
    present = counts.nonzero().flatten()
    drawn = present[torch.randint(len(present), (len(labels),), generator=generator)]
    # The remainder of 63 random bits is even to one part in a billion.
    within = torch.randint(2**62, (len(labels),), generator=generator) % counts[drawn]
    return by_class[starts[drawn] + within]


def stop_metric(asked: str, train: ImageSet) -> str:
    """``loss``, ``accuracy`` or ``macro-f1``: what is asked for, or what fits the classes.

    Where classes are uneven, loss and accuracy speak of the large ones; macro F1 of all alike.
    """
    if asked != "auto":
        return asked
    return "macro-f1" if imbalance_ratio(train) >= IMBALANCE_RATIO else "loss"
