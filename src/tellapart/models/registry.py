"""The networks by their names, and building one.

A builder takes the images' shape, the number of classes and its own arguments, and gives a network
from float images (batch, channels, height, width) to logits (batch, classes). Its last layer is
called ``output``: fine-tuning replaces that one and nothing else. A person's own network,
``my_nets.py:Net``, is built by :mod:`tellapart.models.own_network` instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

import torch
from torch import nn

from tellapart.config import Scalar
from tellapart.errors import ConfigError
from tellapart.models import efficientnet, networks, tutorial_networks
from tellapart.models.blocks import ImageShape
from tellapart.models.own_network import build_own, is_own, require_typed
from tellapart.models.timm_networks import PREFIX as TIMM_PREFIX
from tellapart.models.timm_networks import build_timm
from tellapart.wording import did_you_mean

Builder = Callable[..., nn.Sequential]

NETWORKS: Mapping[str, Builder] = {
    "dropout": tutorial_networks.dropout,
    "dynamic": networks.dynamic,
    "efficientnet-lite0": efficientnet.efficientnet_lite0,
    "ghost": networks.ghost,
    "lenet": tutorial_networks.lenet,
    "padded-vgg": networks.padded_vgg,
    "photo-residual": networks.photo_residual,
    "quick": networks.quick,
    "separable": networks.separable,
    "single-conv": tutorial_networks.single_conv,
    "small-residual": networks.small_residual,
    "small-vgg": networks.small_vgg,
    "squeeze-excite": networks.squeeze_excite,
    "tiny-vgg": networks.tiny_vgg,
    "two-conv": tutorial_networks.two_conv,
    "two-conv-5x5": tutorial_networks.two_conv_5x5,
}


def build_network(
    name: str,
    shape: ImageShape,
    num_classes: int,
    arguments: Mapping[str, Scalar],
    own: str | None = None,
) -> nn.Module:
    """Build the network called ``name``, in training mode.

    Weights are drawn from torch's global generator, as torch's layers do.

    Args:
        name: one of `NETWORKS`, ``timm:NAME``, or a person's own, ``my_nets.py:Net``.
        shape: channels, height and width of the images.
        num_classes: of the logits.
        arguments: further arguments of the builder, by name.
        own: the location of a person's own network, as the person typed it. Without it no such
            code is imported, because ``name`` may come from a file.

    Raises:
        ConfigError: an unknown name or argument, an argument of the wrong type, images that the
            network cannot take, or one's own network that was not typed or does not work.
    """
    spelling = require_typed(name, own)
    if is_own(name):
        return build_own(spelling, shape, num_classes, arguments)
    if name.startswith(TIMM_PREFIX):
        if arguments:
            raise ConfigError(f"network {name!r} takes no arguments, got {', '.join(arguments)}")
        return build_timm(name.removeprefix(TIMM_PREFIX), shape, num_classes)
    if name not in NETWORKS:
        hint = did_you_mean(name, NETWORKS, otherwise="known: " + ", ".join(NETWORKS))
        if name.endswith(".py"):
            hint = f"; of a file name the class or function too, as {name}:Net"
        raise ConfigError(f"unknown network {name!r}{hint}")
    builder = NETWORKS[name]
    _check_arguments(name, builder, arguments)
    try:
        return builder(shape, num_classes, **arguments)
    except RuntimeError as error:
        raise ConfigError(
            f"network {name!r} cannot take images of (channels, height, width) {tuple(shape)}: "
            f"{str(error).splitlines()[0]}"
        ) from None


def _check_arguments(name: str, builder: Builder, arguments: Mapping[str, Scalar]) -> None:
    accepted = {
        parameter.name: parameter.default
        for parameter in inspect.signature(builder).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    for argument, value in arguments.items():
        if argument not in accepted:
            raise ConfigError(
                f"network {name!r} has no argument {argument!r}; it takes: "
                f"{', '.join(accepted) or 'none'}"
            )
        wanted = type(accepted[argument])
        if type(value) is not wanted or (wanted is int and not 1 <= int(value) <= 4096):
            words = "a whole number from 1 to 4096" if wanted is int else "true or false"
            raise ConfigError(f"argument {argument!r} of {name!r} must be {words}, got {value!r}")


def count_parameters(network: nn.Module) -> int:
    """How many numbers training can change."""
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


def seeded_network(
    name: str,
    shape: ImageShape,
    num_classes: int,
    arguments: Mapping[str, Scalar],
    seed: int,
    own: str | None = None,
) -> nn.Module:
    """:func:`build_network` with weights drawn from ``seed``; the global generator is as before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_network(name, shape, num_classes, arguments, own)
