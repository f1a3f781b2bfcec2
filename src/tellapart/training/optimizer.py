"""The optimizer that a recipe asks for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import torch
from torch import nn

from tellapart.config import OPTIMIZER_FIELDS, OptimizerRecipe
from tellapart.training.lion import Lion
from tellapart.training.muon import Muon
from tellapart.training.torch_internals import without_compiler_import

Builder = Callable[..., torch.optim.Optimizer]
Groups = list[dict[str, Any]]


def _sgd(groups: Groups, lr: float, *, momentum: float, nesterov: bool) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov, fused=True)


def _adam(groups: Groups, lr: float, *, beta1: float, beta2: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(groups, lr=lr, betas=(beta1, beta2), fused=True)


def _adamw(groups: Groups, lr: float, *, beta1: float, beta2: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, lr=lr, betas=(beta1, beta2), fused=True)


def _lion(groups: Groups, lr: float, *, beta1: float, beta2: float) -> torch.optim.Optimizer:
    return Lion(groups, lr=lr, betas=(beta1, beta2))


def _muon(groups: Groups, lr: float, *, beta1: float, beta2: float) -> torch.optim.Optimizer:
    return Muon(groups, lr=lr, betas=(beta1, beta2))


# By the name in a recipe. A builder takes groups of weights (each with its weight decay), the
# learning rate, and by their own names the recipe's fields that `config.OPTIMIZER_FIELDS` lists.
# What an optimizer keeps from step to step `training.state` asks of the optimizer itself.
# `fused` makes one pass over memory instead of one per arithmetic operation.
OPTIMIZERS: Mapping[str, Builder] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
    "lion": _lion,
    "muon": _muon,
}


def decayed_weights(network: nn.Module) -> list[nn.Parameter]:
    """The weights that L1 and L2 pull on: kernels and matrices, not biases, scales or shifts.

    A bias or a norm's scale cannot make the function steeper by growing, so pulling it to 0 only
    hurts (Goodfellow et al., "Deep Learning", 2016, section 7.1).
    """
    return [weight for weight in network.parameters() if weight.requires_grad and weight.ndim > 1]


def build_optimizer(
    recipe: OptimizerRecipe,
    network: nn.Module,
    rate_factors: Mapping[str, float] | None = None,
    undecayed: Collection[str] = (),
) -> torch.optim.Optimizer:
    """The optimizer over a network's trainable weights; its rate is set before every step.

    Args:
        recipe: names the optimizer and its numbers.
        network: weights that need no gradient now are left out for good.
        rate_factors: what a weight's rate is multiplied by, by name; 1 for those left out.
        undecayed: names of weights that weight decay leaves alone besides biases and norms.
    """
    fields = {name: getattr(recipe, name) for name in OPTIMIZER_FIELDS[recipe.name]}
    groups = _groups(network, recipe.weight_decay, rate_factors or {}, undecayed)
    with without_compiler_import():
        return OPTIMIZERS[recipe.name](groups, recipe.learning_rate, **fields)


def _groups(
    network: nn.Module,
    weight_decay: float,
    rate_factors: Mapping[str, float],
    undecayed: Collection[str],
) -> Groups:
    """Weights that are decayed alike and move at one rate, in an order of their own.

    A saved state goes by the number of the weight, so the order must not depend on anything else.
    """
    pulled = {id(weight) for weight in decayed_weights(network)}
    members: defaultdict[tuple[bool, float], list[nn.Parameter]] = defaultdict(list)
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            is_decayed = id(weight) in pulled and name not in undecayed
            members[not is_decayed, rate_factors.get(name, 1.0)].append(weight)
    return [
        {
            "params": members[is_spared, factor],
            "weight_decay": 0.0 if is_spared else weight_decay,
            "rate_factor": factor,
        }
        for is_spared, factor in sorted(members)
    ]


def clear_gradients(weights: Iterable[nn.Parameter]) -> None:
    """Drops the last step's gradients, as ``zero_grad`` does without importing the compiler."""
    for weight in weights:
        weight.grad = None


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Sets the rate of every group for the next step, times the factor of the group."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["rate_factor"]


def l1_penalty(weights: Iterable[nn.Parameter]) -> torch.Tensor:
    """The sum of absolute values over ``weights``, as a scalar that gradients flow through."""
    return torch.stack([weight.abs().sum() for weight in weights]).sum()
