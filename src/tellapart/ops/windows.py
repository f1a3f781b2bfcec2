"""The sliding window: the primitive that convolution and pooling share.

Both operations move a small window over an image; they differ in what they compute from the
pixels inside it (an inner product, a maximum, a mean). So the window is written once: the number
of its places, a view of the pixels at every place that copies nothing, and the adjoint of that
view, which adds the numbers of all windows back onto the image. The backward passes use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch

from tellapart.errors import ShapeError
from tellapart.ops.arguments import Pair, accumulation_dtype, pair


@dataclass(frozen=True)
class Window:
    """How a window moves over an image; each field is (vertical, horizontal), in pixels.

    Args:
        size: rows and columns of the window.
        stride: step from one place to the next.
        padding: width of the border that is added on each side of the image.
        dilation: distance between neighbouring pixels of the window; 1 leaves no gaps.
    """

    size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)

    @classmethod
    def of(cls, size: Pair, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> Window:
        """Make a window from single numbers or pairs.

        Raises:
            ShapeError: where a number is not whole or is below 1 (padding: below 0).

        Example:
            >>> Window.of(3, stride=(1, 2))
            Window(size=(3, 3), stride=(1, 2), padding=(0, 0), dilation=(1, 1))
        """
        return cls(
            size=pair(size, subject="kernel_size", at_least=1),
            stride=pair(stride, subject="stride", at_least=1),
            padding=pair(padding, subject="padding", at_least=0),
            dilation=pair(dilation, subject="dilation", at_least=1),
        )

    @property
    def span(self) -> tuple[int, int]:
        """Height and width of the window in pixels, the gaps of the dilation included."""
        return (
            self.dilation[0] * (self.size[0] - 1) + 1,
            self.dilation[1] * (self.size[1] - 1) + 1,
        )

    @property
    def offsets(self) -> list[tuple[int, int]]:
        """The (row, column) of every pixel inside the window, row by row."""
        return list(product(range(self.size[0]), range(self.size[1])))

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width of an image with its border."""
        return height + 2 * self.padding[0], width + 2 * self.padding[1]

    def places(self, height: int, width: int) -> tuple[int, int]:
        r"""Return how many places the window has on an image: the output size of the operations.

        .. math:: \left\lfloor \frac{n + 2p - d(k - 1) - 1}{s} \right\rfloor + 1

        Example:
            >>> Window.of(3, stride=2, padding=1).places(28, 28)
            (14, 14)

        Raises:
            ShapeError: where the window is larger than the image with its border.
        """
        padded = self.padded_size(height, width)
        if padded[0] < self.span[0] or padded[1] < self.span[1]:
            raise ShapeError(
                f"a window that spans {self.span[0]}x{self.span[1]} pixels must fit the padded "
                f"image, got {padded[0]}x{padded[1]}; use a smaller kernel or more padding"
            )
        return (
            (padded[0] - self.span[0]) // self.stride[0] + 1,
            (padded[1] - self.span[1]) // self.stride[1] + 1,
        )

    def without_padding(self) -> Window:
        """Return the same window for an image that already has its border."""
        return Window(self.size, self.stride, (0, 0), self.dilation)


def sliding_windows(images: torch.Tensor, window: Window) -> torch.Tensor:
    r"""Return a view of the pixels at every place of the window; nothing is copied.

    .. math:: \text{result}_{n,c,i,j,u,v} = \text{images}_{n,\,c,\,is+ud,\,js+vd}

    The position of a pixel is linear in every index, so the view is the same memory with other
    strides. For one ``(u, v)`` no pixel appears twice, so ``result[..., u, v]`` may be written to;
    all of ``result`` at once may not.

    Args:
        images: (batch, channels, height, width). A border has to be there already, because a view
            cannot add pixels; :func:`pad_images` adds it.
        window: ``window.padding`` is not used.

    Returns:
        (batch, channels, places_h, places_w, kernel_h, kernel_w).

    Raises:
        ShapeError: where the images are not four-dimensional or the window does not fit.

    Example:
        >>> image = torch.arange(1.0, 10.0).view(1, 1, 3, 3)
        >>> windows = sliding_windows(image, Window.of(2))
        >>> windows.shape, windows.data_ptr() == image.data_ptr()
        (torch.Size([1, 1, 2, 2, 2, 2]), True)
        >>> windows[0, 0, 1, 0]
        tensor([[4., 5.],
                [7., 8.]])
    """
    if images.ndim != 4:
        raise ShapeError(
            f"images must be (batch, channels, height, width), got {tuple(images.shape)}"
        )
    batch, channels, height, width = images.shape
    places = window.without_padding().places(height, width)
    to_image, to_channel, to_row, to_column = images.stride()
    return images.as_strided(
        (batch, channels, *places, *window.size),
        (
            to_image,
            to_channel,
            to_row * window.stride[0],
            to_column * window.stride[1],
            to_row * window.dilation[0],
            to_column * window.dilation[1],
        ),
    )


def add_windows(windows: torch.Tensor, height: int, width: int, window: Window) -> torch.Tensor:
    r"""Add the numbers of every window onto their pixels: the adjoint of :func:`sliding_windows`.

    A pixel that lies in several windows receives the sum, because a derivative is the sum over all
    paths: if :math:`\text{windows} = A\,\text{images}` then this is :math:`A^\top`.

    Args:
        windows: (batch, channels, places_h, places_w, kernel_h, kernel_w).
        height: of the images, with their border.
        width: likewise.
        window: ``window.padding`` is not used.

    Returns:
        (batch, channels, height, width), in the windows' type; 16-bit types are summed in float32.

    Example:
        >>> add_windows(torch.ones(1, 1, 2, 2, 2, 2), 3, 3, Window.of(2))[0, 0]
        tensor([[1., 2., 1.],
                [2., 4., 2.],
                [1., 2., 1.]])
    """
    channels_lie_last = windows.stride(1) == 1
    total = torch.empty(
        (*windows.shape[:2], height, width),
        dtype=accumulation_dtype(windows.dtype),
        device=windows.device,
        memory_format=torch.channels_last if channels_lie_last else torch.contiguous_format,
    ).zero_()
    accumulate_windows(total, windows, window)
    return total.to(windows.dtype)


def accumulate_windows(total: torch.Tensor, windows: torch.Tensor, window: Window) -> None:
    """Add every window onto ``total``, (batch, channels, height, width), in place."""
    targets = sliding_windows(total, window)
    # One pixel of the window at a time, all places at once: few, large additions without overlap.
    for u, v in window.offsets:
        targets[..., u, v] += windows[..., u, v]


def pad_images(images: torch.Tensor, padding: tuple[int, int], value: float = 0.0) -> torch.Tensor:
    """Add a border of ``value`` to (batch, channels, height, width); no copy for a border of 0."""
    vertical, horizontal = padding
    if padding == (0, 0):
        return images
    batch, channels, height, width = images.shape
    lies_channels_last = images.is_contiguous(memory_format=torch.channels_last)
    padded = torch.empty(
        (batch, channels, height + 2 * vertical, width + 2 * horizontal),
        dtype=images.dtype,
        device=images.device,
        memory_format=torch.channels_last if lies_channels_last else torch.contiguous_format,
    ).fill_(value)
    crop_images(padded, padding).copy_(images)
    return padded


def crop_images(images: torch.Tensor, padding: tuple[int, int]) -> torch.Tensor:
    """Return the view without the border: the adjoint of :func:`pad_images`."""
    height, width = images.shape[2:]
    vertical, horizontal = padding
    return images[:, :, vertical : height - vertical, horizontal : width - horizontal]
