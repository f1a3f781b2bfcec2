"""Classes of unequal size: weights in the loss, balanced sampling, and what to stop on."""

from __future__ import annotations

import torch

from tellapart.config import TrainingRecipe
from tellapart.data.image_set import ImageSet
from tellapart.data.quality.audit import IMBALANCE_RATIO, imbalance_ratio


def balanced_weights(train: ImageSet) -> torch.Tensor:
    """The weight of each class in the loss: float32 (classes,), ``n / (classes * n_class)``.

    The mean over all images is 1. A class without images has weight 0.
    """
    counts = torch.tensor(train.class_counts(), dtype=torch.float64)
    weights = len(train) / (int((counts > 0).sum()) * counts)
    return torch.where(counts > 0, weights, 0.0).float()


def loss_weights(train: ImageSet, settings: TrainingRecipe) -> torch.Tensor | None:
    """The weight of each class in an output layer's own fit: float32 (classes,), or None for all 1.

    Balanced sampling has no order in a fit to all images at once, and balanced weights instead.
    """
    if "balanced" in (settings.class_weights, settings.sampling):
        return balanced_weights(train)
    return None


def balanced_order(labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """As many indices as there are labels, drawn so that every class is drawn equally often.

    A class is drawn, all with one probability, then one of its images, with replacement: an image
    of a small class is drawn several times an epoch, some of a large class not at all.

    Args:
        labels: int64 (images,), on the CPU.
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

    Of classes of very different size, loss and accuracy measure mostly the large ones; macro F1
    weighs all classes alike.
    """
    if asked != "auto":
        return asked
    return "macro-f1" if imbalance_ratio(train) >= IMBALANCE_RATIO else "loss"
