r"""One bilinear map written four ways: loops, windows, one matrix product, Fourier.

What a network calls a convolution sums, for every image :math:`n`, output channel :math:`o` and
place :math:`(i, j)`, the products

.. math:: y_{n,o,i,j} = \sum_{c,u,v} x_{n,\,c,\,i s + u d,\,j s + v d}\; w_{o,c,u,v}

with stride :math:`s` and dilation :math:`d`. It is linear in the images and linear in the weight,
so three maps over these terms are all that forward and backward pass need: ``correlate`` sums
them up at :math:`y`; given :math:`g = \partial L / \partial y`, ``image_gradient`` sums
:math:`g\,w` up at :math:`x` and ``weight_gradient`` sums :math:`g\,x` up at :math:`w`. Each form
below computes the three in its own way; the loops are the definition, and tests compare the others
with it.

Shapes: images (batch, channels, height, width) *with their border*; weight
(outputs, channels / groups, kernel_h, kernel_w); gradient (batch, outputs, places_h, places_w).
With groups, output channel :math:`o` depends on the channels of its own group only.

Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016,
arXiv:1603.07285; Chellapilla, Puri and Simard, High performance convolutional neural networks for
document processing, 2006 (the matrix product); Mathieu, Henaff and LeCun, Fast training of
convolutional networks through FFTs, 2013, arXiv:1312.5851.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Protocol, TypeAlias

import torch

from tellapart.ops.windows import Window, add_windows, sliding_windows

Index: TypeAlias = tuple[int, int, int, int]


class Form(Protocol):
    """The three maps of a convolution; the images have their border, ``window.padding`` is 0."""

    def correlate(
        self, images: torch.Tensor, weight: torch.Tensor, window: Window, groups: int
    ) -> torch.Tensor:
        """Return the outputs, (batch, outputs, places_h, places_w)."""

    def image_gradient(
        self,
        gradient: torch.Tensor,
        weight: torch.Tensor,
        image_size: tuple[int, int],
        window: Window,
        groups: int,
    ) -> torch.Tensor:
        """Return the gradient of the images, (batch, channels, height, width), with the border."""

    def weight_gradient(
        self, gradient: torch.Tensor, images: torch.Tensor, window: Window, groups: int
    ) -> torch.Tensor:
        """Return the gradient of the weight, (outputs, channels / groups, kernel_h, kernel_w)."""


class Loops:
    """The definition, one multiplication at a time: to read and to test against, too slow to use.

    Cost: batch * outputs * places * channels / groups * kernel multiplications, each in Python.
    """

    def correlate(
        self, images: torch.Tensor, weight: torch.Tensor, window: Window, groups: int
    ) -> torch.Tensor:
        """Sum image * weight up at the output."""
        places = window.places(images.shape[2], images.shape[3])
        outputs = images.new_zeros(len(images), len(weight), *places)
        for output, pixel, weight_index in _terms(outputs.shape, weight.shape, window, groups):
            outputs[output] += images[pixel] * weight[weight_index]
        return outputs

    def image_gradient(
        self,
        gradient: torch.Tensor,
        weight: torch.Tensor,
        image_size: tuple[int, int],
        window: Window,
        groups: int,
    ) -> torch.Tensor:
        """Sum gradient * weight up at the image."""
        images = gradient.new_zeros(len(gradient), weight.shape[1] * groups, *image_size)
        for output, pixel, weight_index in _terms(gradient.shape, weight.shape, window, groups):
            images[pixel] += gradient[output] * weight[weight_index]
        return images

    def weight_gradient(
        self, gradient: torch.Tensor, images: torch.Tensor, window: Window, groups: int
    ) -> torch.Tensor:
        """Sum gradient * image up at the weight."""
        channels = images.shape[1] // groups
        weight = gradient.new_zeros(gradient.shape[1], channels, *window.size)
        for output, pixel, weight_index in _terms(gradient.shape, weight.shape, window, groups):
            weight[weight_index] += gradient[output] * images[pixel]
        return weight


def _terms(
    output_shape: torch.Size, weight_shape: torch.Size, window: Window, groups: int
) -> Iterator[tuple[Index, Index, Index]]:
    """Yield the index of each term in the output, in the image and in the weight."""
    batch, outputs, places_h, places_w = output_shape
    channels_per_group = weight_shape[1]
    outputs_per_group = outputs // groups
    for n, o, i, j in product(range(batch), range(outputs), range(places_h), range(places_w)):
        first_channel = o // outputs_per_group * channels_per_group
        for c, (u, v) in product(range(channels_per_group), window.offsets):
            row = i * window.stride[0] + u * window.dilation[0]
            column = j * window.stride[1] + v * window.dilation[1]
            yield (n, o, i, j), (n, first_channel + c, row, column), (o, c, u, v)


class Windows:
    """The definition as an inner product of every window with the kernel.

    Index letters: n image, g group, o output and c channel within the group, i and j place, u and v
    pixel within the window.
    """

    def correlate(
        self, images: torch.Tensor, weight: torch.Tensor, window: Window, groups: int
    ) -> torch.Tensor:
        """Take the inner product over channel and pixel."""
        windows = torch.unflatten(sliding_windows(images, window), 1, (groups, -1))
        kernels = torch.unflatten(weight, 0, (groups, -1))
        return torch.einsum("ngcijuv,gocuv->ngoij", windows, kernels).flatten(1, 2)

    def image_gradient(
        self,
        gradient: torch.Tensor,
        weight: torch.Tensor,
        image_size: tuple[int, int],
        window: Window,
        groups: int,
    ) -> torch.Tensor:
        """Give every window gradient * kernel, and add the windows where they overlap."""
        gradients = torch.unflatten(gradient, 1, (groups, -1))
        kernels = torch.unflatten(weight, 0, (groups, -1))
        windows = torch.einsum("ngoij,gocuv->ngcijuv", gradients, kernels).flatten(1, 2)
        return add_windows(windows, *image_size, window)

    def weight_gradient(
        self, gradient: torch.Tensor, images: torch.Tensor, window: Window, groups: int
    ) -> torch.Tensor:
        """Take the inner product over image and place: the images correlated with the gradient."""
        gradients = torch.unflatten(gradient, 1, (groups, -1))
        windows = torch.unflatten(sliding_windows(images, window), 1, (groups, -1))
        return torch.einsum("ngoij,ngcijuv->gocuv", gradients, windows).flatten(0, 1)
