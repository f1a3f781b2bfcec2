"""The optimiser that a recipe asks for."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from tellapart.config import OptimizerRecipe


def decayed_weights(network: nn.Module) -> list[nn.Parameter]:
    """The weights that L1 and L2 pull on: kernels and matrices, not biases, scales or shifts.

    A bias or a norm's scale cannot make the function steeper by growing, so pulling it to 0 only
    hurts (Goodfellow et al., "Deep Learning", 2016, section 7.1).
    """
    return [weight for weight in network.parameters() if weight.requires_grad and weight.ndim > 1]


def build_optimizer(recipe: OptimizerRecipe, network: nn.Module) -> torch.optim.Optimizer:
    """The optimiser over a network's trainable weights; its rate is set before every step."""
    decayed = decayed_weights(network)
    pulled = {id(weight) for weight in decayed}
    others = [w for w in network.parameters() if w.requires_grad and id(w) not in pulled]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    # `fused` makes one pass over memory instead of one per arithmetic operation.
    if recipe.name == "sgd":
        return torch.optim.SGD(
            groups,
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            fused=True,
        )
    kind = torch.optim.AdamW if recipe.name == "adamw" else torch.optim.Adam
    return kind(groups, lr=recipe.learning_rate, betas=(recipe.beta1, recipe.beta2), fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Sets the rate of every group for the next step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def l1_penalty(weights: Iterable[nn.Parameter]) -> torch.Tensor:
    """The sum of absolute values over ``weights``, as a scalar that gradients flow through."""
    return torch.stack([weight.abs().sum() for weight in weights]).sum()
