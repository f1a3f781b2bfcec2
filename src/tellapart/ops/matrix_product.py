"""The convolution as a matrix product ("im2col"): the form that is used by default."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tellapart.ops.arguments import accumulation_dtype
from tellapart.ops.windows import Window, accumulate_windows, sliding_windows


class MatrixProduct:
    """The windows are the rows of a matrix, which is multiplied by the matrix of the kernels.

    The rows repeat each pixel about kernel_h * kernel_w / (stride_h * stride_w) times: 42 MB for
    64 images of 32x26x26 and a 3x3 kernel. To write them to main memory and read them again would
    take as long as the product itself. So the images are processed in slabs, a few images at a
    time, whose rows stay in the processor's cache. Channels lie last in memory, so that rows are
    copied in runs of kernel_w * channels numbers.
    """

    #: Size of the rows of a slab. Measured: 2 to 6 MiB are equally fast, 20 MiB takes 1.5 times
    #: as long.
    slab_bytes = 5 * 2**20

    def correlate(
        self, images: torch.Tensor, weight: torch.Tensor, window: Window, groups: int
    ) -> torch.Tensor:
        """Compute rows @ kernel."""
        batch, outputs = len(images), len(weight)
        places = window.places(images.shape[2], images.shape[3])
        kernel = _kernel_matrix(weight, groups)
        images = images.contiguous(memory_format=torch.channels_last)
        results = images.new_empty(batch, *places, outputs)
        num_images = self._images_per_slab(images, places, window)
        for slab, result in zip(
            torch.split(images, num_images), torch.split(results, num_images), strict=True
        ):
            rows = _rows(slab, window, groups)
            by_place = result.view(rows.shape[1], groups, outputs // groups)
            torch.bmm(rows, kernel, out=by_place.transpose(0, 1))
        return results.permute(0, 3, 1, 2)

    def image_gradient(
        self,
        gradient: torch.Tensor,
        weight: torch.Tensor,
        image_size: tuple[int, int],
        window: Window,
        groups: int,
    ) -> torch.Tensor:
        """Compute gradient @ kernel.T, the gradient of the rows, and add it to the image."""
        places, channels = gradient.shape[2:], weight.shape[1]
        kernel = _kernel_matrix(weight, groups).transpose(1, 2)
        images = torch.empty(
            (len(gradient), channels * groups, *image_size),
            dtype=accumulation_dtype(gradient.dtype),
            device=gradient.device,
            memory_format=torch.channels_last,
        ).zero_()
        num_images = self._images_per_slab(images, places, window)
        for slab, total in zip(
            torch.split(gradient, num_images), torch.split(images, num_images), strict=True
        ):
            rows = _places_matrix(slab, groups) @ kernel
            windows = rows.view(groups, len(slab), *places, *window.size, channels)
            windows = windows.permute(1, 0, 6, 2, 3, 4, 5).flatten(1, 2)
            accumulate_windows(total, windows, window)
        return images.to(gradient.dtype)

    def weight_gradient(
        self, gradient: torch.Tensor, images: torch.Tensor, window: Window, groups: int
    ) -> torch.Tensor:
        """Compute gradient.T @ rows, summed over the slabs in float32 or wider."""
        outputs, channels = gradient.shape[1], images.shape[1] // groups
        num_images = self._images_per_slab(images, gradient.shape[2:], window)
        images = images.contiguous(memory_format=torch.channels_last)
        row_length = window.size[0] * window.size[1] * channels
        total = torch.zeros(
            (groups, outputs // groups, row_length),
            dtype=accumulation_dtype(images.dtype),
            device=images.device,
        )
        for slab, slab_gradient in zip(
            torch.split(images, num_images), torch.split(gradient, num_images), strict=True
        ):
            by_output = _places_matrix(slab_gradient, groups).transpose(1, 2)
            total += by_output @ _rows(slab, window, groups)
        kernels = total.to(gradient.dtype).view(outputs, *window.size, channels)
        return kernels.permute(0, 3, 1, 2)

    def _images_per_slab(self, images: torch.Tensor, places: Sequence[int], window: Window) -> int:
        numbers = places[0] * places[1] * window.size[0] * window.size[1] * images.shape[1]
        return max(1, self.slab_bytes // (numbers * images.element_size()))


def _rows(images: torch.Tensor, window: Window, groups: int) -> torch.Tensor:
    """Return (groups, batch * places, kernel_h * kernel_w * channels / groups), row by window."""
    windows = torch.unflatten(sliding_windows(images, window), 1, (groups, -1))
    batch, _, channels, places_h, places_w, kernel_h, kernel_w = windows.shape
    return windows.permute(1, 0, 3, 4, 5, 6, 2).reshape(
        groups, batch * places_h * places_w, kernel_h * kernel_w * channels
    )


def _kernel_matrix(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """Return (groups, kernel_h * kernel_w * channels / groups, outputs / groups)."""
    kernels = torch.unflatten(weight, 0, (groups, -1))  # (groups, o, c, u, v)
    return kernels.permute(0, 3, 4, 2, 1).flatten(1, 3)


def _places_matrix(outputs: torch.Tensor, groups: int) -> torch.Tensor:
    """Return (groups, batch * places, outputs / groups): the outputs of one place per row."""
    return torch.unflatten(outputs, 1, (groups, -1)).permute(1, 0, 3, 4, 2).flatten(1, 3)
