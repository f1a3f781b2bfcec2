"""Lines drawn over images, and the edges of images."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, pad

from tellapart.trust.corruptions.draws import Draws, unit
from tellapart.trust.corruptions.filters import gaussian_blur

_NUM_LINES = 5
_NUM_TURNS = 6
_MOST_ROUNDS = 64


def dotted_line(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Draw one to five straight dotted lines across an image."""
    batch = len(images)
    angles = draws.uniform(batch, _NUM_LINES, high=math.pi)
    offsets = draws.uniform(batch, _NUM_LINES, low=-0.25, high=0.25)
    pixel = unit(images, 28)
    x, y = _coordinates(images)
    ink = torch.zeros_like(images[:, :1])
    for line in range(strength + 1):
        cos, sin = (part[:, line].view(-1, 1, 1) for part in (angles.cos(), angles.sin()))
        across = -x * sin + y * cos - offsets[:, line].view(-1, 1, 1) * min(images.shape[-2:])
        along = x * cos + y * sin
        beside = (along / (4 * pixel)).frac().abs() - 0.5  # dots lie four pixels apart
        distance = torch.hypot(across, beside * 4 * pixel)
        ink = torch.maximum(ink, _ink(distance, 1.1 * pixel)[:, None])
    return torch.maximum(images, ink)


def zigzag(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Draw a zigzag line from one side of an image to the other, the stronger the thicker."""
    pixel = unit(images, 28)
    radius = (0.4, 0.6, 0.8, 1.0, 1.3)[strength] * pixel
    batch, _, height, width = images.shape
    x, y = _coordinates(images)
    angles = draws.uniform(batch, high=2 * math.pi)
    cos, sin = (part.view(-1, 1, 1) for part in (angles.cos(), angles.sin()))
    along, across = x * cos + y * sin, -x * sin + y * cos
    side = min(height, width)
    heights = draws.uniform(batch, _NUM_TURNS + 1, low=0.08, high=0.22) * side
    starts = draws.signs(batch)
    distance = torch.full_like(along, math.inf)
    places = torch.linspace(-0.45, 0.45, _NUM_TURNS + 1).tolist()
    ends = [
        (place * side, heights[:, turn] * starts * (-1) ** turn)
        for turn, place in enumerate(places)
    ]
    for (from_x, from_y), (to_x, to_y) in pairwise(ends):
        rise = (to_y - from_y).view(-1, 1, 1)
        run = to_x - from_x
        fraction = ((along - from_x) * run + (across - from_y.view(-1, 1, 1)) * rise) / (
            run**2 + rise**2
        )
        fraction = fraction.clamp(0, 1)
        nearest = torch.hypot(
            along - from_x - fraction * run, across - from_y.view(-1, 1, 1) - fraction * rise
        )
        distance = torch.minimum(distance, nearest)
    return torch.maximum(images, _ink(distance, radius)[:, None])


def canny_edges(images: Tensor, strength: int, draws: Draws) -> Tensor:
    """Blend an image with its edges, at the last strength nothing but edges.

    Source of the edges: J. Canny, "A Computational Approach to Edge Detection", IEEE Trans. PAMI 8
    (1986), 679-698.
    """
    del draws
    weight = (0.4, 0.6, 0.8, 0.9, 1.0)[strength]
    return (1 - weight) * images + weight * edges(images.mean(1, keepdim=True))


def edges(images: Tensor, sigma: float = 1.0) -> Tensor:
    """Return the edges of images (batch, 1, height, width): 1 on an edge, else 0.

    A pixel is on an edge if the gradient of the blurred image has its maximum there, across the
    edge, and it is strong, or weak but connected to a strong one by edge pixels.
    """
    smooth = gaussian_blur(images, sigma * max(1.0, unit(images, 64)))
    kernel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], device=images.device)
    padded = pad(smooth, (1, 1, 1, 1), mode="replicate")
    right, down = (conv2d(padded, k[None, None]) for k in (kernel, kernel.T))
    size = torch.hypot(right, down)
    thin = size * _is_ridge(size, right, down)
    strongest = size.amax((2, 3), keepdim=True).clamp_min(1e-6)
    is_strong, is_edge = thin > 0.2 * strongest, thin > 0.08 * strongest
    reached = is_strong.float()
    for _ in range(_MOST_ROUNDS):  # hysteresis: grow the strong edges along the weak ones
        grown = max_pool2d(reached, 3, stride=1, padding=1) * is_edge
        if torch.equal(grown, reached):
            break
        reached = grown
    return reached


def _is_ridge(size: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Where a gradient is not smaller than both of its neighbours in its own direction."""
    octant = (torch.atan2(down, right) / (math.pi / 4)).round().long() % 4
    padded = pad(size, (1, 1, 1, 1))
    height, width = size.shape[-2:]
    kept = torch.zeros_like(size, dtype=torch.bool)
    for direction, (dy, dx) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        ahead = padded[..., 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        behind = padded[..., 1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        # Of two equal neighbours one is kept, so that an edge of two pixels becomes one.
        kept |= (octant == direction) & (size >= ahead) & (size > behind)
    return kept


def _coordinates(images: Tensor) -> tuple[Tensor, Tensor]:
    """Right (1, 1, width) and down (1, height, 1) of each pixel from the middle."""
    height, width = images.shape[-2:]
    x, y = (torch.arange(side, device=images.device) - (side - 1) / 2 for side in (width, height))
    return x.view(1, 1, -1), y.view(1, -1, 1)


def _ink(distance: Tensor, radius: float) -> Tensor:
    """How much of a pixel is inside a line of this radius, with an edge one pixel wide."""
    return (radius + 0.5 - distance).clamp(0, 1)
