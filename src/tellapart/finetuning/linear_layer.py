"""An output layer fitted to features: multinomial logistic regression, chosen by cross-validation.

The mean over images of ``w_y * cross-entropy(W z + b, y)`` plus ``penalty / 2 * |W|^2`` is
minimised by L-BFGS over standardised features ``z = (x - mean) / std``; the standardisation is then
folded into the layer, so that it takes the features as they are. Source: Kornblith et al., "Do
Better ImageNet Models Transfer Better?", 2019, arXiv:1805.08974, section 3.1, for the choice of the
penalty on held-out images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy

from tellapart.wording import percent

_PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
_NUM_FOLDS = 5
_MOST_ITERATIONS = 200
# A feature that never changes is shifted, not divided by 0.
_LEAST_STD = 1e-6
# Axes with less than this fraction of the largest variance hold rounding errors.
_LEAST_VARIANCE = 1e-7
_CURVATURE, _TOLERANCE = 0.1, 1e-5


@dataclass(frozen=True)
class LinearFit:
    """A fitted layer, and how well such a layer did on images that it was not fitted to.

    Args:
        weight: float32 (classes, inputs), for features as they are.
        bias: float32 (classes,).
        penalty: the L2 penalty that was chosen.
        loss: the mean loss in cross-validation, which chose it.
        accuracy: fraction of the images that were classified correctly in cross-validation.
        balanced_accuracy: the mean over classes of the same fraction.
        held_out_logits: float32 (images, classes): for each image those of cross-validation, by a
            layer that was fitted to other images.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    penalty: float
    loss: float
    accuracy: float
    balanced_accuracy: float
    held_out_logits: torch.Tensor

    def to_text(self) -> str:
        """Return the result of the fit in one line."""
        return (
            f"output layer: logistic regression on the features, L2 penalty {self.penalty:g}; in "
            f"cross-validation {percent(self.accuracy)} accuracy, "
            f"{percent(self.balanced_accuracy)} balanced"
        )


def fit_linear(
    views: Sequence[torch.Tensor],
    labels: torch.Tensor,
    class_weights: torch.Tensor,
    generator: torch.Generator,
) -> LinearFit:
    """Fit a linear layer, with the penalty that has the lowest loss in cross-validation.

    Args:
        views: float32 (images, inputs) each: the features of the images, and those of other views
            of the same images, which are fitted as well; only the first is validated.
        labels: int64 (images,).
        class_weights: float32 (classes,), of the loss.
        generator: divides the images into folds.
    """
    basis = _Basis.of(torch.cat(list(views)))
    rotated = [basis.rotate(view) for view in views]
    folds = _folds(labels, generator)
    logits = torch.zeros(len(_PENALTIES), len(labels), len(class_weights))
    for fold in range(_NUM_FOLDS):
        held_out = folds == fold
        if held_out.any() and not held_out.all():
            kept = torch.cat([view[~held_out] for view in rotated])
            path = _fit_path(kept, labels[~held_out].repeat(len(views)), class_weights, basis)
            for number, (weight, bias) in enumerate(path):
                logits[number, held_out] = rotated[0][held_out] @ weight.T + bias
    losses = [float(cross_entropy(given, labels, class_weights)) for given in logits]
    best = min(range(len(_PENALTIES)), key=losses.__getitem__)
    everything, repeated = torch.cat(rotated), labels.repeat(len(views))
    weight, bias = _fit_path(everything, repeated, class_weights, basis, best)[best]
    is_correct = (logits[best].argmax(1) == labels).float()
    recalls = [is_correct[labels == label].mean() for label in sorted(set(labels.tolist()))]
    return LinearFit(
        *basis.unfold(weight, bias),
        _PENALTIES[best],
        losses[best],
        float(is_correct.mean()),
        float(torch.stack(recalls).mean()),
        logits[best],
    )


@dataclass(frozen=True)
class _Basis:
    """Standardised features along their principal axes, where the loss is easy to minimise.

    A rotation changes neither the logits nor ``|W|^2``, so the minimum is the same; but along
    principal axes each weight can have a step of its own length, and L-BFGS needs some twenty steps
    in place of hundreds.
    """

    mean: torch.Tensor  # (inputs,)
    std: torch.Tensor  # (inputs,)
    axes: torch.Tensor  # (inputs, axes), orthonormal
    variances: torch.Tensor  # (axes,), of the standardised features

    @staticmethod
    def of(features: torch.Tensor) -> _Basis:
        """The basis of features (images, inputs); as many axes as inputs or images, if fewer."""
        mean, std = features.mean(0), features.std(0, unbiased=False).clamp_min(_LEAST_STD)
        scaled = (features - mean) / std
        wide = scaled.shape[1] > scaled.shape[0]
        gram = (scaled @ scaled.T if wide else scaled.T @ scaled).double() / len(scaled)
        variances, axes = torch.linalg.eigh(gram)
        kept = variances > _LEAST_VARIANCE * variances[-1]
        variances, axes = variances[kept], axes[:, kept]
        if wide:  # of images, (images, axes): to those of inputs
            axes = scaled.T.double() @ axes / (variances * len(scaled)).sqrt()
        return _Basis(mean, std, axes.float(), variances.float())

    def rotate(self, features: torch.Tensor) -> torch.Tensor:
        """(images, inputs) to (images, axes)."""
        return ((features - self.mean) / self.std) @ self.axes

    def unfold(self, weight: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A layer over the axes as one over the features: (classes, inputs) and (classes,)."""
        weight = (weight @ self.axes.T) / self.std
        return weight, bias - weight @ self.mean


def _fit_path(
    rotated: torch.Tensor,
    labels: torch.Tensor,
    class_weights: torch.Tensor,
    basis: _Basis,
    last: int = len(_PENALTIES) - 1,
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Weight and bias for each penalty, from the strongest on; each starts from the one before."""
    weight = torch.zeros(len(class_weights), rotated.shape[1])
    bias = torch.zeros(len(class_weights))
    path = []
    for penalty in _PENALTIES[: last + 1]:
        weight, bias = _minimise(rotated, labels, class_weights, penalty, basis, weight, bias)
        path.append((weight, bias))
    return path


def _minimise(
    rotated: torch.Tensor,
    labels: torch.Tensor,
    class_weights: torch.Tensor,
    penalty: float,
    basis: _Basis,
    weight: torch.Tensor,
    bias: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (classes, axes) and bias (classes,) at the minimum, from given ones."""
    # The loss curves along an axis by about p (1 - p) times its variance, and by the penalty.
    steps = (_CURVATURE * basis.variances + penalty).rsqrt()
    scaled = rotated * steps
    stepped, bias = (weight / steps).requires_grad_(True), bias.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [stepped, bias],
        max_iter=_MOST_ITERATIONS,
        tolerance_grad=_TOLERANCE,
        tolerance_change=0.1 * _TOLERANCE,
        line_search_fn="strong_wolfe",
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = cross_entropy(scaled @ stepped.T + bias, labels, class_weights)
        value = value + penalty / 2 * (stepped * steps).square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return (stepped * steps).detach(), bias.detach()


def _folds(labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The fold of each image, int64 (images,): of every class as evenly as it can be divided."""
    order = torch.randperm(len(labels), generator=generator)
    order = order[labels[order].argsort(stable=True)]
    folds = torch.empty_like(labels)
    # Counted on from class to class, so that small classes do not all begin with the same fold.
    folds[order] = torch.arange(len(labels)) % _NUM_FOLDS
    return folds
