"""What a classifier is trained on: cross-entropy, and squared error to compare it with."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import torch
from torch.autograd.function import once_differentiable

from tellapart.errors import ConfigError, DataError, ShapeError
from tellapart.ops.activation import stable_log_softmax
from tellapart.ops.arguments import check_floating, check_fraction, raised_by_autocast
from tellapart.ops.operation import Operation

Reduction: TypeAlias = Literal["mean", "sum", "none"]


class _CrossEntropy(Operation):
    r"""Softmax minus target.

    :math:`L = -\sum_k q_k \ell_k` with :math:`\ell_k = x_k - \log\sum_j e^{x_j}`. Of it
    :math:`\partial \ell_k / \partial x_j = [k = j] - s_j`, so
    :math:`\partial L / \partial x_j = s_j \sum_k q_k - q_j = s_j - q_j`, as the target adds up
    to 1. A logit is pushed until the probability is the target: the gradient is bounded by 1
    however wrong the network is, which a squared error behind a softmax is not able to do.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, labels: torch.Tensor, label_smoothing: float
    ) -> torch.Tensor:
        log_probabilities = stable_log_softmax(logits, dim=1)
        ctx.save_for_backward(log_probabilities, labels)
        ctx.label_smoothing, ctx.logits_dtype = label_smoothing, logits.dtype
        losses = -log_probabilities.gather(1, labels[:, None])[:, 0]
        if label_smoothing:
            everywhere = -log_probabilities.mean(1)
            losses = (1.0 - label_smoothing) * losses + label_smoothing * everywhere
        return losses.to(logits.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        log_probabilities, labels = ctx.saved_tensors
        difference = log_probabilities.exp()  # softmax; the target is taken off below
        num_classes = difference.shape[1]
        if ctx.label_smoothing:
            difference -= ctx.label_smoothing / num_classes
        peak = torch.full_like(labels, ctx.label_smoothing - 1.0, dtype=difference.dtype)
        difference.scatter_add_(1, labels[:, None], peak[:, None])
        return (difference * gradient[:, None]).to(ctx.logits_dtype), None, None


def cross_entropy(
    logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
) -> torch.Tensor:
    r"""Minus the logarithm of the probability of the right class.

    .. math:: L = -\sum_k q_k \log \mathrm{softmax}(x)_k, \qquad
        q_k = (1 - \varepsilon)\,[k = \text{label}] + \varepsilon / \text{classes}

    From the logits, not from probabilities: the logarithm of a softmax is computed in one piece
    and stays finite where the probability itself would be 0.

    Args:
        logits: floating point, (batch, classes).
        labels: int64, (batch,), in 0..classes - 1.
        label_smoothing: :math:`\varepsilon`, the fraction of the target spread over all classes.
        reduction: "mean" or "sum" over the batch, or "none" for a loss per image.

    Returns:
        A single number, or (batch,). In the logits' type; under autocast in float32.

    Raises:
        ShapeError: where shapes or types are not these.
        DataError: where a label lies outside the classes (looked at on the CPU only: elsewhere
            looking would make every step wait for the device).
        ConfigError: where smoothing or reduction are not of this kind.

    Source: Szegedy et al., Rethinking the Inception architecture, 2015, arXiv:1512.00567,
    section 7 (label smoothing).

    Example:
        >>> cross_entropy(torch.zeros(1, 10), torch.tensor([3]))
        tensor(2.3026)
    """
    _check(logits, labels, label_smoothing)
    losses = _CrossEntropy.call(raised_by_autocast(logits), labels, label_smoothing)
    return _reduced(losses, reduction)


class _SquaredError(Operation):
    r"""The distance to the target, squeezed through the softmax.

    :math:`L = \sum_k (p_k - q_k)^2` with :math:`p = \mathrm{softmax}(x)`, of which
    :math:`\partial p_k / \partial x_j = p_k ([k = j] - p_j)`. With :math:`d = p - q`,

    .. math:: \frac{\partial L}{\partial x_j} = \sum_k 2 d_k p_k ([k = j] - p_j)
        = 2 p_j \Big(d_j - \sum_k d_k p_k\Big).

    The factor :math:`p_j` is what cross-entropy does not have: of a class that the network is sure
    not to see, the logit is not moved, even where it is the right one.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, labels: torch.Tensor, label_smoothing: float
    ) -> torch.Tensor:
        probabilities = stable_log_softmax(logits, dim=1).exp()
        differences = probabilities - label_smoothing / logits.shape[1]
        peak = torch.full_like(labels, label_smoothing - 1.0, dtype=differences.dtype)
        differences.scatter_add_(1, labels[:, None], peak[:, None])
        ctx.save_for_backward(probabilities, differences)
        ctx.logits_dtype = logits.dtype
        return (differences * differences).sum(1).to(logits.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        probabilities, differences = ctx.saved_tensors
        mean = (differences * probabilities).sum(1, keepdim=True)  # (batch, 1)
        slope = 2.0 * probabilities * (differences - mean)
        return (slope * gradient[:, None]).to(ctx.logits_dtype), None, None


def squared_error(
    logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
) -> torch.Tensor:
    r"""The squared distance between probabilities and target, from 0 to 2: the Brier score.

    .. math:: L = \sum_k (\mathrm{softmax}(x)_k - q_k)^2, \qquad
        q_k = (1 - \varepsilon)\,[k = \text{label}] + \varepsilon / \text{classes}

    A sum over the classes, not a mean: what one image can lose does not depend on how many classes
    there are. As a measure it is as honest as cross-entropy, smallest for the true probabilities;
    to be trained on it is worse, since its gradient vanishes where the network is wrong and sure.

    Args:
        logits: floating point, (batch, classes).
        labels: int64, (batch,), in 0..classes - 1.
        label_smoothing: :math:`\varepsilon`, the fraction of the target spread over all classes.
        reduction: "mean" or "sum" over the batch, or "none" for a loss per image.

    Returns:
        A single number, or (batch,). In the logits' type; under autocast in float32.

    Raises:
        ShapeError: where shapes or types are not these.
        DataError: where a label lies outside the classes, as :func:`cross_entropy`.
        ConfigError: where smoothing or reduction are not of this kind.

    Source: Brier, Verification of forecasts expressed in terms of probability, 1950.

    Example:
        >>> squared_error(torch.zeros(1, 10), torch.tensor([3]))
        tensor(0.9000)
    """
    _check(logits, labels, label_smoothing)
    losses = _SquaredError.call(raised_by_autocast(logits), labels, label_smoothing)
    return _reduced(losses, reduction)


def _check(logits: torch.Tensor, labels: torch.Tensor, label_smoothing: float) -> None:
    check_floating(logits, subject="logits")
    if logits.ndim != 2:
        raise ShapeError(f"logits must be (batch, classes), got {tuple(logits.shape)}")
    if labels.dtype != torch.int64 or labels.shape != logits.shape[:1]:
        raise ShapeError(
            f"labels must be int64 ({len(logits)},), one per row of logits, "
            f"got {labels.dtype} {tuple(labels.shape)}"
        )
    if labels.device.type == "cpu" and len(labels):
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= logits.shape[1]:
            raise DataError(f"labels must lie in 0..{logits.shape[1] - 1}, got {low}..{high}")
    check_fraction(label_smoothing, subject="label_smoothing")


def _reduced(losses: torch.Tensor, reduction: Reduction) -> torch.Tensor:
    match reduction:
        case "mean":
            return losses.mean()
        case "sum":
            return losses.sum()
        case "none":
            return losses
        case _:
            raise ConfigError(f"reduction must be mean, sum or none, got {reduction!r}")
