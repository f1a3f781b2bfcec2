"""What is limited is what is decoded; further frames are seen."""

import numpy as np
import pytest
from PIL import Image

from tellapart.data.images import decoding, opening
from tellapart.data.images.decoding import decode
from tellapart.data.images.opening import quiet_pillow
from tellapart.data.preparation import Frame
from tellapart.errors import DataError


@pytest.fixture(scope="module")
def huge(tmp_path_factory):
    path = tmp_path_factory.mktemp("huge") / "huge.jpg"
    Image.new("L", (20_000, 10_000), 90).save(path, quality=30)
    return path


def read(path, side=32):
    with quiet_pillow():
        return decode(path, Frame(1, side, side))


def test_a_jpeg_of_200_megapixels_is_read_at_an_eighth(huge):
    assert np.abs(read(huge).pixels.astype(int) - 90).max() <= 1


def test_it_is_refused_where_it_would_be_decoded_whole(huge):
    with quiet_pillow(), pytest.raises(DataError, match="at most 100000000 pixels"):
        decode(huge, Frame(1, 6000, 12_000))


def test_a_progressive_jpeg_keeps_its_coefficients_and_so_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_MAX_PROGRESSIVE_PIXELS", 5000)
    for name, options in (("plain.jpg", {}), ("progressive.jpg", {"progressive": True})):
        Image.new("L", (100, 100), 9).save(tmp_path / name, **options)
    assert read(tmp_path / "plain.jpg").pixels.shape == (32, 32, 1)
    with pytest.raises(DataError, match="at most 5000 pixels are decoded, it has 100x100"):
        read(tmp_path / "progressive.jpg")


def test_another_format_is_refused_by_its_header(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "MAX_PIXELS", 5000)
    monkeypatch.setattr(decoding, "convert", None)
    Image.new("L", (100, 100)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="pixels are decoded, it has 100x100"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["tif", "gif", "webp", "png"])
def test_further_frames_are_seen_and_the_first_is_taken(tmp_path, suffix):
    frames = [Image.new("RGB", (32, 32), (shade,) * 3) for shade in (40, 120, 200)]
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    decoded = read(path)
    assert decoded.facts.has_more_frames
    assert (decoded.pixels == 40).all()
    frames[0].save(path, **options)
    assert not read(path).facts.has_more_frames
