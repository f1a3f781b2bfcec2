"""Everything that a stopped training needs to go on bit for bit, as tensors and a JSON header.

The schedule, the shuffle, dropout and augmentation are functions of seed and epoch and need no
state. What is left: the network's weights, those of the best epoch, the running average, what the
optimizer keeps from step to step, and a few numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import torch

from tellapart.errors import ConfigError
from tellapart.training.torch_internals import take_step

Tensors = Mapping[str, torch.Tensor]
_IN_FILE = ("weights", "best", "average", "optimizer")


@dataclass(frozen=True)
class TrainingState:
    """A training between two epochs.

    Args:
        weights: of the network that is trained, by name.
        best: of the best epoch so far, for early stopping; empty where there is none.
        average: of the running average; empty where there is none.
        optimizer: as :func:`optimizer_state` gives it.
        history: the report of each epoch so far, as plain values.
        average_steps: how many steps the running average has seen.
        num_frozen_stages: of the network, in the last epoch.
        best_epoch: its number, from 1; 0 is the start of fine-tuning, or that there is none.
        best_loss: what was measured there; None where there is none.
    """

    weights: Tensors
    best: Tensors
    average: Tensors
    optimizer: Tensors
    history: list[dict[str, Any]]
    average_steps: int
    num_frozen_stages: int
    best_epoch: int
    best_loss: float | None

    def to_file(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Tensors by ``PART/NAME``, and the other fields as a JSON object."""
        tensors = {
            f"{part}/{name}": tensor
            for part in _IN_FILE
            for name, tensor in getattr(self, part).items()
        }
        return tensors, {name: getattr(self, name) for name in _in_header()}

    @classmethod
    def from_file(cls, tensors: Tensors, header: Mapping[str, Any]) -> TrainingState:
        """The state that :meth:`to_file` took apart; other entries of the header are left out.

        Raises:
            ConfigError: a header that lacks an entry or has one of another type.
        """
        with refusing_misfits():
            return cls(
                **{part: named_under(part, tensors) for part in _IN_FILE},
                history=[dict(row) for row in header["history"]],
                average_steps=int(header["average_steps"]),
                num_frozen_stages=int(header["num_frozen_stages"]),
                best_epoch=int(header["best_epoch"]),
                best_loss=None if header["best_loss"] is None else float(header["best_loss"]),
            )


def _in_header() -> list[str]:
    return [entry.name for entry in fields(TrainingState) if entry.name not in _IN_FILE]


def named_under(part: str, tensors: Tensors) -> dict[str, torch.Tensor]:
    """The tensors called ``PART/NAME``, by ``NAME``."""
    prefix = f"{part}/"
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


@contextmanager
def refusing_misfits() -> Iterator[None]:
    """Turns what goes wrong inside, with a state of another recipe, into a ConfigError."""
    try:
        yield
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"the training state does not fit this recipe: {reason}") from None


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """What an optimizer keeps of each weight, as tensors ``NUMBER/KEY``, e.g. ``3/exp_avg``."""
    return {
        f"{number}/{key}": value if isinstance(value, torch.Tensor) else torch.tensor(value)
        for number, weight in enumerate(_weights(optimizer))
        for key, value in optimizer.state.get(weight, {}).items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Puts back what :func:`optimizer_state` took; groups and rates stay the optimizer's own.

    The optimizer is asked what it keeps: it takes a step of length 0 and so makes its state, with
    the keys, types, places and memory layouts that it wants, which is then filled. (A fused step
    walks weight and state as they lie in memory, so a plain tensor beside channels-last weights
    would give every number its neighbour's momentum.) Weights are to be loaded after this.

    Args:
        optimizer: that has not taken a step.
        tensors: by ``NUMBER/KEY``.

    Raises:
        ConfigError: a state of another optimizer or of other weights.
    """
    weights = _weights(optimizer)
    saved: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        digits, _, key = name.partition("/")
        if not digits.isdecimal() or int(digits) >= len(weights):
            raise _foreign(f"no weight for {name!r}")
        saved.setdefault(int(digits), {})[key] = tensor
    _take_empty_step(optimizer, [weights[number] for number in saved])
    for number, state in saved.items():
        _fill(optimizer.state[weights[number]], number, state)


def _take_empty_step(optimizer: torch.optim.Optimizer, weights: list[torch.Tensor]) -> None:
    """A step of length 0 with gradients of 0, of these weights alone."""
    rates = [group["lr"] for group in optimizer.param_groups]
    for weight in _weights(optimizer):
        weight.grad = None
    for weight in weights:
        weight.grad = torch.zeros_like(weight)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    take_step(optimizer)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    for weight in weights:
        weight.grad = None


def _fill(kept: Mapping[str, Any], number: int, saved: Tensors) -> None:
    """Copies a weight's saved state into the one that the optimizer has made for it."""
    wanted = {key: value for key, value in kept.items() if value is not None}
    if wanted.keys() != saved.keys():
        raise _foreign(
            f"it must hold {', '.join(sorted(wanted)) or 'nothing'}, got {', '.join(sorted(saved))}"
        )
    for key, value in wanted.items():
        given = saved[key]
        if given.shape != value.shape or given.dtype != value.dtype:
            raise _foreign(
                f"'{number}/{key}' must be {value.dtype} {tuple(value.shape)}, "
                f"got {given.dtype} {tuple(given.shape)}"
            )
        value.copy_(given)


def _weights(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """The weights that it moves, in the order that numbers its state."""
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _foreign(reason: str) -> ConfigError:
    return ConfigError(f"the optimizer's saved state does not fit this recipe: {reason}")
