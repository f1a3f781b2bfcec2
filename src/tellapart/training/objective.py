"""What training makes small: the distance to the labels, and to a teacher where there is one."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy, kl_div

from tellapart.config import DistillationRecipe
from tellapart.errors import ConfigError
from tellapart.models.classifier import Classifier
from tellapart.runtime import Runtime, place


class Objective:
    """Cross-entropy with the labels, mixed with the divergence from a teacher's probabilities.

    ``(1 - w) CE(logits, targets) + w T^2 KL(softmax(teacher / T) || softmax(logits / T))``; the
    square of the temperature keeps the two gradients of one size (Hinton et al., "Distilling the
    Knowledge in a Neural Network", 2015, section 2).

    Args:
        label_smoothing: share of each target spread over all classes.
        distillation: weight and temperature.
        teacher: a trained classifier of the same classes, or None.
        runtime: where the teacher runs.
        class_weights: float32 (classes,) on the device, what a picture of each class counts; None
            counts all alike.
    """

    def __init__(
        self,
        label_smoothing: float,
        distillation: DistillationRecipe,
        teacher: Classifier | None,
        runtime: Runtime,
        class_weights: torch.Tensor | None = None,
    ) -> None:
        self.label_smoothing = label_smoothing
        self.class_weights = class_weights
        self.distillation = distillation
        self.runtime = runtime
        self.teacher = None
        if teacher is not None:
            self.teacher = place(teacher, runtime).requires_grad_(False).eval()

    def __call__(
        self, logits: torch.Tensor, targets: torch.Tensor, images: torch.Tensor
    ) -> torch.Tensor:
        """The mean loss of a batch.

        Args:
            logits: float32 (batch, classes).
            targets: int64 (batch,), or float32 (batch, classes) where pictures were mixed.
            images: uint8, what the logits were given for; the teacher sees the same, once.
        """
        loss = self._to_labels(logits, targets)
        if self.teacher is None:
            return loss
        weight, temperature = self.distillation.weight, self.distillation.temperature
        with torch.no_grad(), self.runtime.autocast():
            taught = self.teacher.plain_logits(images).float()
        divergence = kl_div(
            (logits / temperature).log_softmax(1),
            (taught / temperature).log_softmax(1),
            reduction="batchmean",
            log_target=True,
        )
        return (1 - weight) * loss + weight * temperature**2 * divergence

    def _to_labels(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The mean cross-entropy, each picture counting what its class does."""
        if self.class_weights is None:
            return cross_entropy(logits, targets, label_smoothing=self.label_smoothing)
        # A picture is weighed, not the terms of its loss, as torch's ``weight`` does: there the
        # share that smoothing gives to a rare class grows with the weight of that class, until
        # every picture of the common one is learned as half rare.
        losses = cross_entropy(
            logits, targets, label_smoothing=self.label_smoothing, reduction="none"
        )
        weights = self.class_weights
        counts = weights[targets] if targets.ndim == 1 else targets @ weights
        return (losses * counts).sum() / counts.sum()


def require_fit_teacher(teacher: Classifier, student: Classifier) -> None:
    """Raises a ConfigError where a teacher has other classes or takes other pictures."""
    if teacher.class_names != student.class_names:
        raise ConfigError(
            f"the teacher knows other classes ({', '.join(teacher.class_names[:5])}, ...) than the "
            f"data ({', '.join(student.class_names[:5])}, ...); choose another distillation.teacher"
        )
    if teacher.image_shape != student.image_shape:
        raise ConfigError(
            f"the teacher takes pictures of (channels, height, width) {teacher.image_shape}, "
            f"the data has {student.image_shape}; choose another distillation.teacher"
        )
