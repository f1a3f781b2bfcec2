"""A network's stages, from the pictures to the output layer: what fine-tuning freezes and thaws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import nn

from tellapart.errors import ConfigError

# Backbones keep their repeated parts in one container under one of these names; each part is a
# stage of its own.
_CONTAINERS = ("stages", "blocks", "layers", "features")


@dataclass(frozen=True)
class Stage:
    """Layers that are frozen and thawed together: one with weights and those without after it.

    Args:
        name: of the layer with weights.
        modules: in the order of the network.
        loose: weights that no layer holds, such as a transformer's position embedding.
    """

    name: str
    modules: list[nn.Module]
    loose: list[nn.Parameter] = field(default_factory=list)

    def parameters(self) -> Iterator[nn.Parameter]:
        """Every weight of the stage, once."""
        yield from self.loose
        for module in self.modules:
            yield from module.parameters()

    def train(self, mode: bool) -> None:
        """Puts every layer of the stage into training or evaluation mode."""
        for module in self.modules:
            module.train(mode)


def output_layer(network: nn.Module) -> nn.Module:
    """The layer called ``output``, from features (batch, inputs) to logits (batch, classes).

    Raises:
        ConfigError: a network that has none, or whose ``output`` is no linear layer.
    """
    layer = getattr(network, "output", None)
    weight = getattr(layer, "weight", None)
    if not isinstance(layer, nn.Module) or not isinstance(weight, nn.Parameter) or weight.ndim != 2:
        raise ConfigError(
            "fine-tuning replaces a network's last layer, a linear one called 'output'; this one "
            f"has {', '.join(name for name, _ in network.named_children()) or 'no layers'}"
        )
    return layer


def feature_stages(network: nn.Module) -> list[Stage]:
    """All stages but the output layer, the first one that of the pictures.

    Layers without weights belong to the stage before them; those before the first to the first.

    Raises:
        ConfigError: as :func:`output_layer`.
    """
    head = output_layer(network)
    leading: list[nn.Module] = []
    stages: list[Stage] = []
    for name, module in _parts(network):
        if module is head:
            continue
        if next(module.parameters(), None) is not None:
            stages.append(Stage(name, [*leading, module]))
            leading = []
        elif stages:
            stages[-1].modules.append(module)
        else:
            leading.append(module)
    if stages:
        held = {id(weight) for stage in stages for weight in stage.parameters()}
        held |= {id(weight) for weight in head.parameters()}
        stages[0].loose.extend(w for w in network.parameters() if id(w) not in held)
    return stages


def _parts(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The children in order; a backbone and its containers opened up."""
    for name, module in network.named_children():
        if name == "backbone" or name in _CONTAINERS:
            for inner, part in _parts(module):
                yield f"{name}.{inner}", part
        else:
            yield name, module
