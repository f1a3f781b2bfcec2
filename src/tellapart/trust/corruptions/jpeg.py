"""What JPEG compression does to images, batched: no file is written."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

_SIDE = 8
# ITU-T T.81 (1992), annex K: how coarsely each frequency of a block is stored, at quality 50.
_BRIGHTNESS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_COLOUR = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
# Rows: brightness, blueness, redness of (red, green, blue).
_TO_YCC = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)


def compressed(images: Tensor, quality: int) -> Tensor:
    """Return images as they are after JPEG compression, without subsampling of colours.

    Colours become brightness and two differences; blocks of 8x8 pixels become frequencies by the
    discrete cosine transform, which are rounded to multiples of a table's numbers, and everything
    is undone again. Storing the frequencies loses nothing, and is left out.

    Args:
        images: float32 (batch, channels, height, width) in 0..1; three channels are red, green and
            blue, any other number is compressed channel by channel.
        quality: 1..100.
    """
    height, width = images.shape[-2:]
    values = images * 255
    is_colour = images.shape[1] == 3
    if is_colour:
        matrix = torch.tensor(_TO_YCC, device=images.device)
        # A file holds whole numbers of these too.
        values = torch.einsum("ij,bjhw->bihw", matrix, values).round()
        values[:, :1] -= 128
    else:
        values = values - 128
    blocks = pad(values, (0, -width % _SIDE, 0, -height % _SIDE), mode="replicate")
    tables = [_BRIGHTNESS, _COLOUR, _COLOUR] if is_colour else [_BRIGHTNESS] * images.shape[1]
    coded = _through_blocks(blocks, torch.stack([_scaled(table, quality) for table in tables]))
    coded = coded[..., :height, :width]
    if is_colour:
        coded = coded.round()
        coded[:, :1] += 128
        coded = torch.einsum("ij,bjhw->bihw", matrix.inverse(), coded)
    else:
        coded = coded + 128
    return coded / 255


def _through_blocks(values: Tensor, tables: Tensor) -> Tensor:
    """Round the frequencies of 8x8 blocks to multiples of ``tables`` (channels, 8, 8)."""
    batch, channels, height, width = values.shape
    cosines = _cosines().to(values.device)
    rows, columns = height // _SIDE, width // _SIDE
    blocks = values.view(batch, channels, rows, _SIDE, columns, _SIDE).transpose(3, 4)
    steps = tables.to(values.device)[:, None, None]  # (channels, 1, 1, 8, 8)
    frequencies = cosines @ blocks @ cosines.T
    rounded = (frequencies / steps).round() * steps
    restored: Tensor = cosines.T @ rounded @ cosines
    return restored.transpose(3, 4).reshape(batch, channels, height, width)


def _cosines() -> Tensor:
    """The orthonormal discrete cosine transform of eight values, (8, 8)."""
    places = torch.arange(_SIDE)
    matrix = torch.cos(math.pi / _SIDE * (places + 0.5) * places[:, None]) * math.sqrt(2 / _SIDE)
    matrix[0] /= math.sqrt(2)
    return matrix


def _scaled(table: tuple[tuple[int, ...], ...], quality: int) -> Tensor:
    """The table for a quality, as the Independent JPEG Group's library scales it."""
    factor = 5000 // quality if quality < 50 else 200 - 2 * quality
    scaled = (torch.tensor(table) * factor + 50) // 100
    return scaled.clamp(1, 255).float()
