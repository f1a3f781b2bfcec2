"""The filter for many images agrees with the one for one image."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tellapart.data.images import fast_resize
from tellapart.data.images.decoding import decode, resize_bicubic
from tellapart.data.images.fast_resize import resize_many
from tellapart.data.images.opening import quiet_pillow
from tellapart.data.preparation import Frame


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(90, 90), (31, 47), (64, 200), (7, 300)])
@pytest.mark.parametrize("target", [(1, 1), (28, 28), (63, 30), (90, 90), (150, 210)])
def test_within_two_grey_levels_of_pillow(mode, size, target):
    shape = (size[1], size[0], 3)
    # Neither black nor white, which the filter overshoots.
    image = Image.fromarray(np.random.default_rng(0).integers(70, 186, shape, dtype=np.uint8))
    image = image.convert(mode)
    with quiet_pillow():
        ours, pillows = resize_many(image, target), resize_bicubic(image, target)
    assert ours.shape == pillows.shape == (target[1], target[0], len(mode))
    assert np.abs(ours.astype(int) - pillows).max() <= 2


@pytest.mark.parametrize("fit", ["pad", "crop"])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_is_the_same_read_alone_and_among_many(tmp_path, name, channels, fit):
    noise = np.random.default_rng(0).integers(0, 256, (300, 420, 3), dtype=np.uint8)
    Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2)).save(tmp_path / name)
    for side in (20, 64, 129, 350):
        frame = Frame(channels, side, side, fit)
        with quiet_pillow():
            alone = decode(tmp_path / name, frame).pixels.astype(int)
            among_many = decode(tmp_path / name, frame, resize_many).pixels
        assert np.abs(alone - among_many).max() <= 2


def test_where_torch_is_slow_pillow_resizes(monkeypatch):
    monkeypatch.setattr(fast_resize, "_IS_FAST", False)
    monkeypatch.setattr(fast_resize, "interpolate", None)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90), dtype=np.uint8))
    assert np.array_equal(resize_many(image, (60, 60)), resize_bicubic(image, (60, 60)))
