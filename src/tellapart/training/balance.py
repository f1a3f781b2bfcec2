"""Classes of unequal size or cost: weights in the loss, balanced sampling, what to stop on."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from tellapart.config import TrainingRecipe
from tellapart.data.image_set import ImageSet
from tellapart.data.quality.audit import IMBALANCE_RATIO, imbalance_ratio
from tellapart.errors import ConfigError
from tellapart.wording import did_you_mean, listed


def balanced_weights(train: ImageSet) -> torch.Tensor:
    """The weight of each class in the loss: float32 (classes,), ``n / (classes * n_class)``.

    The mean over all images is 1. A class without images has weight 0.
    """
    counts = torch.tensor(train.class_counts(), dtype=torch.float64)
    weights = len(train) / (int((counts > 0).sum()) * counts)
    return torch.where(counts > 0, weights, 0.0).float()


def loss_weights(train: ImageSet, settings: TrainingRecipe) -> torch.Tensor | None:
    """The weight of each class in the loss: its cost, times its balanced weight if asked for.

    The mean over all images is 1.

    Returns:
        float32 (classes,); None where all images count alike.

    Raises:
        ConfigError: a cost of an unknown class.
    """
    return _weights(train, settings.class_costs, is_balanced=settings.class_weights == "balanced")


def fit_weights(train: ImageSet, settings: TrainingRecipe) -> torch.Tensor | None:
    """The weight of each class in an output layer's own fit, as :func:`loss_weights`.

    Balanced sampling has no order in a fit to all images at once, and balanced weights instead.

    Raises:
        ConfigError: a cost of an unknown class.
    """
    is_balanced = "balanced" in (settings.class_weights, settings.sampling)
    return _weights(train, settings.class_costs, is_balanced=is_balanced)


def _weights(
    train: ImageSet, class_costs: Mapping[str, float], *, is_balanced: bool
) -> torch.Tensor | None:
    names = train.class_names
    for name in class_costs:
        if name not in names:
            known = f"known: {listed(names)}"
            raise ConfigError(
                f"training.class_costs: no class is called {name!r}"
                f"{did_you_mean(name, names, known)}"
            )
    weights = balanced_weights(train) if is_balanced else None
    if not class_costs:
        return weights
    costs = torch.tensor([class_costs.get(name, 1.0) for name in names], dtype=torch.float64)
    if weights is not None:
        costs = costs * weights
    counts = torch.tensor(train.class_counts(), dtype=torch.float64)
    return (costs * len(train) / (costs @ counts)).float()


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
