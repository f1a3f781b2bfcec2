"""Muon: a matrix moves by its momentum, made orthogonal; every other weight by AdamW."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import sqrt
from typing import Any

import torch
from torch import nn

# Coefficients of the quintic and number of iterations; Jordan 2024 chose them for the steepest
# rise at 0: singular values end between about 0.7 and 1.2 instead of at 1, which is near enough.
_QUINTIC = (3.4445, -4.7750, 2.0315)
_NUM_ITERATIONS = 5
_SMALLEST_NORM = 1e-7
# The root mean square of an AdamW step, in units of the learning rate, as it is usually found.
_ADAMW_STEP = 0.2


class Muon(torch.optim.Optimizer):
    r"""Moves a matrix equally far in all its directions, however unequal the gradient is.

    For a weight :math:`W` of two or more dimensions, seen as a matrix (outputs, everything else),
    with gradient :math:`G`, momentum :math:`M`, rate :math:`\eta` and weight decay :math:`\lambda`:

    .. math::
        M &\leftarrow \beta_1 M + (1 - \beta_1) G \\
        U &= \mathrm{orthogonal}(\beta_1 M + (1 - \beta_1) G) \\
        W &\leftarrow W - \eta \lambda W - 0.2 \sqrt{\max(\text{rows}, \text{columns})}\, \eta U

    where ``orthogonal`` is :func:`orthogonalized`. Biases and norms are moved by AdamW with
    :math:`\beta_1, \beta_2`. The factor makes a step of a matrix as long as AdamW's, so both take
    one learning rate and one weight decay.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the
    factor from Liu et al., "Muon is Scalable for LLM Training", 2025, arXiv:2502.16982, section
    2.2. Unlike there, the output layer is a matrix like the others.

    Args:
        weights: or groups of them.
        lr: the learning rate.
        betas: :math:`\beta_1, \beta_2`.
        weight_decay: :math:`\lambda`, applied apart from the gradient.
        eps: keeps AdamW's divisor from 0.
    """

    def __init__(
        self,
        weights: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float],
        weight_decay: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "eps": eps}
        super().__init__(weights, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Moves every weight that has a gradient; ``closure`` is not supported."""
        assert closure is None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    move = self._move_matrix if weight.ndim > 1 else self._move_by_adam
                    move(weight, weight.grad, group)

    def _move_matrix(
        self, weight: torch.Tensor, gradient: torch.Tensor, settings: Mapping[str, Any]
    ) -> None:
        beta1 = settings["betas"][0]
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        momentum = state["momentum"].lerp_(gradient, 1 - beta1)
        # Nesterov: as if the next gradient were this one again.
        matrix = gradient.lerp(momentum, beta1).flatten(1)  # (outputs, everything else)
        factor = _ADAMW_STEP * sqrt(max(matrix.shape))
        direction = orthogonalized(matrix).view(weight.shape)
        weight.add_(direction, alpha=-factor * settings["lr"])

    def _move_by_adam(
        self, weight: torch.Tensor, gradient: torch.Tensor, settings: Mapping[str, Any]
    ) -> None:
        beta1, beta2 = settings["betas"]
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros((), device=weight.device)
            state["mean"] = torch.zeros_like(weight)
            state["mean_square"] = torch.zeros_like(weight)
        step = state["step"].add_(1)
        mean = state["mean"].lerp_(gradient, 1 - beta1)
        mean_square = state["mean_square"].lerp_(gradient.square(), 1 - beta2)
        # Both means began at 0 and are divided by what has been averaged so far.
        divisor = (mean_square / (1 - beta2**step)).sqrt_().add_(settings["eps"])
        weight.sub_(settings["lr"] * (mean / (1 - beta1**step)) / divisor)


def orthogonalized(matrix: torch.Tensor) -> torch.Tensor:
    r"""The orthogonal matrix nearest to ``matrix``, roughly: :math:`U V^T` of :math:`U S V^T`.

    By Newton and Schulz, in products alone: with :math:`A = X X^T`, five times
    :math:`X \leftarrow a X + (b A + c A^2) X`, which acts on every singular value as
    :math:`s \leftarrow a s + b s^3 + c s^5` and leaves the singular vectors. All but the smallest
    singular values end between about 0.7 and 1.2. In the type of ``matrix``.

    Args:
        matrix: floating point, (rows, columns).

    Returns:
        (rows, columns).

    Example:
        >>> orthogonalized(torch.diag(torch.tensor([4.0, 0.5]))).diag().round(decimals=1)
        tensor([0.7000, 0.7000])
    """
    a, b, c = _QUINTIC
    is_tall = matrix.shape[0] > matrix.shape[1]
    # The product of a matrix with its transpose is the smaller one this way round.
    x: torch.Tensor = matrix.T if is_tall else matrix
    # No singular value is larger than this norm, so all begin in 0..1, where the quintic converges.
    x = x / torch.linalg.vector_norm(x).clamp_min(_SMALLEST_NORM)
    for _ in range(_NUM_ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if is_tall else x
