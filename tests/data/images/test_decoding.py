"""The rule by which a file becomes pixels: frames that cut, filters, and what it costs nothing."""

import numpy as np
import pytest
from PIL import Image

from tellapart.data.images.decoding import decode, reason_of
from tellapart.data.images.opening import quiet_pillow
from tellapart.data.preparation import Frame
from tellapart.errors import DataError


def pixels(path, *, channels=1, height=8, width=8, fit="pad"):
    with quiet_pillow():
        return decode(path, Frame(channels, height, width, fit)).pixels


@pytest.fixture
def stripes(tmp_path):
    """Black, grey and white thirds side by side, three times as wide as high."""
    image = Image.new("L", (60, 20))
    image.paste(128, (20, 0, 40, 20))
    image.paste(255, (40, 0, 60, 20))
    image.save(tmp_path / "stripes.png")
    return tmp_path / "stripes.png"


def test_crop_shows_the_middle_and_pad_everything(stripes):
    middle = pixels(stripes, fit="crop")
    assert (middle[:, 2:6] == 128).all()
    assert np.abs(middle.astype(int) - 128).max() < 10  # the filter reaches over the edges
    padded = pixels(stripes, height=9, width=9)[..., 0]
    assert np.abs(padded[4] - np.repeat([0, 128, 255], 3)).max() < 20
    assert padded[4, [1, 4, 7]].tolist() == [0, 128, 255]
    assert len(np.unique(padded[[0, 1, 7, 8]])) == 1


def test_crop_cuts_evenly_from_a_tall_one_too(stripes, tmp_path):
    Image.open(stripes).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "tall.png")
    upright = pixels(stripes, fit="crop")
    assert np.array_equal(pixels(tmp_path / "tall.png", fit="crop"), np.rot90(upright))


@pytest.mark.parametrize(("height", "width"), [(9, 9), (6, 30), (40, 15)])
def test_squash_shows_the_whole_image_in_exactly_the_frame(stripes, height, width):
    squashed = pixels(stripes, height=height, width=width, fit="squash")
    assert squashed.shape == (height, width, 1)
    assert (squashed == squashed[:1]).all()  # no border above or below
    third = width // 3
    middles = squashed[0, [third // 2, third + third // 2, 2 * third + third // 2], 0]
    assert middles.tolist() == [0, 128, 255]
    whole = np.asarray(Image.open(stripes).resize((width, height), Image.Resampling.BICUBIC))
    assert np.array_equal(squashed[..., 0], whole)


def test_squash_leaves_an_image_of_the_frames_aspect_as_pad_and_crop_do(stripes):
    ways = [pixels(stripes, height=10, width=30, fit=fit) for fit in ("squash", "pad", "crop")]
    assert np.array_equal(ways[0], ways[1])
    assert np.array_equal(ways[0], ways[2])


def test_a_jpeg_far_too_large_along_one_side_only_is_not_decoded_too_small(tmp_path):
    """The side that shrinks least decides how small a JPEG may be decoded."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    image = coarse.resize((1600, 120), Image.Resampling.BICUBIC)
    image.save(tmp_path / "wide.jpg", quality=95)
    image.save(tmp_path / "wide.png")
    ours, whole = (
        pixels(tmp_path / name, channels=3, height=96, width=96, fit="squash").astype(int)
        for name in ("wide.jpg", "wide.png")
    )
    assert ours.shape == (96, 96, 3)
    assert np.abs(ours - whole).mean() < 3.5


@pytest.mark.parametrize("fit", ["pad", "crop", "squash"])
@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_exif_turns_before_it_fits(stripes, tmp_path, fit, orientation):
    turn = {1: None, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[orientation]
    stored = Image.open(stripes)
    if turn is not None:
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.png", exif=exif)
    for height, width in ((12, 12), (9, 24)):
        turned = pixels(tmp_path / "turned.png", height=height, width=width, fit=fit)
        assert np.array_equal(turned, pixels(stripes, height=height, width=width, fit=fit))


def test_shrinking_a_little_stays_near_the_mean_of_the_neighbourhood(tmp_path):
    ramp = np.linspace(0, 255, 90).astype(np.uint8)
    Image.fromarray(np.broadcast_to(ramp, (90, 90)).copy()).save(tmp_path / "ramp.png")
    row = pixels(tmp_path / "ramp.png", height=60, width=60)[30, :, 0].astype(int)
    steps = np.diff(row[2:-2])
    assert steps.min() >= 3
    assert steps.max() <= 6


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [30, 63, 90, 200])
def test_resized_as_pillow_resizes_bicubically(tmp_path, channels, side):
    shape = (90, 90, 3)[: 2 if channels == 1 else 3]
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    image.save(tmp_path / "noise.png")
    ours = pixels(tmp_path / "noise.png", channels=channels, height=side, width=side)
    pillows = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))
    assert np.array_equal(ours.squeeze(), pillows)


@pytest.mark.parametrize("side", [961, 1153])
def test_an_image_far_too_large_is_shrunk_evenly_to_its_edges(tmp_path, side):
    lines = np.zeros((side, side), np.uint8)
    lines[:, [0, -1]] = 255
    lines[[0, -1]] = 255
    image = Image.fromarray(lines)
    image.save(tmp_path / "lines.png")
    ours = pixels(tmp_path / "lines.png", height=32, width=32).squeeze().astype(int)
    pillows = np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC)).astype(int)
    assert np.array_equal(ours, ours[::-1, ::-1])
    assert np.abs(ours - pillows).max() <= 8


def test_what_would_be_too_large_after_resizing_is_refused(tmp_path):
    Image.new("L", (60_000, 1)).save(tmp_path / "line.png")
    with pytest.raises(
        DataError, match="60000x1 pixels and would have 7680000x128 where it covers"
    ):
        pixels(tmp_path / "line.png", height=128, width=128, fit="crop")
    assert pixels(tmp_path / "line.png", height=128, width=128).shape == (128, 128, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_jpeg_decoded_small_looks_as_one_decoded_whole(tmp_path, channels):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC)
    image.save(tmp_path / "small.jpg", quality=95)
    image.save(tmp_path / "whole.png")
    ours, whole = (
        pixels(tmp_path / name, channels=channels, height=48, width=64).astype(int)
        for name in ("small.jpg", "whole.png")
    )
    assert np.abs(ours - whole).mean() < 2.5


def test_the_reason_stands_without_the_path(tmp_path):
    path = tmp_path / "none.png"
    with pytest.raises(DataError) as caught:
        pixels(path)
    assert reason_of(path, caught.value) == "no such file; check the path"
