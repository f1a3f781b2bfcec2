"""The depthwise convolution, one kernel weight at a time: the form for one channel per group.

Such a group has no channels to sum over, so the matrices of a matrix product would be very narrow
and slow. Instead, kernel_h * kernel_w shifted copies of the images are multiplied by one weight
each and added up: for one ``(u, v)`` the sliding window is a view of the images, shifted and
strided.

Source: Howard et al., MobileNets, 2017, arXiv:1704.04861, section 3.1.
"""

from __future__ import annotations

import torch

from tellapart.ops.arguments import accumulation_dtype
from tellapart.ops.windows import Window, sliding_windows


class Depthwise:
    """``groups`` = channels; the outputs of a channel, if it has several, are neighbours."""

    def correlate(
        self, images: torch.Tensor, weight: torch.Tensor, window: Window, groups: int
    ) -> torch.Tensor:
        """Add up the shifted images, each multiplied by its weight."""
        windows = sliding_windows(images, window).unsqueeze(2)  # (batch, groups, 1, i, j, u, v)
        weights = _weights(weight, groups)
        total = windows[..., 0, 0] * weights[0, 0]
        for u, v in window.offsets[1:]:
            total.addcmul_(windows[..., u, v], weights[u, v])
        return total.flatten(1, 2).to(images.dtype)

    def image_gradient(
        self,
        gradient: torch.Tensor,
        weight: torch.Tensor,
        image_size: tuple[int, int],
        window: Window,
        groups: int,
    ) -> torch.Tensor:
        """Add gradient * weight to the pixels that each weight was multiplied by."""
        by_group = torch.unflatten(gradient, 1, (groups, -1))  # (batch, groups, outputs / g, i, j)
        weights = _weights(weight, groups)
        total = torch.empty(
            (len(gradient), groups, *image_size),
            dtype=weights.dtype,
            device=weights.device,
            memory_format=(
                torch.channels_last if gradient.stride(1) == 1 else torch.contiguous_format
            ),
        ).zero_()
        targets = sliding_windows(total, window)
        for u, v in window.offsets:
            if by_group.shape[2] == 1:
                targets[..., u, v].addcmul_(by_group[:, :, 0], weights[u, v, :, 0])
            else:
                targets[..., u, v] += (by_group * weights[u, v]).sum(2)
        return total.to(gradient.dtype)

    def weight_gradient(
        self, gradient: torch.Tensor, images: torch.Tensor, window: Window, groups: int
    ) -> torch.Tensor:
        """Take the inner product of the gradient with the pixels of each weight."""
        by_group = torch.unflatten(gradient, 1, (groups, -1))
        windows = sliding_windows(images, window).unsqueeze(2)
        wide = accumulation_dtype(images.dtype)
        products = [
            (by_group * windows[..., u, v]).sum((0, 3, 4), dtype=wide) for u, v in window.offsets
        ]  # for each (u, v): (groups, outputs / groups)
        weights = torch.stack(products, 2).view(gradient.shape[1], 1, *window.size)
        return weights.to(gradient.dtype)


def _weights(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """Return (kernel_h, kernel_w, groups, outputs / groups, 1, 1), in the type for long sums."""
    weights = torch.unflatten(weight[:, 0], 0, (groups, -1))  # (groups, outputs / g, u, v)
    # The weights of all channels for one (u, v) lie together in memory, as the channels of a pixel
    # do with channels last.
    weights = weights.permute(2, 3, 0, 1).contiguous()[..., None, None]
    return weights.to(accumulation_dtype(weight.dtype))
