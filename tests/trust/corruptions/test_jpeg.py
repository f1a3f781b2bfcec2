"""JPEG compression by hand against Pillow's."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from tellapart.trust.corruptions.jpeg import compressed


def by_pillow(image: torch.Tensor, quality: int) -> torch.Tensor:
    pixels = image.permute(1, 2, 0).numpy()
    file = io.BytesIO()
    picture = Image.fromarray(pixels[..., 0] if image.shape[0] == 1 else pixels)
    picture.save(file, "JPEG", quality=quality, subsampling=0)
    read = np.atleast_3d(np.asarray(Image.open(file)))
    return torch.from_numpy(read.copy()).permute(2, 0, 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [7, 25, 60])
def test_it_is_what_pillow_writes_and_reads(channels: int, quality: int):
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, channels, 6, 6, generator=generator)
    image = torch.nn.functional.interpolate(coarse, (37, 50), mode="bicubic").clamp(0, 1)
    image = (image * 255).round().to(torch.uint8)[0]
    ours = (compressed(image[None].float() / 255, quality)[0] * 255).round().clamp(0, 255)
    theirs = by_pillow(image, quality)
    assert float((theirs.float() - image.float()).abs().mean()) > 0.5
    assert float((ours - theirs.float()).abs().mean()) < 0.35
