"""Cross-entropy: what a classifier is trained on."""

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
    r"""Minus the logarithm of the probability given to the right class.

    .. math:: L = -\sum_k q_k \log \mathrm{softmax}(x)_k, \qquad
        q_k = (1 - \varepsilon)\,[k = \text{label}] + \varepsilon / \text{classes}

    From the logits, not from probabilities: the logarithm of a softmax is computed in one piece
    and stays finite where the probability itself would be 0.

    Args:
        logits: floating point, (batch, classes).
        labels: int64, (batch,), in 0..classes - 1.
        label_smoothing: :math:`\varepsilon`, the share of the target spread over all classes.
        reduction: "mean" or "sum" over the batch, or "none" for a loss per picture.

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
    losses = _CrossEntropy.call(raised_by_autocast(logits), labels, label_smoothing)
    match reduction:
        case "mean":
            return losses.mean()
        case "sum":
            return losses.sum()
        case "none":
            return losses
        case _:
            raise ConfigError(f"reduction must be mean, sum or none, got {reduction!r}")
