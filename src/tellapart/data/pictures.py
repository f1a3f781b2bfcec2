"""Single pictures from files, made to fit what a classifier takes.

One rule for every file, so that the same file always gives the same tensor:

1. Of a file with several frames the first is taken, and turned upright as its EXIF tag says.
2. 16-bit grey is scaled to 8 bits (65535 becomes 255). Transparent parts show white paper.
   Palette, CMYK and other colours become RGB; for one channel, RGB becomes grey by ITU-R 601,
   0.299 R + 0.587 G + 0.114 B. Floating-point pixels are refused: they have no agreed white.
3. It is resized to fit, its aspect kept: shrunk by the mean over areas, enlarged bicubically.
   A picture that fits already keeps its values.
4. It is centred, and what is left is filled, per channel, with the median of its outermost pixels:
   paper goes on as paper, and night as night.
"""

from __future__ import annotations

import glob
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from tellapart.errors import ConfigError, DataError

MAX_PIXELS = 100_000_000
"""A picture with more pixels than this (300 MB as RGB) is refused before it is decoded."""

# Named, because Pillow would otherwise hand a file to whatever its first bytes ask for, such as
# PostScript, which runs as a program.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""The formats that are read, by Pillow's names."""

PICTURE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""What a file in a folder must end with, in either case, to be taken for a picture."""

_SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN"})
_MODES = {1: "L", 3: "RGB"}


def read_picture(path: Path, *, channels: int, height: int, width: int) -> torch.Tensor:
    """Read a picture file as the module's rule says.

    Args:
        path: the file.
        channels: 1 for grey, 3 for RGB.
        height: pixels of the result.
        width: pixels of the result.

    Returns:
        uint8, (channels, height, width), 0 is black and 255 is white.

    Raises:
        DataError: where the file is missing, empty, too large, or no picture that can be read.
        ConfigError: where ``channels`` is neither 1 nor 3, or a size is not positive.
    """
    if channels not in _MODES:
        raise ConfigError(f"pictures are read with 1 channel (grey) or 3 (RGB), got {channels}")
    if height < 1 or width < 1:
        raise ConfigError(f"height and width must be at least 1 pixel, got {height}x{width}")
    image = _decode(path, _MODES[channels], (width, height))
    pixels = np.array(image, dtype=np.uint8).reshape(image.height, image.width, channels)
    return torch.from_numpy(_centred(pixels, height, width).transpose(2, 0, 1).copy())


def find_pictures(arguments: Sequence[str]) -> list[Path]:
    """The picture files that a person names on a command line, each once, in a fixed order.

    Args:
        arguments: files, taken whatever they are called; folders, searched to the bottom for
            names with a picture's suffix, in alphabetical order and without hidden and system
            files; and patterns with ``*``, ``?``, ``[...]`` or ``**`` that no shell expanded,
            which stand for the files and folders that they match.

    Raises:
        DataError: where nothing is named, or one of the arguments matches no picture.
    """
    if not arguments:
        raise DataError(
            "no picture is named; give files, folders or patterns such as 'scans/*.png'"
        )
    found = dict.fromkeys(path for argument in arguments for path in _matches(argument))
    return list(found)


def _matches(argument: str) -> list[Path]:
    path = Path(argument).expanduser()
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError as error:
        raise DataError(f"{argument}: cannot be looked up: {error.strerror}") from error
    if is_folder:
        pictures = list(_below(path))
        if not pictures:
            suffixes = " ".join(sorted(PICTURE_SUFFIXES))
            raise DataError(f"{path}: no picture ({suffixes}) in this folder or below it")
        return pictures
    if is_there:
        return [path]
    if not glob.has_magic(argument):
        raise DataError(f"{argument}: no such file or folder; check the path")
    # pathlib cannot expand an absolute pattern, so this is glob's.
    named = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
    pictures = [
        picture for name in named for picture in (_below(name) if name.is_dir() else [name])
    ]
    if not pictures:
        raise DataError(f"{argument}: the pattern matches no picture; check it")
    return pictures


def _below(folder: Path) -> Iterator[Path]:
    """The pictures in ``folder`` and below it, in alphabetical order, those of a folder first."""

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be searched: {error.strerror}") from error

    for parent, folders, names in os.walk(folder, onerror=refuse):
        # os.walk goes on with what is left in this very list, in its order.
        folders[:] = sorted(name for name in folders if not _is_system_name(name))
        for name in sorted(names):
            if Path(name).suffix.lower() in PICTURE_SUFFIXES and not _is_system_name(name):
                yield Path(parent, name)


def _is_system_name(name: str) -> bool:
    return name.startswith(".") or name in _SYSTEM_FOLDERS


def _decode(path: Path, mode: str, box: tuple[int, int]) -> Image.Image:
    """The picture upright, in ``mode``, resized to fit into ``box`` (width, height)."""
    try:
        if not path.is_file():
            raise DataError(f"{path}: no such file; check the path")
        # Pillow warns of large pictures and of odd metadata; the first are refused below, and
        # the second do not change a pixel.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                _require_decodable_size(path, image.size)
                upright_size = _upright_size(image)
                _decode_only_what_is_needed(image, upright_size, box)
                upright = ImageOps.exif_transpose(image)
                converted = _convert(path, upright, mode)
                return _fitted(converted, upright_size, box)
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(f"{path}: {_why_no_picture(path)}") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{path}: {_too_large('more')}") from error
    # Pillow's decoders raise about ten kinds of exception on damaged files.
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:  # the system's, not a decoder's
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        raise DataError(
            f"{path}: cannot be decoded: {str(error) or type(error).__name__}; "
            "the file is damaged: copy it again"
        ) from error


def _require_decodable_size(path: Path, size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise DataError(f"{path}: {_too_large(f'{width}x{height} = {width * height}')}")


def _too_large(pixels: str) -> str:
    return f"at most {MAX_PIXELS} pixels are decoded, it has {pixels}; make it smaller first"


def _why_no_picture(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(512).lstrip()
    if not start:
        return "the file is empty; copy it again"
    if start[:1] == b"<":
        return "it holds HTML or XML, not a picture, whatever its name says; download it again"
    return f"not a picture in a format that is read: {', '.join(FORMATS)}"


def _upright_size(image: Image.Image) -> tuple[int, int]:
    # EXIF orientations 5 to 8 turn the picture by a quarter, which swaps its sides.
    width, height = image.size
    return (height, width) if image.getexif().get(0x0112, 1) in (5, 6, 7, 8) else (width, height)


def _decode_only_what_is_needed(
    image: Image.Image, upright_size: tuple[int, int], box: tuple[int, int]
) -> None:
    """Let a JPEG be decoded at 1/2, 1/4 or 1/8, while that is at least twice what is needed."""
    longest = 2 * max(_fitted_size(upright_size, box))
    image.draft(None, (min(longest, image.width), min(longest, image.height)))


def _fitted_size(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    scale = min(box[0] / size[0], box[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _fitted(image: Image.Image, upright_size: tuple[int, int], box: tuple[int, int]) -> Image.Image:
    # From the size in the file: the one after a reduced decoding is rounded.
    size = _fitted_size(upright_size, box)
    if size == image.size:
        return image
    shrinks = size[0] <= image.width and size[1] <= image.height
    filtering = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    return image.resize(size, filtering)


def _convert(path: Path, image: Image.Image, mode: str) -> Image.Image:
    if image.mode == "F":
        raise DataError(
            f"{path}: has floating-point pixels, which have no agreed white; "
            "save it with 8 or 16 bits"
        )
    if image.mode.startswith("I"):
        return _from_16_bits(path, image).convert(mode)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        image = Image.alpha_composite(paper, layer).convert("RGB")
    if image.mode in ("1", "L"):
        return image.convert(mode)
    return image.convert("RGB").convert(mode)


def _from_16_bits(path: Path, image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise DataError(
            f"{path}: its values must fit into 16 bits, got {values.min()}..{values.max()}; "
            "save it with 8 or 16 bits"
        )
    # 65535 / 257 is 255; adding half of 257 rounds to the nearest.
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _centred(
    pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]], height: int, width: int
) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """``pixels`` (h, w, channels) in the middle of (height, width, channels)."""
    rows, columns, channels = pixels.shape
    if (rows, columns) == (height, width):
        return pixels
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    canvas = np.empty((height, width, channels), dtype=np.uint8)
    canvas[:] = np.median(border, axis=0).round().astype(np.uint8)
    top, left = (height - rows) // 2, (width - columns) // 2
    canvas[top : top + rows, left : left + columns] = pixels
    return canvas
