"""The networks that a recipe can name.

A builder takes the pictures' shape, the number of classes and its own arguments, and gives a
network from float pictures (batch, channels, height, width) to logits (batch, classes). Its last
layer is called ``output``: fine-tuning replaces that one and nothing else.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from math import prod

import torch
from torch import nn

from tellapart.config import Scalar
from tellapart.errors import ConfigError
from tellapart.models.blocks import (
    Dropout,
    Flatten,
    Residual,
    conv_norm_relu,
    features_shape,
    named,
)

PictureShape = tuple[int, int, int]
Builder = Callable[..., nn.Sequential]
# Two poolings leave 2x2 of 8x8. On 1x1 batch normalisation refuses a last batch of one picture.
_SMALLEST_RESIDUAL_SIDE = 8


def single_conv(shape: PictureShape, num_classes: int) -> nn.Sequential:
    """conv 1-8 3x3, ReLU, max-pool 2, linear; on 28x28 the linear layer sees 8 x 13 x 13."""
    features = named(conv1=nn.Conv2d(shape[0], 8, 3), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2))
    size = prod(features_shape(features, shape))
    return named(
        **dict(features.named_children()), flatten=Flatten(), output=nn.Linear(size, num_classes)
    )


def two_conv(shape: PictureShape, num_classes: int) -> nn.Sequential:
    """conv 1-32, ReLU, conv 32-64, ReLU, max-pool 2, linear 9216-128, ReLU, linear."""
    features = named(
        conv1=nn.Conv2d(shape[0], 32, 3),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(32, 64, 3),
        relu2=nn.ReLU(),
        pool=nn.MaxPool2d(2),
    )
    return named(
        **dict(features.named_children()),
        flatten=Flatten(),
        hidden=nn.Linear(prod(features_shape(features, shape)), 128),
        relu3=nn.ReLU(),
        output=nn.Linear(128, num_classes),
    )


def dropout(
    shape: PictureShape, num_classes: int, *, second_relu: bool = False, channels: bool = False
) -> nn.Sequential:
    """conv 1-32, ReLU, conv 32-64, max-pool 2, dropout .25, linear 9216-128, ReLU, dropout .5.

    Args:
        shape: channels, height, width.
        num_classes: logits.
        second_relu: a ReLU after the second convolution too; the first article has none.
        channels: the first dropout drops whole channels (Tompson et al. 2014) instead of pixels.
    """
    features = named(conv1=nn.Conv2d(shape[0], 32, 3), relu1=nn.ReLU(), conv2=nn.Conv2d(32, 64, 3))
    if second_relu:
        features.add_module("relu2", nn.ReLU())
    features.add_module("pool", nn.MaxPool2d(2))
    features.add_module("dropout1", nn.Dropout2d(0.25) if channels else Dropout(0.25))
    return named(
        **dict(features.named_children()),
        flatten=Flatten(),
        hidden=nn.Linear(prod(features_shape(features, shape)), 128),
        relu3=nn.ReLU(),
        dropout2=Dropout(0.5),
        output=nn.Linear(128, num_classes),
    )


def lenet(shape: PictureShape, num_classes: int) -> nn.Sequential:
    """conv 1-6 5x5, ReLU, pool, conv 6-16 5x5, ReLU, pool, 400-120-84-classes.

    The first convolution pads by 2, as LeNet-5 padded 28x28 to 32x32 (LeCun et al. 1998,
    section II.B); sub-sampling is max-pooling and the squashing function ReLU, as in the article.
    """
    features = named(
        conv1=nn.Conv2d(shape[0], 6, 5, padding=2),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 16, 5),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
    )
    return named(
        **dict(features.named_children()),
        flatten=Flatten(),
        hidden1=nn.Linear(prod(features_shape(features, shape)), 120),
        relu3=nn.ReLU(),
        hidden2=nn.Linear(120, 84),
        relu4=nn.ReLU(),
        output=nn.Linear(84, num_classes),
    )


def two_conv_5x5(shape: PictureShape, num_classes: int) -> nn.Sequential:
    """conv 1-10 5x5, ReLU, pool, conv 10-20 5x5, ReLU, pool, linear 320-50, linear.

    The article has no activation between its two linear layers.
    """
    features = named(
        conv1=nn.Conv2d(shape[0], 10, 5),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(10, 20, 5),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
    )
    return named(
        **dict(features.named_children()),
        flatten=Flatten(),
        hidden=nn.Linear(prod(features_shape(features, shape)), 50),
        output=nn.Linear(50, num_classes),
    )


def small_residual(shape: PictureShape, num_classes: int, *, width: int = 32) -> nn.Sequential:
    """Convolution, pool, then two stages of a residual block each, and a mean over positions.

    Takes pictures of any size from 8x8 on: the mean over positions fixes the features' number.
    Cost on 28x28 with width 32: 0.17 million parameters.
    """
    if min(shape[1:]) < _SMALLEST_RESIDUAL_SIDE:
        raise RuntimeError(f"it needs at least {_SMALLEST_RESIDUAL_SIDE} pixels each way")
    return named(
        stem=conv_norm_relu(shape[0], width),
        pool1=nn.MaxPool2d(2),
        widen=conv_norm_relu(width, 2 * width),
        block1=Residual(2 * width),
        pool2=nn.MaxPool2d(2),
        block2=Residual(2 * width),
        mean=nn.AdaptiveAvgPool2d(1),
        flatten=Flatten(),
        output=nn.Linear(2 * width, num_classes),
    )


NETWORKS: Mapping[str, Builder] = {
    "dropout": dropout,
    "lenet": lenet,
    "single-conv": single_conv,
    "small-residual": small_residual,
    "two-conv": two_conv,
    "two-conv-5x5": two_conv_5x5,
}


def build_network(
    name: str, shape: PictureShape, num_classes: int, arguments: Mapping[str, Scalar]
) -> nn.Sequential:
    """The network called ``name`` for pictures of ``shape`` (channels, height, width).

    Weights are drawn from torch's global generator, as torch's layers do.

    Raises:
        ConfigError: an unknown name or argument, an argument of the wrong type, or pictures too
            small for the network.
    """
    if name not in NETWORKS:
        near = difflib.get_close_matches(name, NETWORKS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(NETWORKS)
        raise ConfigError(f"unknown network {name!r}; {hint}")
    builder = NETWORKS[name]
    _check_arguments(name, builder, arguments)
    try:
        return builder(shape, num_classes, **arguments)
    except RuntimeError as error:
        raise ConfigError(
            f"network {name!r} cannot take pictures of (channels, height, width) {tuple(shape)}: "
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
    shape: PictureShape,
    num_classes: int,
    arguments: Mapping[str, Scalar],
    seed: int,
) -> nn.Sequential:
    """:func:`build_network` with weights drawn from ``seed``; the global generator is as before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_network(name, shape, num_classes, arguments)
