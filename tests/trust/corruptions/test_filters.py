"""Blurs against a convolution in pixels, and edges where they must be."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import conv2d, pad

from tellapart.trust.corruptions import filters
from tellapart.trust.corruptions.strokes import edges


def test_the_gaussian_is_the_one_of_pixels():
    images = torch.rand(2, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    sigma, reach = 1.5, 8
    places = torch.arange(-reach, reach + 1)
    line = torch.exp(-(places**2) / (2 * sigma**2))
    line = line / line.sum()
    kernel = (line[:, None] * line)[None, None]
    padded = pad(images.flatten(0, 1)[:, None], (reach,) * 4, mode="replicate")
    expected = conv2d(padded, kernel).view_as(images)
    assert torch.allclose(filters.gaussian_blur(images, sigma), expected, atol=2e-3)


def test_every_blur_keeps_the_brightness():
    images = torch.full((2, 1, 16, 16), 0.4)
    angles = torch.tensor([0.3, -0.7])
    for blurred in (
        filters.gaussian_blur(images, 2),
        filters.disk_blur(images, 3.3),
        filters.line_blur(images, 7, angles),
    ):
        assert torch.allclose(blurred, images, atol=1e-5)


def test_a_motion_blurs_along_its_line_only():
    image = torch.zeros(1, 1, 31, 31)
    image[..., 15, 15] = 1
    across = filters.line_blur(image, 9, torch.tensor([0.0]))
    assert float(across[..., 15, 11:20].sum()) > 0.85
    assert float(across[..., :15, :].abs().max()) < 1e-3
    down = filters.line_blur(image, 9, torch.tensor([math.pi / 2]))
    assert torch.allclose(down, across.transpose(2, 3), atol=1e-5)


def test_the_edge_of_a_square_is_a_thin_line_around_it():
    image = torch.zeros(1, 1, 28, 28)
    image[..., 8:20, 8:20] = 1
    found = edges(image)[0, 0]
    assert set(found.unique().tolist()) == {0.0, 1.0}
    assert found[14].sum() == 2  # across the middle: one pixel on the left side, one on the right
    assert found[11:17, 11:17].sum() == found[:5].sum() == 0


def test_an_image_without_edges_has_none():
    assert edges(torch.full((1, 1, 16, 16), 0.7)).sum() == 0
