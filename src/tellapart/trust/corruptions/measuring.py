"""The accuracy of a classifier on corrupted images, by kind and strength."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tellapart.evaluation.metrics import wilson_interval
from tellapart.trust.corruptions.kinds import FAMILIES, NUM_STRENGTHS, Family, corrupt


@dataclass(frozen=True)
class CorruptedKind:
    """The accuracy on one kind of corruption.

    Args:
        name: of the kind.
        num_correct: how many images are classified correctly at each strength, 1 to 5.
        accuracy: the mean over the strengths.
        accuracy_interval: its 95 % interval.
    """

    name: str
    num_correct: tuple[int, ...]
    accuracy: float
    accuracy_interval: tuple[float, float]


@dataclass(frozen=True)
class CorruptedAccuracy:
    """The accuracy on corrupted images.

    Args:
        family: the kind of images.
        num_images: how many images were corrupted, each in every way.
        num_correct: how many of them are classified correctly as they are.
        kinds: the accuracy on each kind of corruption.
        accuracy: the mean over all kinds and strengths.
        accuracy_interval: its 95 % interval, over images.
    """

    family: Family
    num_images: int
    num_correct: int
    kinds: tuple[CorruptedKind, ...]
    accuracy: float
    accuracy_interval: tuple[float, float]

    @property
    def weakest(self) -> CorruptedKind:
        """The kind on which the accuracy is lowest."""
        return min(self.kinds, key=lambda kind: kind.accuracy)

    def to_json(self) -> dict[str, Any]:
        """Return plain text and numbers; the accuracies of a kind are in order of strength."""
        total = self.num_images
        return {
            "family": self.family,
            "num_images": total,
            "clean_accuracy": self.num_correct / total,
            "clean_accuracy_interval": list(wilson_interval(self.num_correct, total)),
            "mean_accuracy": self.accuracy,
            "mean_accuracy_interval": list(self.accuracy_interval),
            "mean_error": 1 - self.accuracy,
            "kinds": [
                {
                    "kind": kind.name,
                    "mean_accuracy": kind.accuracy,
                    "mean_accuracy_interval": list(kind.accuracy_interval),
                    "accuracy": [correct / total for correct in kind.num_correct],
                    "accuracy_interval": [
                        list(wilson_interval(correct, total)) for correct in kind.num_correct
                    ],
                }
                for kind in self.kinds
            ],
        }


def measure_corrupted(
    images: Tensor,
    labels: Tensor,
    answer: Callable[[Tensor], Tensor],
    family: Family,
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> CorruptedAccuracy:
    """Measure a classifier on every corruption of a family.

    Args:
        images: uint8 (images, channels, height, width).
        labels: int64 (images,).
        answer: from uint8 images to the classes that are answered, int64 (images,).
        family: the kind of images.
        seed: of the corruptions.
        on_progress: is told how many of the corrupted sets have been answered.

    Raises:
        ShapeError: images that are too small.

    Cost: 75 passes over the images.
    """
    names = tuple(FAMILIES[family])
    correct = torch.zeros(len(names), NUM_STRENGTHS, len(images), dtype=torch.bool)
    for row, name in enumerate(names):
        for strength in range(1, NUM_STRENGTHS + 1):
            corrupted = corrupt(images, name, strength, family=family, seed=seed)
            correct[row, strength - 1] = answer(corrupted) == labels
            if on_progress is not None:
                on_progress(row * NUM_STRENGTHS + strength, len(names) * NUM_STRENGTHS)
    kinds = tuple(
        CorruptedKind(name, tuple(of_kind.sum(1).tolist()), *mean_over_images(of_kind.double()))
        for name, of_kind in zip(names, correct, strict=True)
    )
    accuracy, interval = mean_over_images(correct.flatten(0, 1).double())
    num_correct = int((answer(images) == labels).sum())
    return CorruptedAccuracy(family, len(images), num_correct, kinds, accuracy, interval)


def mean_over_images(correct: Tensor) -> tuple[float, tuple[float, float]]:
    """Return the mean of ``correct`` (conditions, images), and its 95 % interval over images.

    Images are drawn at random and conditions are not, so an image counts once, with the fraction of
    conditions under which it is classified correctly. The interval is Wilson's for as many
    independent answers as have the variance of these fractions ``f``: ``n p (1 - p) / var(f)``, at
    least the number of images ``n``.
    """
    fractions = correct.mean(0)  # (images,)
    mean = float(fractions.mean())
    variance = float(fractions.var(correction=0))
    total = len(fractions) * (max(1.0, mean * (1 - mean) / variance) if variance else 1.0)
    return mean, wilson_interval(mean * total, total)
