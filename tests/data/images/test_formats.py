"""What is no image that is read is named for what it is, with the remedy."""

import struct

import numpy as np
import pytest
from PIL import Image

from tellapart.data.images.decoding import decode
from tellapart.data.images.opening import quiet_pillow
from tellapart.data.preparation import Frame
from tellapart.errors import DataError


def reason(path):
    with quiet_pillow(), pytest.raises(DataError) as caught:
        decode(path, Frame(1, 8, 8))
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "content", "facts"),
    [
        ("a.png", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", ["git lfs pull"]),
        ("a.jpg", b"\0\0\0\x18ftypheic" + bytes(64), ["HEIC", "JPEG or PNG"]),
        ("a.jpg", b"\0\0\0\x18ftypmif1" + bytes(64), ["HEIF", "JPEG or PNG"]),
        ("a.jpg", b"\0\0\0\x1cftypavif" + bytes(64), ["AVIF", "JPEG or PNG"]),
        ("a.png", bytes(128) + b"DICM" + bytes(8), ["DICOM", "JPEG or PNG"]),
        ("a.dcm", b"\x08\0\x05\0\x0a\0\0\0ISO_IR 100", ["DICOM"]),
        ("a.png", b"\x93NUMPY\1\0v\0{'descr'", ["NumPy", ".npz"]),
        ("a.jpg", b"II*\0\x10\0\0\0CR\x02\0" + bytes(64), ["RAW", "JPEG or PNG"]),
        ("a.nef", b"MM\0*\0\0\0\x08\0\0", ["RAW"]),
        ("a.jpg", b"FUJIFILMCCD-RAW 0201", ["RAW"]),
        ("a.png", b"<?xml version='1.0'?>\n<svg xmlns='x'>", ["SVG", "PNG"]),
        ("a.png", b"%PDF-1.7\n", ["PDF", "PNG"]),
        ("a.jpg", b"\0\0\0\x18ftypmp42" + bytes(64), ["video", "frames"]),
        ("a.jpg", b"RIFF\0\0\0\0AVI LIST", ["video"]),
        ("a.png", b"PK\3\4" + bytes(40), ["ZIP", "unpack"]),
        ("a.png", b"\x1f\x8b\x08" + bytes(40), ["gzip", "unpack"]),
        ("a.jpg", b"<!DOCTYPE html><html>", ["HTML", "download"]),
        ("a.jpg", b'{"error": "not found"}', ["JSON", "download"]),
        ("a.jpg", b"", ["empty", "copy it again"]),
        ("a.jpg", bytes(5000), ["zeros", "copy it again"]),
        ("a.jpg", b"hello", ["format", "JPEG", "PNG"]),
    ],
)
def test_each_is_named_with_its_remedy(tmp_path, name, content, facts):
    (tmp_path / name).write_bytes(content)
    found = reason(tmp_path / name)
    assert all(fact in found for fact in facts)
    assert "\n" not in found


def tiff(path, bits, samples, photometric, sample_format):
    """A TIFF of 4x4 pixels of any kind; its data is zeros."""
    tags = [(256, 4), (257, 4), (258, bits), (259, 1), (262, photometric), (273, 8), (277, samples),
            (278, 4), (279, 16), (339, sample_format)]  # fmt: skip
    content = b"II*\0" + struct.pack("<I", 8 + 256) + bytes(256) + struct.pack("<H", len(tags))
    for tag, value in tags:
        count = samples if tag == 258 and samples <= 2 else 1
        values = (value, value if count == 2 else 0)
        content += struct.pack("<HHIHH", tag, 3, count, *values)
    path.write_bytes(content + bytes(4))
    return path


@pytest.mark.parametrize(
    ("bits", "samples", "sample_format", "facts"),
    [
        (16, 2, 1, ["16-bit grey with alpha", "8 bits"]),
        (64, 1, 3, ["64-bit floating-point grey", "8 bits"]),
        (24, 1, 1, ["24-bit grey"]),
    ],
)
def test_pixels_of_a_tiff_that_are_not_read_are_named(
    tmp_path, bits, samples, sample_format, facts
):
    found = reason(tiff(tmp_path / "scan.tif", bits, samples, 1, sample_format))
    assert all(fact in found for fact in facts)


def test_a_cameras_file_that_pillow_opens_is_no_photograph_but_its_preview(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.tif")
    (tmp_path / "photo.tif").rename(tmp_path / "photo.NEF")
    assert "RAW" in reason(tmp_path / "photo.NEF")
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.tif", tiffinfo={50706: b"\1\4\0\0"})
    assert "RAW" in reason(tmp_path / "photo.tif")


def test_a_truncated_file_is_named_damaged(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:900])
    assert "damaged: copy it again" in reason(tmp_path / "a.jpg")
