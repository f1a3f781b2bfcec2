"""The image in a page is the image that was classified."""

import base64
import io

import pytest
import torch
from PIL import Image

from tellapart.errors import ShapeError
from tellapart.page.images import png_url


def decoded(address):
    head, body = address.split(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(body)))


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_every_pixel_survives(channels, mode):
    original = torch.randint(256, (channels, 5, 7), dtype=torch.uint8)
    image = decoded(png_url(original))
    assert (image.mode, image.size) == (mode, (7, 5))
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    assert torch.equal(pixels.view(5, 7, channels).permute(2, 0, 1), original)


def test_a_large_image_is_made_smaller_in_proportion():
    assert decoded(png_url(torch.zeros(3, 300, 600, dtype=torch.uint8))).size == (224, 112)


@pytest.mark.parametrize(
    "image", [torch.zeros(1, 2, 2), torch.zeros(2, 2, 2).byte(), torch.zeros(2, 2).byte()]
)
def test_another_kind_of_tensor_is_refused(image):
    with pytest.raises(ShapeError, match=r"an image must be uint8 .* 1 or 3 channels, got torch"):
        png_url(image)
