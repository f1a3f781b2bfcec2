"""Which class a classifier answers: the most probable one, unless a threshold decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch


def decide(
    logits: torch.Tensor, class_names: Sequence[str], thresholds: Mapping[str, float]
) -> torch.Tensor:
    """Return the class that is answered for each image.

    Without a threshold it is the most probable class. With one, its class is answered for every
    image for which the class has at least that probability, and the most probable of the other
    classes for all other images.

    Args:
        logits: floating point (images, classes).
        class_names: one per logit.
        thresholds: probability in 0..1 by class name, of at most one class.

    Returns:
        int64 (images,), the index of a class.
    """
    answers = logits.argmax(1)
    for name, threshold in thresholds.items():
        label = class_names.index(name)
        # In float64 the probabilities next to 0 and 1, where thresholds often lie, still differ.
        is_reached = logits.double().softmax(1)[:, label] >= threshold
        others = logits.index_fill(1, torch.tensor([label], device=logits.device), -torch.inf)
        answers = torch.where(is_reached, label, others.argmax(1))
    return answers
