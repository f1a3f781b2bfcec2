"""Images as PNG data URLs, so that a page contains its images."""

from __future__ import annotations

import base64
import io

from PIL import Image
from torch import Tensor

from tellapart.errors import ShapeError

LARGEST_SIDE_PIXELS = 224


def png_url(image: Tensor) -> str:
    """Return ``data:image/png;base64,...`` of an image, its longer side at most 224 pixels.

    Args:
        image: uint8 (channels, height, width), one channel for grey or three for colour.

    Raises:
        ShapeError: where the image has another shape or type.
    """
    if str(image.dtype) != "torch.uint8" or image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ShapeError(
            "an image must be uint8 (channels, height, width) with 1 or 3 channels, "
            f"got {image.dtype} {tuple(image.shape)}"
        )
    pixels = image.cpu().permute(1, 2, 0).contiguous().numpy()  # (height, width, channels)
    thumbnail = Image.fromarray(pixels[..., 0] if image.shape[0] == 1 else pixels)
    thumbnail.thumbnail((LARGEST_SIDE_PIXELS, LARGEST_SIDE_PIXELS))
    file = io.BytesIO()
    thumbnail.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
