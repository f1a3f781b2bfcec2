"""The formats that are read, and recognising files of other formats.

A file is named by its first bytes, whatever its name claims, and each kind has its remedy.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from PIL import TiffImagePlugin

from tellapart.data.images.listing import ReadableFile

# Named, because Pillow would otherwise hand a file to whatever its first bytes ask for, such as
# PostScript, which runs as a program.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""The formats that are read, by Pillow's names."""

_NUM_LOOKED_AT = 65_536
_CONVERT = "convert it to JPEG or PNG"
_RAW = f"a camera's RAW file; {_CONVERT} with the camera's software"
_VIDEO = "a video; save its frames as JPEG or PNG"

_RAW_SUFFIXES = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".dng", ".iiq", ".kdc", ".nef", ".nrw", ".orf", ".pef"}
    | {".raf", ".rw2", ".srw", ".x3f"}
)
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), f"AVIF; {_CONVERT}"),
    **dict.fromkeys(
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
        f"HEIC (HEIF), as telephones save photographs; {_CONVERT}",
    ),
    b"crx ": _RAW,
}
"""The content of an ISO base media file (ISO/IEC 14496-12) by its major brand; else a video."""


class _Signature(NamedTuple):
    """The bytes by which a kind of file is recognised, and the message about it."""

    content: bytes
    description: str
    offset: int = 0


_SIGNATURES = (
    _Signature(
        b"version https://git-lfs",
        "a Git LFS pointer, not the image itself; run `git lfs pull` in the repository",
    ),
    _Signature(b"DICM", f"DICOM; {_CONVERT}, with the window that shows what matters", 128),
    _Signature(b"\x93NUMPY", "a NumPy array; collect arrays and labels in one .npz archive"),
    _Signature(b"CR\x02", _RAW, 8),
    _Signature(b"FUJIFILMCCD-RAW", _RAW),
    _Signature(b"IIRO", _RAW),
    _Signature(b"IIRS", _RAW),
    _Signature(b"MMOR", _RAW),
    _Signature(b"IIU\0", _RAW),
    _Signature(b"\0\0\0\x0cjP  ", f"JPEG 2000; {_CONVERT}"),
    _Signature(b"\xff\x4f\xff\x51", f"JPEG 2000; {_CONVERT}"),
    _Signature(b"\0\0\0\x0cJXL ", f"JPEG XL; {_CONVERT}"),
    _Signature(b"\xff\x0a", f"JPEG XL; {_CONVERT}"),
    _Signature(b"8BPS", f"a Photoshop document; {_CONVERT}"),
    _Signature(b"\x76\x2f\x31\x01", f"OpenEXR, floating-point pixels; {_CONVERT}"),
    _Signature(b"#?RADIANCE", f"Radiance HDR, floating-point pixels; {_CONVERT}"),
    _Signature(b"\0\0\x01\0", f"an icon (ICO); {_CONVERT}"),
    _Signature(b"%PDF", "a PDF document; save its pages as PNG"),
    _Signature(b"%!PS", "PostScript; save its pages as PNG"),
    _Signature(b"\x89HDF", "HDF5; save its images as PNG, or as arrays in an .npz archive"),
    _Signature(b"MATLAB 5.0", "a MATLAB file; save its images as PNG, or as arrays in an .npz"),
    _Signature(b"PK\x03\x04", "a ZIP archive; unpack it"),
    _Signature(b"\x1f\x8b", "compressed by gzip; unpack it"),
    _Signature(b"7z\xbc\xaf", "a 7z archive; unpack it"),
    _Signature(b"Rar!", "a RAR archive; unpack it"),
    _Signature(b"ustar", "a tar archive, not one image", 257),
    _Signature(b"AVI ", _VIDEO, 8),
    _Signature(b"\x1a\x45\xdf\xa3", _VIDEO),
    _Signature(b"\0\0\x01\xba", _VIDEO),
)


def why_not_read(path: ReadableFile) -> str:
    """Return what kind of file Pillow could not open by `FORMATS`, and the remedy."""
    with path.open("rb") as file:
        start = file.read(_NUM_LOOKED_AT)
        if not start:
            return "the file is empty; copy it again"
        if not start.strip(b"\0"):
            return "the file holds nothing but zeros where an image would begin; copy it again"
        if start[:4] in (b"II*\0", b"MM\0*"):
            return _raw_by_name(path) or _by_signature(start) or _why_no_tiff(start, file)
    return (
        _by_signature(start) or _by_text(start) or _raw_by_name(path) or _by_suffix(path)
        or f"not an image in a format that is read: {', '.join(FORMATS)}"
    )  # fmt: skip


def refused_tiff(path: ReadableFile, start: bytes, tags: Any) -> str | None:
    """Return why a TIFF that Pillow opens is refused: Pillow would only show a preview.

    Args:
        path: the file; cameras' suffixes are known.
        start: its first bytes.
        tags: `PIL.TiffImagePlugin.ImageFileDirectory_v2` of the first image.
    """
    dng_version, subfile_type, sub_images = 50706, 254, 330
    if dng_version in tags or (tags.get(subfile_type) == 1 and sub_images in tags):
        return _RAW
    return _raw_by_name(path) or _by_signature(start)


def _by_signature(start: bytes) -> str | None:
    if start[4:8] == b"ftyp":
        return _BRANDS.get(start[8:12], _VIDEO)
    for signature in _SIGNATURES:
        if start[signature.offset :].startswith(signature.content):
            return signature.description
    return None


def _by_text(start: bytes) -> str | None:
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<"):
        if b"<svg" in text:
            return "an SVG drawing, lines and not pixels; save it as PNG"
        return "it holds HTML or XML, not an image, whatever its name says; download it again"
    if text[:1] in (b"{", b"["):
        return "it holds JSON, not an image, whatever its name says; download it again"
    return None


def _raw_by_name(path: ReadableFile) -> str | None:
    return _RAW if Path(path.name).suffix.lower() in _RAW_SUFFIXES else None


def _by_suffix(path: ReadableFile) -> str | None:
    """The message for kinds of files without a signature, by suffix."""
    suffix = Path(path.name).suffix.lower()
    return f"DICOM by its name; {_CONVERT}" if suffix in (".dcm", ".dicom") else None


def _why_no_tiff(start: bytes, file: Any) -> str:
    """What kind of pixels a TIFF has that Pillow does not read."""
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(start[:8])
        file.seek(tags.next)
        tags.load(file)
        kind = _pixel_kind(tags)
    # Pillow's parser raises about five kinds of exception on damaged files.
    except Exception:
        return "a TIFF whose directory cannot be read; the file is damaged: copy it again"
    return f"a TIFF with pixels of a kind that is not read ({kind}); save it with 8 bits, as PNG"


def _pixel_kind(tags: Any) -> str:
    """Such as ``16-bit grey with alpha``."""
    get: Callable[..., Any] = tags.get
    bits = get(258, (1,))
    bits = bits if isinstance(bits, tuple) else (bits,)
    photometric, num_samples = get(262, 1), get(277, len(bits))
    colours = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr"}
    needed = {2: 3, 5: 4, 6: 3}.get(photometric, 1)
    extra = num_samples - needed
    formats = get(339, (1,))
    sample_format = formats[0] if isinstance(formats, tuple) else formats
    number = {2: " signed", 3: " floating-point", 5: " complex", 6: " complex"}.get(
        sample_format, ""
    )
    colour = colours.get(photometric, f"photometric interpretation {photometric}")
    others = {0: "", 1: " with alpha"}.get(extra, f" with {extra} more channels")
    return f"{bits[0]}-bit{number} {colour}{others}, compression {get(259, 1)}"


def with_black_as_zero(content: bytes) -> bytes | None:
    """A copy of a WhiteIsZero TIFF that claims to be BlackIsZero; None where it is no such file.

    Pillow inverts WhiteIsZero pixels of up to 8 bits, takes 16-bit ones in little-endian order as
    they are, and refuses all others. Opened under the other name, all of them can be read.

    Source: TIFF 6.0, section 2: eight bytes of header, then entries of twelve bytes.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
    if order is None:
        return None
    try:
        (directory,) = struct.unpack_from(f"{order}I", content, 4)
        (num_entries,) = struct.unpack_from(f"{order}H", content, directory)
        for entry in range(directory + 2, directory + 2 + 12 * num_entries, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", content, entry)
            if tag == 262 and value == 0:
                changed = bytearray(content)
                struct.pack_into(f"{order}H", changed, entry + 8, 1)
                return bytes(changed)
    except struct.error:  # cut off in the middle
        return None
    return None
