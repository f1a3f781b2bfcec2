"""The networks of the tutorials' articles, layer by layer.

Each is a builder, as `tellapart.models.registry` describes them.
"""

from __future__ import annotations

from math import prod

from torch import nn

from tellapart.models.blocks import Dropout, Flatten, ImageShape, features_shape, named


def single_conv(shape: ImageShape, num_classes: int) -> nn.Sequential:
    """conv 1-8 3x3, ReLU, max-pool 2, linear; on 28x28 the linear layer sees 8 x 13 x 13."""
    features = named(conv1=nn.Conv2d(shape[0], 8, 3), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2))
    size = prod(features_shape(features, shape))
    return named(
        **dict(features.named_children()), flatten=Flatten(), output=nn.Linear(size, num_classes)
    )


def two_conv(shape: ImageShape, num_classes: int) -> nn.Sequential:
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
    shape: ImageShape, num_classes: int, *, second_relu: bool = False, channels: bool = False
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


def lenet(shape: ImageShape, num_classes: int) -> nn.Sequential:
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


def two_conv_5x5(shape: ImageShape, num_classes: int) -> nn.Sequential:
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
