"""Pixels of any kind as 8-bit grey or RGB: depth, inversion, transparency, hidden grey."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from tellapart.data.images.colours import AboveWhiteLevelError, white_level_for
from tellapart.data.images.decoding import decode
from tellapart.data.images.opening import quiet_pillow
from tellapart.data.preparation import Frame
from tellapart.errors import DataError

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
BITS, PHOTOMETRIC, SAMPLES = 258, 262, 277


def read(path, channels=1, white_level=65535):
    with quiet_pillow():
        decoded = decode(path, Frame(channels, 8, 8, white_level=white_level))
    return decoded.pixels.squeeze().astype(int), decoded.facts


def write_tiff(path, values, photometric, bits, order="<"):
    """An uncompressed TIFF, one strip, values already packed."""
    height, width = 8, 8
    data = values.tobytes()
    tags = [(256, 4, width), (257, 4, height), (BITS, 3, bits), (259, 3, 1),
            (PHOTOMETRIC, 3, photometric), (273, 4, 122), (SAMPLES, 3, 1), (278, 4, height),
            (279, 4, len(data))]  # fmt: skip
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    for tag, kind, value in tags:
        packed = struct.pack(f"{order}HH" if kind == 3 else f"{order}I", *([value, 0][: 5 - kind]))
        head += struct.pack(f"{order}HHI", tag, kind, 1) + packed
    path.write_bytes(head.ljust(122, b"\0") + data)
    return path


@pytest.mark.parametrize(
    ("peak", "level"),
    [(0, 255), (255, 255), (256, 1023), (4095, 4095), (4096, 16383), (65535, 65535)],
)
def test_the_white_level_holds_the_largest_value(peak, level):
    assert white_level_for(peak) == level


@pytest.mark.parametrize("level", [255, 1023, 4095, 16383, 65535])
def test_the_white_level_becomes_white_and_half_of_it_grey(tmp_path, level):
    values = np.zeros((8, 8), np.uint16)
    values[0, 0], values[0, 1] = level, level // 2
    Image.fromarray(values).save(tmp_path / "deep.png")
    pixels, facts = read(tmp_path / "deep.png", white_level=level)
    assert pixels[0, :3].tolist() == [255, 127, 0]
    assert facts.peak == level


def test_nothing_above_the_white_level_is_cut_off(tmp_path):
    Image.fromarray(np.full((8, 8), 5000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(AboveWhiteLevelError, match=r"deep\.png.*5000.*4095") as caught:
        read(tmp_path / "deep.png", white_level=4095)
    assert caught.value.peak == 5000


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [1, 8, 16])
@pytest.mark.parametrize("photometric", [0, 1])
def test_white_is_zero_is_inverted_once(tmp_path, bits, photometric, order):
    wanted = np.where(GREY > 100, 255, 0) if bits == 1 else GREY.astype(int)
    stored = {
        1: lambda: np.packbits(wanted > 0, axis=1),
        8: lambda: wanted.astype(np.uint8),
        16: lambda: (wanted * 257).astype(f"{order}u2"),
    }[bits]()
    if photometric == 0:
        stored = np.invert(stored)
    path = write_tiff(tmp_path / "scan.tif", stored, photometric, bits, order)
    assert np.array_equal(read(path)[0], wanted)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_white_is_zero_is_inverted_in_a_compressed_file_too(tmp_path, compression):
    for photometric, values in ((1, GREY.astype("u2") * 257), (0, 65535 - GREY.astype("u2") * 257)):
        path = tmp_path / f"{photometric}.tif"
        Image.fromarray(values).save(path, compression=compression)
        content = bytearray(path.read_bytes())
        entry = content.index(struct.pack("<HHI", PHOTOMETRIC, 3, 1))
        struct.pack_into("<H", content, entry + 8, photometric)
        path.write_bytes(content)
        assert np.array_equal(read(path)[0], GREY)


def test_colour_of_16_bits_that_uses_12_is_refused(tmp_path):
    values = np.full((8, 8, 3), 4000, "<u2")
    dark, bright = tmp_path / "dark.png", tmp_path / "bright.png"
    for path, data in ((dark, values), (bright, values * 10)):
        path.write_bytes(png_16_bit_rgb(data.astype(">u2")))
    with pytest.raises(DataError, match=r"16-bit colour.*8 bits"):
        read(dark)
    assert (read(bright, channels=3)[0] == 40000 >> 8).all()


def png_16_bit_rgb(values):
    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    rows = b"".join(b"\0" + row.tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )  # fmt: skip


def ring(colour, opaque=255):
    """RGBA: a square of this colour on a transparent background."""
    image = Image.new("RGBA", (8, 8), (*colour, 0))
    image.paste((*colour, opaque), (2, 2, 6, 6))
    return image


@pytest.mark.parametrize(
    ("colour", "paper"),
    [((255, 255, 255), 0), ((250, 250, 240), 0), ((0, 0, 0), 255), ((200, 30, 30), 255)],
)
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_ink_on_a_transparent_background_is_seen_whatever_its_colour(tmp_path, mode, colour, paper):
    image = ring(colour)
    if mode == "P":
        indexed = Image.new("P", (8, 8), 1)
        indexed.putpalette([*colour, 9, 9, 9])
        indexed.paste(0, (2, 2, 6, 6))
        indexed.save(tmp_path / "ink.png", transparency=1)
    else:
        image.convert(mode).save(tmp_path / "ink.png")
    pixels, _ = read(tmp_path / "ink.png")
    assert pixels[0, 0] == paper
    assert abs(pixels[4, 4] - paper) > 100


def test_a_light_image_with_a_dark_line_keeps_its_white_paper(tmp_path):
    image = ring((255, 255, 255))
    image.putpixel((3, 3), (0, 0, 0, 255))
    image.save(tmp_path / "ink.png")
    assert read(tmp_path / "ink.png")[0][0, 0] == 255


@pytest.mark.parametrize("name", ["grey.png", "grey.jpg", "grey.webp", "grey.bmp"])
def test_grey_stored_as_colour_has_none(tmp_path, name):
    Image.fromarray(GREY).convert("RGB").resize((40, 40)).save(tmp_path / name)
    assert not read(tmp_path / name)[1].has_colour


@pytest.mark.parametrize("name", ["red.png", "red.jpg", "red.webp", "red.gif"])
def test_a_little_colour_is_colour(tmp_path, name):
    image = Image.fromarray(GREY).convert("RGB").resize((64, 64))
    image.paste((200, 40, 40), (20, 20, 36, 36))
    image.save(tmp_path / name)
    assert read(tmp_path / name)[1].has_colour


def test_a_jpeg_is_as_grey_as_its_own_luminance(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(colours).resize((8, 8)).save(tmp_path / "a.jpg", quality=95)
    with Image.open(tmp_path / "a.jpg") as image:
        image.draft("L", (8, 8))
        assert np.array_equal(read(tmp_path / "a.jpg")[0], np.asarray(image))


@pytest.mark.parametrize("mode", ["LAB", "YCbCr"])
def test_other_colours_become_rgb(tmp_path, mode):
    if mode == "LAB":
        transform = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        image = ImageCms.applyTransform(Image.new("RGB", (8, 8), (200, 40, 40)), transform)
    else:
        image = Image.new("RGB", (8, 8), (200, 40, 40)).convert(mode)
    image.save(tmp_path / "colour.tif")
    pixels, _ = read(tmp_path / "colour.tif", channels=3)
    assert np.abs(pixels[4, 4] - [200, 40, 40]).max() < 12


def test_adobes_inverted_cmyk_is_read_upright(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=95)
    pixels, _ = read(tmp_path / "cmyk.jpg", channels=3)
    assert np.abs(pixels[4, 4] - [255, 0, 0]).max() < 12


def test_32_bit_values_within_16_bits_are_read(tmp_path):
    Image.fromarray(GREY.astype(np.int32) * 257).save(tmp_path / "a.tif")
    assert np.array_equal(read(tmp_path / "a.tif")[0], GREY)
