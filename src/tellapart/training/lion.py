"""Lion: steps of one size, in the direction of the sign of a momentum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn


class Lion(torch.optim.Optimizer):
    r"""Moves every weight by the learning rate, up or down.

    With gradient :math:`g`, weight :math:`w`, momentum :math:`m`, rate :math:`\eta` and weight
    decay :math:`\lambda`:

    .. math::
        u &= \mathrm{sign}(\beta_1 m + (1 - \beta_1) g) \\
        w &\leftarrow w - \eta \lambda w - \eta u \\
        m &\leftarrow \beta_2 m + (1 - \beta_2) g

    One number is kept per weight where Adam keeps two. As every step has full size, the rate is 3
    to 10 times smaller than Adam's, and the weight decay larger by as much.

    Source: Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023, arXiv:2302.06675,
    program 1 and section 5.

    Args:
        weights: or groups of them.
        lr: the learning rate.
        betas: :math:`\beta_1, \beta_2`.
        weight_decay: :math:`\lambda`, applied apart from the gradient.
    """

    def __init__(
        self,
        weights: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float],
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(weights, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Moves every weight that has a gradient; ``closure`` is not supported."""
        assert closure is None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, weight.grad, group)

    def _move(
        self, weight: torch.Tensor, gradient: torch.Tensor, settings: Mapping[str, Any]
    ) -> None:
        rate, (beta1, beta2) = settings["lr"], settings["betas"]
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        momentum = state["momentum"]
        direction = momentum.lerp(gradient, 1 - beta1).sign_()
        weight.mul_(1 - rate * settings["weight_decay"]).add_(direction, alpha=-rate)
        momentum.lerp_(gradient, 1 - beta2)
