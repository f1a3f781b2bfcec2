"""Recording the inputs or outputs of a network's layers during a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from tellapart.errors import ConfigError


@dataclass(frozen=True)
class Activation:
    """One call of one layer.

    Args:
        name: the name of the layer in the network.
        layer: the layer.
        tensor: its output, or its input with ``inputs=True``.
    """

    name: str
    layer: nn.Module
    tensor: torch.Tensor


@dataclass
class Activations:
    """The recorded calls, in the order in which the layers ran; one entry for each call.

    ``seen["conv1"]`` is the list of that layer's tensors.
    """

    all: list[Activation] = field(default_factory=list)

    def __getitem__(self, name: str) -> list[torch.Tensor]:
        return [activation.tensor for activation in self.all if activation.name == name]

    def __iter__(self) -> Iterator[Activation]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)


@contextmanager
def captured(
    network: nn.Module,
    layers: Sequence[str | nn.Module] | None = None,
    *,
    inputs: bool = False,
    gradients: bool = False,
    keep: Callable[[torch.Tensor], torch.Tensor] = lambda tensor: tensor,
) -> Iterator[Activations]:
    """Records the outputs, or the inputs, of layers in every forward pass inside.

    The tensors are not copies: they are still part of the autograd graph, and change if a later
    operation works on them in place.

    Args:
        network: it is not changed; all hooks are removed at the end, also after an error.
        layers: names of layers within it, or the layers themselves; None is all of them.
        inputs: records a layer's first input instead of its output.
        gradients: makes torch keep the gradient of each tensor, as ``tensor.grad``, when
            ``backward`` is called; tensors without a graph have none.
        keep: called with each tensor; its result is recorded instead, e.g. a copy
            (``torch.clone``), or a smaller type on the CPU.

    Yields:
        The calls recorded so far; they stay valid afterwards.

    Raises:
        ConfigError: an unknown layer, or one whose output is no tensor.

    Example:
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> with captured(network, ["0"]) as seen:
        ...     _ = network(torch.zeros(3, 1, 2, 2))
        >>> seen["0"][0].shape
        torch.Size([3, 4])
    """
    seen = Activations()

    def note(name: str, layer: nn.Module, value: Any) -> None:
        tensor = _tensor_of(name, value)
        if gradients and tensor.requires_grad:
            tensor.retain_grad()
        seen.all.append(Activation(name, layer, keep(tensor)))

    handles: list[RemovableHandle] = []
    try:
        for name, layer in _named_layers(network, layers):
            handles.append(_watch(name, layer, note, inputs=inputs))
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _watch(
    name: str, layer: nn.Module, note: Callable[[str, nn.Module, Any], None], *, inputs: bool
) -> RemovableHandle:
    if inputs:
        return layer.register_forward_pre_hook(lambda layer, given: note(name, layer, given))
    return layer.register_forward_hook(lambda layer, _, output: note(name, layer, output))


def _named_layers(
    network: nn.Module, layers: Sequence[str | nn.Module] | None
) -> list[tuple[str, nn.Module]]:
    known = dict(network.named_modules())
    if layers is None:
        return list(known.items())
    names = {id(module): name for name, module in known.items()}
    found = []
    for layer in layers:
        name = layer if isinstance(layer, str) else names.get(id(layer))
        if name is None or name not in known:
            what = repr(layer) if isinstance(layer, str) else f"this {type(layer).__name__}"
            raise ConfigError(
                f"the network has no layer {what}; it has: {', '.join(filter(None, known))}"
            )
        found.append((name, known[name]))
    return found


def _tensor_of(name: str, value: Any) -> torch.Tensor:
    """A tensor, or the first of several, such as attention's output beside its weights."""
    first = value[0] if isinstance(value, tuple | list) and value else value
    if not isinstance(first, torch.Tensor):
        raise ConfigError(
            f"layer {name!r} works on {type(first).__name__}, and only tensors can be captured"
        )
    return first
