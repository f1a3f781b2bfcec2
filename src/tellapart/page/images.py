"""Pictures as PNG data addresses, so that a page carries them inside itself."""

from __future__ import annotations

import base64
import io

from PIL import Image
from torch import Tensor

from tellapart.errors import ShapeError

LARGEST_SIDE_PIXELS = 224


def png_address(picture: Tensor) -> str:
    """``data:image/png;base64,...`` of one picture, its longer side at most 224 pixels.

    Args:
        picture: uint8 (channels, height, width), one channel for grey or three for colour.

    Raises:
        ShapeError: where the picture is not so.
    """
    if str(picture.dtype) != "torch.uint8" or picture.ndim != 3 or picture.shape[0] not in (1, 3):
        raise ShapeError(
            "a picture must be uint8 (channels, height, width) with 1 or 3 channels, "
            f"got {picture.dtype} {tuple(picture.shape)}"
        )
    pixels = picture.cpu().permute(1, 2, 0).contiguous().numpy()  # (height, width, channels)
    image = Image.fromarray(pixels[..., 0] if picture.shape[0] == 1 else pixels)
    image.thumbnail((LARGEST_SIDE_PIXELS, LARGEST_SIDE_PIXELS))
    file = io.BytesIO()
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
