"""Pictures from files: one stated rule for every mode, size and fault."""

import contextlib
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tellapart.data.images.files import find_images
from tellapart.data.images.reading import read_fitted
from tellapart.data.preparation import Frame
from tellapart.errors import ConfigError, DataError


def grey(path, height=4, width=4):
    return read_fitted(path, Frame(1, height, width)).pixels


def colour(path, height=4, width=4):
    return read_fitted(path, Frame(3, height, width)).pixels


def save(folder: Path, image: Image.Image, name: str = "picture.png", **options) -> Path:
    image.save(folder / name, **options)
    return folder / name


PIXELS = np.arange(16, dtype=np.uint8).reshape(4, 4) * 17


def test_an_image_that_fits_keeps_its_values(tmp_path):
    path = save(tmp_path, Image.fromarray(PIXELS))
    assert np.array_equal(grey(path), PIXELS[None])
    assert np.array_equal(colour(path), np.broadcast_to(PIXELS, (3, 4, 4)))


# The rule for each mode: the colour of a uniform picture, and what becomes of it.
@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 77, (77, 77, 77)),
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("RGBA", (0, 0, 0, 51), (204, 204, 204)),
        ("LA", (0, 51), (204, 204, 204)),
        ("I;16", 65535, (255, 255, 255)),
        ("I;16", 257 * 100 + 128, (100, 100, 100)),
        ("I;16", 257 * 100 + 129, (101, 101, 101)),
        ("I;16", 0, (0, 0, 0)),
    ],
)
def test_every_mode_becomes_8_bit_rgb(tmp_path, mode, value, expected):
    path = save(tmp_path, Image.new(mode, (4, 4), value))
    assert colour(path)[:, 1, 2].tolist() == list(expected)


def test_grey_is_weighted_as_itu_r_601(tmp_path):
    path = save(tmp_path, Image.new("RGB", (4, 4), (200, 100, 50)))
    assert grey(path)[0, 0, 0] == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)


def test_cmyk_and_palette_and_transparent_palette(tmp_path):
    cmyk = save(tmp_path, Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "cmyk.tif")
    assert colour(cmyk)[:, 0, 0].tolist() == [255, 0, 0]
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([1, 2, 3, 40, 50, 60])
    assert colour(save(tmp_path, palette))[:, 0, 0].tolist() == [40, 50, 60]
    see_through = save(tmp_path, palette, "see_through.png", transparency=1)
    assert colour(see_through)[:, 0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("mode", "value"), [("F", 0.5), ("I", 70_000), ("I", -1)])
def test_values_without_an_agreed_white_are_refused(tmp_path, mode, value):
    path = save(tmp_path, Image.new(mode, (4, 4), value), "picture.tif")
    with pytest.raises(DataError, match="save it with 8 or 16 bits"):
        grey(path)


@pytest.mark.parametrize("name", ["picture.png", "picture.tif", "picture.webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_it_upright(tmp_path, orientation, name):
    upright = np.array([[255, 255, 255, 255], [255, 0, 0, 0]], np.uint8).repeat(8, 0).repeat(8, 1)
    undo = {
        1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
        5: lambda a: a.T, 6: lambda a: np.rot90(a), 7: lambda a: a[::-1, ::-1].T,
        8: lambda a: np.rot90(a, -1),
    }  # fmt: skip
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation](upright)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path, stored, name, exif=exif)
    assert (grey(path, 2, 4)[0] > 128).tolist() == [[True] * 4, [True, False, False, False]]


def test_aspect_is_kept_and_the_rest_filled_with_the_border(tmp_path):
    image = Image.new("RGB", (40, 20), (200, 10, 60))
    image.paste((0, 255, 0), (10, 5, 30, 15))
    pixels = colour(save(tmp_path, image), 8, 8).astype(int)
    for column, row, expected in (
        (0, 0, (200, 10, 60)),
        (7, 7, (200, 10, 60)),
        (4, 4, (0, 255, 0)),
    ):
        assert np.abs(pixels[:, row, column] - expected).max() < 20
    green = np.argwhere(pixels[1] > 128)
    assert green.min(0).tolist() == [3, 2]
    assert green.max(0).tolist() == [4, 5]


@pytest.mark.parametrize(
    ("size", "expected"), [((1, 100), [2, 3]), ((100, 1), [1]), ((3, 3), [0, 4])]
)
def test_any_shape_fits(tmp_path, size, expected):
    path = save(tmp_path, Image.new("L", size, 9))
    pixels = grey(path, 4, 5)
    assert pixels.shape == (1, 4, 5)
    assert (pixels == 9).all()


def test_a_large_jpeg_is_decoded_small_and_still_right(tmp_path):
    ramp = np.linspace(0, 255, 1600).astype(np.uint8)
    image = Image.fromarray(np.broadcast_to(ramp, (1201, 1600)).copy())
    path = save(tmp_path, image, "large.jpg", quality=95)
    pixels = grey(path, 40, 40)[0]
    expected = ramp.reshape(40, 40).mean(1)
    assert np.abs(pixels[20] - expected).max() < 3
    assert (pixels[5:35].std(0) < 2).all()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header claims a size, with hardly any data behind."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9)))
        + chunk(b"IEND", b"")
    )  # fmt: skip


@pytest.mark.parametrize("side", [10_001, 13_000, 60_000])
def test_a_decompression_bomb_is_refused_before_decoding(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of_size(side, side))
    with pytest.raises(DataError, match=r"bomb\.png: at most 100000000 pixels are decoded, it has"):
        colour(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"  \n<!DOCTYPE html><html>", "it holds HTML or XML, not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b"hello", "not an image in a format that is read"),
        (png_of_size(40, 40), "cannot be decoded: .*the file is damaged"),
    ],
)
def test_what_is_no_image_is_refused_with_path_and_reason(tmp_path, content, reason):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"photo\.jpg: {reason}"):
        grey(path)


@pytest.mark.parametrize("name", ["missing.png", "."])
def test_what_is_no_file_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="no such file; check the path"):
        grey(tmp_path / name)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif", "webp", "ppm"])
def test_truncated_anywhere_is_a_data_error_or_an_image(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    content = save(tmp_path, Image.fromarray(noise), f"whole.{suffix}").read_bytes()
    path = tmp_path / f"cut.{suffix}"
    refused = 0
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        try:
            assert colour(path).shape == (3, 4, 4)
        except DataError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017
            refused += 1
    assert refused > len(content) / 7 / 2


@settings(deadline=None)
@given(start=st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"II*\0",
                              b"RIFF\x20\0\0\0WEBPVP8 ", b"P5 4 4 255\n"]),
       rest=st.binary(max_size=80))  # fmt: skip
def test_any_bytes_are_a_data_error_or_an_image(tmp_path_factory, start, rest):
    path = tmp_path_factory.getbasetemp() / "fuzz"
    path.write_bytes(start + rest)
    with contextlib.suppress(DataError):
        assert grey(path).dtype == np.uint8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 2}, r"1 channel \(grey\) or 3 \(RGB\), got 2"),
        ({"height": 0}, "at least 1 pixel, got 0x4"),
    ],
)
def test_an_impossible_size_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Frame(**({"channels": 1, "height": 4, "width": 4} | options))


def test_real_photographs(tmp_path):
    if not os.environ.get("TELLAPART_DATA"):
        pytest.skip("needs TELLAPART_DATA with ants-bees/")
    folder = Path(os.environ["TELLAPART_DATA"], "ants-bees", "val", "bees")
    paths = find_images([str(folder)])
    assert len(paths) == 83
    for path in paths[:10]:
        pixels = colour(path, 64, 64)
        assert pixels.shape == (3, 64, 64)
        assert pixels.std() > 10


def test_reading_an_image_or_a_drawing_loads_no_torch(tmp_path):
    page = np.full((120, 160), 240, np.uint8)
    page[40:80, 50:54] = 20
    path = save(tmp_path, Image.fromarray(page))
    script = f"""
import sys
from pathlib import Path
from tellapart.data.images.drawing import DrawingStyle
from tellapart.data.images.reading import read_fitted
from tellapart.data.preparation import Frame
style = DrawingStyle("dark", 0.6, 0.7, 0.8, 0.5, 0.5, 0.05)
fitted = read_fitted(Path({str(path)!r}), Frame(1, 28, 28), style)
assert "inverted" in fitted.changes and fitted.pixels.shape == (1, 28, 28), fitted
assert read_fitted(Path({str(path)!r}), Frame(3, 28, 28)).pixels.shape == (3, 28, 28)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_further_frames_are_told(tmp_path):
    pages = [Image.new("L", (4, 4), value) for value in (10, 200)]
    path = save(tmp_path, pages[0], "pages.tif", save_all=True, append_images=pages[1:])
    fitted = read_fitted(path, Frame(1, 4, 4))
    assert any("first frame" in change for change in fitted.changes)
    assert (fitted.pixels == 10).all()
