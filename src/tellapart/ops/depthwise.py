"""The depthwise convolution, tap by tap: the form for one channel in each group.

Such a group has no channels to sum over, so a matrix product would be one of thin slivers. What
is left is kernel_h * kernel_w scaled additions of whole images, each shifted by one tap: for one
``(u, v)`` the sliding window is a view of the images, shifted and stepped.

Source: Howard et al., MobileNets, 2017, arXiv:1704.04861, section 3.1.
"""

from __future__ import annotations

import torch

from tellapart.ops.arguments import accumulation_dtype
from tellapart.ops.windows import Window, sliding_windows


class Depthwise:
    """``groups`` = channels; each channel may have several outputs, which lie side by side."""

    def correlate(
        self, images: torch.Tensor, weight: torch.Tensor, window: Window, groups: int
    ) -> torch.Tensor:
        """Add up the shifted images, each times its tap."""
        windows = sliding_windows(images, window).unsqueeze(2)  # (batch, groups, 1, i, j, u, v)
        taps = _taps(weight, groups)
        total = windows[..., 0, 0] * taps[0, 0]
        for u, v in window.offsets[1:]:
            total.addcmul_(windows[..., u, v], taps[u, v])
        return total.flatten(1, 2).to(images.dtype)

    def image_gradient(
        self,
        gradient: torch.Tensor,
        weight: torch.Tensor,
        image_size: tuple[int, int],
        window: Window,
        groups: int,
    ) -> torch.Tensor:
        """Add the gradient, times each tap, to where that tap looked."""
        by_group = torch.unflatten(gradient, 1, (groups, -1))  # (batch, groups, outputs / g, i, j)
        taps = _taps(weight, groups)
        total = torch.empty(
            (len(gradient), groups, *image_size),
            dtype=taps.dtype,
            device=taps.device,
            memory_format=(
                torch.channels_last if gradient.stride(1) == 1 else torch.contiguous_format
            ),
        ).zero_()
        targets = sliding_windows(total, window)
        for u, v in window.offsets:
            if by_group.shape[2] == 1:
                targets[..., u, v].addcmul_(by_group[:, :, 0], taps[u, v, :, 0])
            else:
                targets[..., u, v] += (by_group * taps[u, v]).sum(2)
        return total.to(gradient.dtype)

    def weight_gradient(
        self, gradient: torch.Tensor, images: torch.Tensor, window: Window, groups: int
    ) -> torch.Tensor:
        """For each tap the inner product of the gradient with what that tap saw."""
        by_group = torch.unflatten(gradient, 1, (groups, -1))
        windows = sliding_windows(images, window).unsqueeze(2)
        wide = accumulation_dtype(images.dtype)
        products = [
            (by_group * windows[..., u, v]).sum((0, 3, 4), dtype=wide) for u, v in window.offsets
        ]  # of each tap (groups, outputs / groups)
        taps = torch.stack(products, 2).view(gradient.shape[1], 1, *window.size)
        return taps.to(gradient.dtype)


def _taps(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """(kernel_h, kernel_w, groups, outputs / groups, 1, 1), in the type to add up in."""
    taps = torch.unflatten(weight[:, 0], 0, (groups, -1))  # (groups, outputs / g, u, v)
    # One tap of all channels lies together, as the channels of a pixel do with channels last.
    taps = taps.permute(2, 3, 0, 1).contiguous()[..., None, None]
    return taps.to(accumulation_dtype(weight.dtype))
