"""The layers of a network in the order in which they run: shapes, parameters, multiply-adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tellapart.models.blocks import Residual
from tellapart.models.capture import Activation, captured
from tellapart.models.cost import layer_multiply_adds

_AFTER_ADDING = "after adding the block's input"


@dataclass(frozen=True)
class Layer:
    """One layer of a network and its output for one image.

    Args:
        name: its name in the network, with the blocks around it: ``block1.first.conv``.
        kind: the name of its class.
        detail: its settings, as ``3x3, padding 1``; empty where it has none.
        output_shape: (channels, height, width), or (features,) after the flatten.
        num_parameters: the number of its trainable parameters.
        multiply_adds: for one image, as `tellapart.models.cost` counts them.
        output: its output for the image, of ``output_shape``.
    """

    name: str
    kind: str
    detail: str
    output_shape: tuple[int, ...]
    num_parameters: int
    multiply_adds: int
    output: Tensor

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``show network --json``."""
        return {
            "name": self.name,
            "kind": self.kind,
            "detail": self.detail,
            "output_shape": list(self.output_shape),
            "parameters": self.num_parameters,
            "multiply_adds": self.multiply_adds,
        }


def trace_network(network: nn.Module, image: Tensor) -> list[Layer]:
    """Runs a network once in evaluation mode and notes what every layer gives.

    A layer is a module with nothing inside it, or with weights of its own; one that runs twice
    is listed twice, its parameters once. The addition around a residual block is no layer; the
    ReLU after it says that it was made.

    Args:
        network: takes (batch, channels, height, width).
        image: float32, (channels, height, width), normalised as the network wants it.
    """
    names = [
        name
        for name, module in network.named_modules()
        if not list(module.children()) or list(module.parameters(recurse=False))
    ]
    was_training = network.training
    network.eval()
    try:
        # Copies: a layer that works in place would change what the one before it gave.
        with torch.no_grad(), captured(network, names, keep=torch.clone) as seen:
            network(image[None])
    finally:
        network.train(was_training)
    added: set[nn.Module] = {
        block.relu for block in network.modules() if isinstance(block, Residual)
    }
    counted: set[int] = set()
    return [_layer(activation, added, counted) for activation in seen]


def _layer(activation: Activation, added: set[nn.Module], counted: set[int]) -> Layer:
    """A row of the list; weights in ``counted`` were counted before."""
    module, output = activation.layer, activation.tensor
    own = [weight for weight in module.parameters(recurse=False) if id(weight) not in counted]
    counted.update(id(weight) for weight in own)
    return Layer(
        name=activation.name,
        kind=type(module).__name__,
        detail=_AFTER_ADDING if module in added else _detail(module),
        output_shape=tuple(output.shape[1:]),
        num_parameters=sum(weight.numel() for weight in own if weight.requires_grad),
        multiply_adds=layer_multiply_adds(module, output.shape[1:]),
        output=output[0].contiguous(),
    )


def _detail(module: nn.Module) -> str:
    """Return the settings of a layer that differ from the usual ones."""
    parts: list[str] = []
    if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        parts.append(_by(module.kernel_size))
        usual = module.kernel_size if not isinstance(module, nn.Conv2d) else 1
        if _by(module.stride) != _by(usual):
            parts.append(f"stride {_step(module.stride)}")
        if _by(module.padding) != "0x0":
            parts.append(f"padding {_step(module.padding)}")
        if _by(getattr(module, "dilation", 1)) != "1x1":
            parts.append(f"dilation {_step(getattr(module, 'dilation', 1))}")
    if isinstance(module, nn.Conv2d) and module.groups > 1:
        parts.append(f"{module.groups} groups")
    if isinstance(module, nn.Dropout | nn.Dropout2d):
        parts.append(f"p = {module.p:g}, off in evaluation")
    return ", ".join(parts)


def _step(value: Any) -> str:
    """Return one number where both directions agree, else height x width."""
    down, _, across = _by(value).partition("x")
    return down if down == across else _by(value)


def _by(value: Any) -> str:
    if isinstance(value, str):
        return value
    down, across = value if isinstance(value, tuple) else (value, value)
    return f"{down}x{across}"
