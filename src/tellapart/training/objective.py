"""What training minimises: the loss against the labels, and against a teacher if there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch.nn.functional import cross_entropy, kl_div, one_hot

from tellapart.config import DistillationRecipe
from tellapart.errors import ConfigError
from tellapart.models.classifier import Classifier
from tellapart.runtime import Runtime, place


def squared_errors(
    logits: torch.Tensor, targets: torch.Tensor, label_smoothing: float
) -> torch.Tensor:
    """The squared distance of probabilities and target of each image: float (batch,), 0 to 2.

    ``sum_k (softmax(logits)_k - q_k)^2`` with the smoothed target q, as
    :func:`tellapart.ops.squared_error`, which derives its gradient.

    Args:
        logits: float32 (batch, classes).
        targets: int64 (batch,), or float32 (batch, classes) whose rows add up to 1.
        label_smoothing: fraction of each target spread over all classes.
    """
    num_classes = logits.shape[1]
    shares = one_hot(targets, num_classes).to(logits.dtype) if targets.ndim == 1 else targets
    smoothed = (1 - label_smoothing) * shares + label_smoothing / num_classes
    return (logits.softmax(1) - smoothed).square().sum(1)


def _cross_entropies(
    logits: torch.Tensor, targets: torch.Tensor, label_smoothing: float
) -> torch.Tensor:
    return cross_entropy(logits, targets, label_smoothing=label_smoothing, reduction="none")


def _mean_cross_entropy(
    logits: torch.Tensor, targets: torch.Tensor, label_smoothing: float
) -> torch.Tensor:
    return cross_entropy(logits, targets, label_smoothing=label_smoothing)


def _mean_squared_error(
    logits: torch.Tensor, targets: torch.Tensor, label_smoothing: float
) -> torch.Tensor:
    return squared_errors(logits, targets, label_smoothing).mean()


LossFunction = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]
# By the name in a recipe: the mean over a batch, and the loss of each image. Two functions, as
# torch's own mean is a pass less and adds up in another order than a mean of losses.
LOSSES: Mapping[str, tuple[LossFunction, LossFunction]] = {
    "cross-entropy": (_mean_cross_entropy, _cross_entropies),
    "squared-error": (_mean_squared_error, squared_errors),
}


class Objective:
    """The loss against the labels, mixed with the divergence from a teacher's probabilities.

    ``(1 - w) L(logits, targets) + w T^2 KL(softmax(teacher / T) || softmax(logits / T))``; the
    square of the temperature keeps the two gradients of one size (Hinton et al., "Distilling the
    Knowledge in a Neural Network", 2015, section 2).

    Args:
        label_smoothing: fraction of each target spread over all classes.
        distillation: weight and temperature.
        teacher: a trained classifier of the same classes, or None.
        runtime: where the teacher runs.
        class_weights: float32 (classes,) on the device, what an image of each class counts; None
            counts all alike.
        loss: L, one of `LOSSES`.
    """

    def __init__(
        self,
        label_smoothing: float,
        distillation: DistillationRecipe,
        teacher: Classifier | None,
        runtime: Runtime,
        class_weights: torch.Tensor | None = None,
        loss: str = "cross-entropy",
    ) -> None:
        self._mean, self._each = LOSSES[loss]
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
            targets: int64 (batch,), or float32 (batch, classes) where images were mixed.
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

    def without_variations(self, logits: torch.Tensor, labels: torch.Tensor) -> float:
        """The mean loss without smoothing, class weights and teacher: what validation measures."""
        return float(self._mean(logits, labels, 0.0))

    def _to_labels(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The mean loss, each image counting what its class does."""
        if self.class_weights is None:
            return self._mean(logits, targets, self.label_smoothing)
        # An image is weighed, not the terms of its loss, as torch's ``weight`` does: there the
        # fraction that smoothing gives to a rare class grows with the weight of that class, until
        # every image of the common one is learned as half rare.
        losses = self._each(logits, targets, self.label_smoothing)
        weights = self.class_weights
        counts = weights[targets] if targets.ndim == 1 else targets @ weights
        return (losses * counts).sum() / counts.sum()


def require_fit_teacher(teacher: Classifier, student: Classifier) -> None:
    """Raises a ConfigError where a teacher has other classes or takes other images."""
    if teacher.class_names != student.class_names:
        raise ConfigError(
            f"the teacher knows other classes ({', '.join(teacher.class_names[:5])}, ...) than the "
            f"data ({', '.join(student.class_names[:5])}, ...); choose another distillation.teacher"
        )
    if teacher.image_shape != student.image_shape:
        raise ConfigError(
            f"the teacher takes images of (channels, height, width) {teacher.image_shape}, "
            f"the data has {student.image_shape}; choose another distillation.teacher"
        )
