"""The stages of a network, from the images to the output layer, that fine-tuning freezes."""

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
    """Layers that are frozen together: one with weights and the following ones without weights.

    Args:
        name: the name of the layer with weights.
        modules: the layers in the order of the network.
        loose: weights that belong to no layer, such as a transformer's position embedding.
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
    """The layer from features (batch, inputs) to logits (batch, classes), as `output_name`."""
    return network.get_submodule(output_name(network))


def output_name(network: nn.Module) -> str:
    """The name of the output layer: ``output``, or in a network without one its last ``nn.Linear``.

    The last in the order in which a person's own network has given its layers names, which is
    nearly always the order in which they run.

    Raises:
        ConfigError: a network that has no linear layer, or whose ``output`` is none.
    """
    if hasattr(network, "output"):
        weight = getattr(network.output, "weight", None)
        found = ["output"] if isinstance(weight, nn.Parameter) and weight.ndim == 2 else []
    else:
        found = [name for name, part in network.named_modules() if isinstance(part, nn.Linear)]
    if not found or not found[-1]:
        raise ConfigError(
            "fine-tuning replaces a network's last layer, a linear one called 'output' or the last "
            "nn.Linear; this one has "
            f"{', '.join(name for name, _ in network.named_children()) or 'no layers'}"
        )
    return found[-1]


def feature_stages(network: nn.Module) -> list[Stage]:
    """All stages but the output layer, beginning at the images.

    Layers without weights belong to the stage before them; those before the first to the first.

    Raises:
        ConfigError: as :func:`output_layer`.
    """
    head = output_layer(network)
    leading: list[nn.Module] = []
    stages: list[Stage] = []
    for name, module in _parts(network, head):
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


def _parts(network: nn.Module, head: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The children in order; a backbone, its containers and what holds ``head`` opened up."""
    for name, module in network.named_children():
        holds_head = module is not head and any(part is head for part in module.modules())
        if name == "backbone" or name in _CONTAINERS or holds_head:
            for inner, part in _parts(module, head):
                yield f"{name}.{inner}", part
        else:
            yield name, module
