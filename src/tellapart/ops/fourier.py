"""The convolution as a product of Fourier spectra: the form for large kernels."""

from __future__ import annotations

import torch

from tellapart.ops.arguments import accumulation_dtype
from tellapart.ops.windows import Window


class Fourier:
    """Products of spectra. The cost does not grow with the kernel, so large kernels are fast.

    The convolution theorem holds for *mathematical, circular* convolution. Correlation is the same
    with one spectrum conjugated. That it is circular does no harm: only places where the whole
    window lies inside the image are read, and there nothing wraps around. 16-bit types are computed
    in float32.
    """

    def correlate(
        self, images: torch.Tensor, weight: torch.Tensor, window: Window, groups: int
    ) -> torch.Tensor:
        """Multiply the image spectrum by the conjugate kernel spectrum."""
        size = (images.shape[2], images.shape[3])
        image = torch.unflatten(_spectrum(images, size), 1, (groups, -1))
        kernel = torch.unflatten(_spectrum(weight, size, window.dilation), 0, (groups, -1))
        output = torch.einsum("ngchw,gochw->ngohw", image, kernel.conj()).flatten(1, 2)
        fits = (size[0] - window.span[0] + 1, size[1] - window.span[1] + 1)
        return _values(output, size, fits, window.stride).to(images.dtype)

    def image_gradient(
        self,
        gradient: torch.Tensor,
        weight: torch.Tensor,
        image_size: tuple[int, int],
        window: Window,
        groups: int,
    ) -> torch.Tensor:
        """Multiply the spectra of gradient and kernel, unconjugated: a mathematical convolution."""
        output = torch.unflatten(_spectrum(gradient, image_size, window.stride), 1, (groups, -1))
        kernel = torch.unflatten(_spectrum(weight, image_size, window.dilation), 0, (groups, -1))
        image = torch.einsum("ngohw,gochw->ngchw", output, kernel).flatten(1, 2)
        return _values(image, image_size, image_size).to(gradient.dtype)

    def weight_gradient(
        self, gradient: torch.Tensor, images: torch.Tensor, window: Window, groups: int
    ) -> torch.Tensor:
        """Multiply the image spectrum by the conjugate gradient spectrum: their correlation."""
        size = (images.shape[2], images.shape[3])
        image = torch.unflatten(_spectrum(images, size), 1, (groups, -1))
        output = torch.unflatten(_spectrum(gradient, size, window.stride), 1, (groups, -1))
        kernel = torch.einsum("ngohw,ngchw->gochw", output.conj(), image).flatten(0, 1)
        return _values(kernel, size, window.span, window.dilation).to(gradient.dtype)


def _spectrum(
    values: torch.Tensor, size: tuple[int, int], spacing: tuple[int, int] = (1, 1)
) -> torch.Tensor:
    """Return the spectrum for period ``size``, with neighbours moved ``spacing`` pixels apart."""
    height, width = values.shape[2:]
    spread = torch.zeros(
        (*values.shape[:2], (height - 1) * spacing[0] + 1, (width - 1) * spacing[1] + 1),
        dtype=accumulation_dtype(values.dtype),
        device=values.device,
    )
    spread[:, :, :: spacing[0], :: spacing[1]] = values
    spectrum: torch.Tensor = torch.fft.rfft2(spread, s=size)
    return spectrum


def _values(
    spectrum: torch.Tensor,
    size: tuple[int, int],
    kept: tuple[int, int],
    step: tuple[int, int] = (1, 1),
) -> torch.Tensor:
    """Transform back, and return every ``step``-th of the first ``kept`` rows and columns."""
    values: torch.Tensor = torch.fft.irfft2(spectrum, s=size)
    return values[:, :, : kept[0] : step[0], : kept[1] : step[1]]
