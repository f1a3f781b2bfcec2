"""The optimiser that a recipe asks for."""

from __future__ import annotations

import inspect
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from tellapart.config import OptimizerRecipe

_MARK = "__dynamo_disable"


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
    """The optimiser over a network's trainable weights; its rate is set before every step.

    Args:
        recipe: the rule of the step.
        network: weights that need no gradient now are left out for good.
        rate_factors: what a weight's rate is multiplied by, by name; 1 where nothing is said.
        undecayed: names of weights that weight decay leaves alone besides biases and norms.
    """
    pulled = {id(weight) for weight in decayed_weights(network)}
    members: defaultdict[tuple[bool, float], list[nn.Parameter]] = defaultdict(list)
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            is_decayed = id(weight) in pulled and name not in undecayed
            members[not is_decayed, (rate_factors or {}).get(name, 1.0)].append(weight)
    # In an order of their own: an optimiser's saved memory goes by the number of the weight.
    groups: list[dict[str, Any]] = [
        {
            "params": members[key],
            "weight_decay": 0.0 if key[0] else recipe.weight_decay,
            "rate_factor": key[1],
        }
        for key in sorted(members)
    ]
    with _no_compiler_import():
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
        betas = (recipe.beta1, recipe.beta2)
        return kind(groups, lr=recipe.learning_rate, betas=betas, fused=True)


@contextmanager
def _no_compiler_import() -> Iterator[None]:
    """Makes an optimiser without torch's compiler being imported for it, which takes 0.8 s.

    torch marks ``add_param_group`` as not to be compiled the first time it is called, and imports
    the compiler to do so. A method that bears the mark already is called as it is; the mark is
    taken off again, so that whoever compiles later finds torch as it was. Where torch keeps no such
    mark, or the compiler is there, nothing is done and nothing is lost but the time.
    """
    method = getattr(torch.optim.Optimizer.add_param_group, "__wrapped__", None)
    if method is None or "torch._dynamo" in sys.modules or hasattr(method, _MARK):
        yield
        return
    setattr(method, _MARK, method)
    try:
        yield
    finally:
        delattr(method, _MARK)


def take_step(optimizer: torch.optim.Optimizer) -> None:
    """``optimizer.step()`` from inside its wrappers, which import the compiler and nothing else.

    They serve hooks, the profiler and differentiable steps; none of these is used here.
    """
    step = inspect.unwrap(type(optimizer).step)
    with torch.no_grad():
        step(optimizer)


def clear_gradients(weights: Iterable[nn.Parameter]) -> None:
    """Forgets the last step's gradients, as ``zero_grad`` does without importing the compiler."""
    for weight in weights:
        weight.grad = None


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Sets the rate of every group for the next step, times the factor of the group."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["rate_factor"]


def l1_penalty(weights: Iterable[nn.Parameter]) -> torch.Tensor:
    """The sum of absolute values over ``weights``, as a scalar that gradients flow through."""
    return torch.stack([weight.abs().sum() for weight in weights]).sum()
