"""The networks of this package's own recipes, and those that compare the blocks.

Each is a builder, as `tellapart.models.registry` describes them.
"""

from __future__ import annotations

from math import prod

from torch import nn

from tellapart.models.blocks import (
    Dropout,
    Flatten,
    Ghost,
    ImageShape,
    Layer,
    MeanAndMaximum,
    Residual,
    SqueezeExcitation,
    conv_norm_relu,
    cosine_conv,
    dynamic_conv,
    features_shape,
    named,
    separable_conv,
)

# What leaves 2x2 at the last norm: on 1x1 it refuses a last batch of one image.
_SMALLEST_RESIDUAL_SIDE = 8
# Of each further halving: by how many times the first layer's channels, and blocks behind it.
_PHOTO_STAGES = ((1, 0), (2, 1), (4, 2), (6, 2))
_SMALLEST_QUICK_SIDE = 16
# What leaves 4x4 behind the second pooling, and 2x2 at the last norm.
_SMALLEST_VGG_SIDE = 28
_MOST_WAVES = 25


def small_residual(shape: ImageShape, num_classes: int, *, width: int = 32) -> nn.Sequential:
    """Convolution, pool, then two stages of a residual block each, and a mean over positions.

    Takes images of any size from 8x8 on: the mean over positions fixes the features' number.
    Cost on 28x28 with width 32: 0.17 million parameters, 21.9 million multiply-adds.
    """
    return _two_stages(shape, num_classes, width, conv_norm_relu)


def _two_stages(shape: ImageShape, num_classes: int, width: int, layer: Layer) -> nn.Sequential:
    """The plan of ``small-residual``, with other layers after the first one.

    The first layer stays a plain convolution: of one grey channel there is nothing to separate,
    to leave out or to choose by.
    """
    _require_sides(shape, _SMALLEST_RESIDUAL_SIDE)
    return named(
        stem=conv_norm_relu(shape[0], width),
        pool1=nn.MaxPool2d(2),
        widen=layer(width, 2 * width),
        block1=Residual(2 * width, layer),
        pool2=nn.MaxPool2d(2),
        block2=Residual(2 * width, layer),
        mean=nn.AdaptiveAvgPool2d(1),
        flatten=Flatten(),
        output=nn.Linear(2 * width, num_classes),
    )


def separable(shape: ImageShape, num_classes: int, *, width: int = 92) -> nn.Sequential:
    """``small-residual`` of depthwise-separable convolutions, three times as wide.

    Cost on 28x28 with width 92: 0.17 million parameters, 21.5 million multiply-adds.
    """
    return _two_stages(shape, num_classes, width, separable_conv)


def ghost(shape: ImageShape, num_classes: int, *, width: int = 45) -> nn.Sequential:
    """``small-residual`` of ghost modules, 1.4 times as wide.

    Cost on 28x28 with width 45: 0.17 million parameters, 22.0 million multiply-adds.
    """
    return _two_stages(shape, num_classes, width, Ghost)


def dynamic(shape: ImageShape, num_classes: int, *, width: int = 32) -> nn.Sequential:
    """``small-residual`` of dynamic convolutions, each with four kernels.

    Cost on 28x28 with width 32: 0.67 million parameters, 22.6 million multiply-adds.
    """
    return _two_stages(shape, num_classes, width, dynamic_conv)


def squeeze_excite(shape: ImageShape, num_classes: int, *, width: int = 32) -> nn.Sequential:
    """``small-residual`` with squeeze-and-excitation at the end of each block's branch.

    Cost on 28x28 with width 32: 0.17 million parameters, 21.9 million multiply-adds.
    """
    network = _two_stages(shape, num_classes, width, conv_norm_relu)
    for block in ("block1", "block2"):
        # On the branch alone, before the sum: the way around stays as it is (Hu et al., figure 3).
        branch = network.get_submodule(f"{block}.second")
        branch.add_module("excitation", SqueezeExcitation(2 * width))
    return network


def quick(
    shape: ImageShape, num_classes: int, *, waves: int = 8, channels: int = 32, hidden: int = 128
) -> nn.Sequential:
    """Fixed cosine waves 5x5 in steps of 2, ReLU, conv 3x3, pool, norm, ReLU, linear, ReLU, linear.

    It does little work per image. The first layer is not learned where images are grey, so nothing
    is computed backwards through it. Norm and ReLU come after the pooling, where they have a
    quarter of the work; for ReLU that changes nothing: the maximum of rectified numbers is the
    rectified maximum. Takes images from 16x16 on.
    Cost on 28x28 with the defaults: 0.11 million parameters, 0.62 million multiply-adds.
    """
    _require_sides(shape, _SMALLEST_QUICK_SIDE)
    if waves > _MOST_WAVES:
        raise RuntimeError(f"a patch of 5x5 has {_MOST_WAVES} waves")
    features = named(
        conv1=cosine_conv(shape[0], 2 * waves, stride=2),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(2 * waves, channels, 3),
        pool2=nn.MaxPool2d(2),
        norm2=nn.BatchNorm2d(channels),
        relu2=nn.ReLU(),
    )
    return named(
        **dict(features.named_children()),
        flatten=Flatten(),
        hidden=nn.Linear(prod(features_shape(features, shape)), hidden),
        relu3=nn.ReLU(),
        output=nn.Linear(hidden, num_classes),
    )


def small_vgg(
    shape: ImageShape,
    num_classes: int,
    *,
    stem_channels: int = 32,
    middle_channels: int = 64,
    last_channels: int = 112,
) -> nn.Sequential:
    """conv 5x5, pool, two conv 3x3, pool, two conv 3x3, dropout .3, linear; norms behind each conv.

    All but the fourth convolution leave out the border instead of padding it, which spares work
    where it is most, on 28x28 more than half of all; what that did to accuracy stands in
    docs/decisions/accuracy-in-minutes.md. Takes images from 28x28 on; of those, 2x2 places are
    left at the end, of larger ones more.
    Cost on 28x28 with the defaults: 0.24 million parameters, 6.2 million multiply-adds.

    Source: Simonyan and Zisserman, "Very Deep Convolutional Networks", 2014, for rows of 3x3.

    Args:
        shape: channels, height, width.
        num_classes: logits.
        stem_channels: of the first convolution.
        middle_channels: of the second and the third.
        last_channels: of the fourth and the fifth.
    """
    _require_sides(shape, _SMALLEST_VGG_SIDE)
    features = named(
        conv1=conv_norm_relu(shape[0], stem_channels, 5, padding=0, pooled=True),
        conv2=conv_norm_relu(stem_channels, middle_channels, padding=0),
        conv3=conv_norm_relu(middle_channels, middle_channels, padding=0, pooled=True),
        conv4=conv_norm_relu(middle_channels, last_channels),
        conv5=conv_norm_relu(last_channels, last_channels, padding=0),
    )
    return named(
        **dict(features.named_children()),
        flatten=Flatten(),
        dropout=Dropout(0.3),
        output=nn.Linear(prod(features_shape(features, shape)), num_classes),
    )


def padded_vgg(
    shape: ImageShape,
    num_classes: int,
    *,
    stem_channels: int = 24,
    middle_channels: int = 48,
    last_channels: int = 96,
) -> nn.Sequential:
    """Six conv 3x3 of 24, 48, pool, 48, 96, pool, 96 and 96 channels, mean, dropout .3, linear.

    As many weights as ``small-vgg`` and nearly five times its work: no convolution leaves out the
    border, to which things reach where digits do not, and the second one still sees every pixel.
    What that did to accuracy stands in docs/decisions/things-in-minutes.md. Takes images from 8x8
    on.
    Cost on 28x28 with the defaults: 0.24 million parameters, 28.6 million multiply-adds.

    Args:
        shape: channels, height, width.
        num_classes: logits.
        stem_channels: of the first convolution.
        middle_channels: of the second and the third.
        last_channels: of the other three.
    """
    _require_sides(shape, _SMALLEST_RESIDUAL_SIDE)
    return named(
        conv1=conv_norm_relu(shape[0], stem_channels),
        conv2=conv_norm_relu(stem_channels, middle_channels, pooled=True),
        conv3=conv_norm_relu(middle_channels, middle_channels),
        conv4=conv_norm_relu(middle_channels, last_channels, pooled=True),
        conv5=conv_norm_relu(last_channels, last_channels),
        conv6=conv_norm_relu(last_channels, last_channels),
        mean=nn.AdaptiveAvgPool2d(1),
        flatten=Flatten(),
        dropout=Dropout(0.3),
        output=nn.Linear(last_channels, num_classes),
    )


def tiny_vgg(shape: ImageShape, num_classes: int) -> nn.Sequential:
    """Six conv 3x3 of 10, 12, pool, 14, 16, pool, 16 and 16 channels, mean, linear.

    In the manner of ``small-vgg``, with a 25th of its weights. Takes images from 28x28 on.
    Cost on 28x28: 9,644 weights; 0.01 million parameters, 1.0 million multiply-adds.
    """
    _require_sides(shape, _SMALLEST_VGG_SIDE)
    return named(
        conv1=conv_norm_relu(shape[0], 10, padding=0),
        conv2=conv_norm_relu(10, 12, padding=0, pooled=True),
        conv3=conv_norm_relu(12, 14, padding=0),
        conv4=conv_norm_relu(14, 16, padding=0, pooled=True),
        conv5=conv_norm_relu(16, 16),
        conv6=conv_norm_relu(16, 16, padding=0),
        mean=nn.AdaptiveAvgPool2d(1),
        flatten=Flatten(),
        output=nn.Linear(16, num_classes),
    )


def photo_residual(shape: ImageShape, num_classes: int, *, width: int = 24) -> nn.Sequential:
    """Up to five halvings of height and width, with residual blocks behind the last three.

    For photographs of 64 to 224 pixels: what is early and large is thin, so most of the work is
    done where a place stands for 8x8 pixels and more. Images below 32 pixels are halved less
    often, until 2x2 places are left; it takes them from 8x8 on. What is classified is the mean of
    each channel over all places and its maximum: a crack fills few places, and is lost in a mean.
    Cost on 3x128x128 with width 24: 1.31 million parameters, 59.1 million multiply-adds.
    """
    _require_sides(shape, _SMALLEST_RESIDUAL_SIDE)
    network = named(stem=conv_norm_relu(shape[0], width, stride=2))
    channels, side = width, (min(shape[1:]) + 1) // 2
    for number, (factor, num_blocks) in enumerate(_PHOTO_STAGES, start=1):
        if side <= 2:
            break
        reduce = conv_norm_relu(channels, factor * width, stride=2)
        channels, side = factor * width, (side + 1) // 2
        network.add_module(f"reduce{number}", reduce)
        for block in range(1, num_blocks + 1):
            network.add_module(f"block{number}_{block}", Residual(channels))
    return named(
        **dict(network.named_children()),
        pool=MeanAndMaximum(),
        dropout=Dropout(0.2),
        output=nn.Linear(2 * channels, num_classes),
    )


def _require_sides(shape: ImageShape, smallest: int) -> None:
    if min(shape[1:]) < smallest:
        raise RuntimeError(f"it needs at least {smallest} pixels each way")
