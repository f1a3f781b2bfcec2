"""Leaving images unanswered: the accuracy that is bought by answering only where it is sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tellapart.errors import ConfigError
from tellapart.evaluation.metrics import checked_logits, wilson_interval


@dataclass(frozen=True)
class Abstention:
    """What abstaining below a confidence gives, on images that were not trained on.

    Args:
        below: an image is answered from this probability of its class on.
        calibrated_on: the images it was measured on: ``validation``, ``calibration`` or
            ``cross-validation``.
        num_images: how many.
        num_answered: how many of them are answered.
        num_correct: how many of the answers are correct.
        num_correct_of_all: how many would be, if all images were answered.
    """

    below: float
    calibrated_on: str
    num_images: int
    num_answered: int
    num_correct: int
    num_correct_of_all: int

    @property
    def accuracy(self) -> float | None:
        """The fraction of the answers that is correct; None where nothing is answered."""
        return self.num_correct / self.num_answered if self.num_answered else None

    def to_json(self) -> dict[str, Any]:
        """Return plain text and numbers, each fraction with its 95 % interval."""
        answered = wilson_interval(self.num_answered, self.num_images)
        everything = wilson_interval(self.num_correct_of_all, self.num_images)
        correct = (
            wilson_interval(self.num_correct, self.num_answered) if self.num_answered else None
        )
        return {
            "below": self.below,
            "calibrated_on": self.calibrated_on,
            "num_images": self.num_images,
            "answered": self.num_answered / self.num_images,
            "answered_interval": list(answered),
            "accuracy": self.accuracy,
            "accuracy_interval": list(correct) if correct else None,
            "accuracy_of_all": self.num_correct_of_all / self.num_images,
            "accuracy_of_all_interval": list(everything),
        }


def measure_abstention(
    logits: Tensor, labels: Tensor, answers: Tensor, below: float, calibrated_on: str
) -> Abstention:
    """Count what is answered and correct, on images that were not trained on.

    Args:
        logits: floating point (images, classes), calibrated.
        labels: int64 (images,).
        answers: int64 (images,), the class that is answered for each.
        below: images whose class has a lower probability are not answered.
        calibrated_on: which images these are.

    Raises:
        ConfigError: a probability outside 0..1.
        ShapeError, DataError, DivergedError: as `evaluate_logits`.
    """
    require_abstain_below(below)
    logits, labels = checked_logits(logits, labels)
    confidence = logits.softmax(1).gather(1, answers[:, None]).squeeze(1)
    is_answered, is_correct = confidence >= below, answers == labels
    return Abstention(
        below,
        calibrated_on,
        len(labels),
        int(is_answered.sum()),
        int((is_answered & is_correct).sum()),
        int(is_correct.sum()),
    )


def require_abstain_below(below: float) -> None:
    """Refuse a probability that is not between 0 and 1.

    Raises:
        ConfigError: such a probability.
    """
    if not 0 < below < 1:
        raise ConfigError(
            f"abstain-below must be a probability between 0 and 1, got {below:g}; 0.9 leaves "
            "images unanswered of whose class it is less than 90 % sure"
        )
