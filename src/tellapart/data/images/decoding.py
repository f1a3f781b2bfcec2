"""From a picture file to pixels of a known form.

One rule for every file, so that the same file always gives the same pixels:

1. Of a file with several frames the first is taken, and turned upright as its EXIF tag says.
2. 16-bit grey is scaled to 8 bits (65535 becomes 255). Transparent parts show white paper.
   Palette, CMYK and other colours become RGB; for one channel, RGB becomes grey by ITU-R 601,
   0.299 R + 0.587 G + 0.114 B. Floating-point pixels are refused: they have no agreed white.
3. It is resized bicubically, its aspect kept, until it just fits into the frame (``pad``) or just
   covers it (``crop``); where it shrinks, over areas as large as it shrinks by. A JPEG is decoded
   at 1/2, 1/4 or 1/8 where at most a sixteenth is then missing; what is still six times too large,
   or more, is first made three times too large by means over areas. A picture that fits keeps its
   values.
4. It is centred. What ``crop`` has too much of is cut off evenly; what ``pad`` leaves free is
   filled, per channel, with the median of the picture's outermost pixels: paper goes on as paper,
   and night as night.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch.nn.functional import interpolate

from tellapart.data.preparation import Frame
from tellapart.errors import DataError

Pixels = NDArray[np.uint8]

MAX_PIXELS = 100_000_000
"""A picture with more pixels than this (300 MB as RGB) is refused before it is decoded."""

# Named, because Pillow would otherwise hand a file to whatever its first bytes ask for, such as
# PostScript, which runs as a program.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""The formats that are read, by Pillow's names."""

_ORIENTATION_TAG = 0x0112
# What undoes each orientation of the EXIF standard, on (height, width, channels); 1 is upright.
_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: np.rot90,
}
_QUARTER_TURNS = (5, 6, 7, 8)
_LEFT_TO_FILTER = 3  # how much too large a picture is after means over areas
# Elsewhere torch's filters for uint8 are slower than Pillow's.
_TORCH_FILTERS_FAST = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
_BUFFER_BYTES = 2**16
_LARGEST_MISSING_PART = 16  # one in so many


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silences Pillow's warnings; entered once around many threads, because filters are global.

    It warns of large pictures, which are refused here, and of odd metadata, which change no pixel.
    """
    Image.init()  # not left to whichever thread comes first
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decode(path: Path, frame: Frame) -> Pixels:
    """The picture in a file, as the module's rule says; called inside `quiet_pillow`.

    Returns:
        uint8, (height, width, channels), 0 is black and 255 is white.

    Raises:
        DataError: where the file is missing, empty, too large, or no picture that can be read.
    """
    try:
        if not path.is_file():
            raise DataError(f"{path}: no such file; check the path")
        # Pillow reads bit by bit, and each time another thread may take Python's lock.
        with (
            path.open("rb", buffering=_BUFFER_BYTES) as file,
            Image.open(file, formats=FORMATS) as image,
        ):
            _require_decodable_size(path, image.size)
            return _framed(_upright(path, image, frame), frame)
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


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height, by the header alone, of what `decode` would turn upright."""
    # Of a TIFF file Pillow gives them so.
    turned = image.format != "TIFF" and _orientation(image) in _QUARTER_TURNS
    return image.size[::-1] if turned else image.size


def reason_of(path: Path, error: DataError) -> str:
    """What `decode` says of a file, without the file's name before it."""
    return str(error).removeprefix(f"{path}: ")


def _upright(path: Path, image: Image.Image, frame: Frame) -> Pixels:
    """The picture upright, with the frame's channels, resized to fit or cover the frame."""
    if image.format == "TIFF":
        image.load()  # which turns it upright, and forgets the tag
    orientation = _orientation(image)
    turned = orientation in _QUARTER_TURNS
    box = (frame.height, frame.width) if turned else (frame.width, frame.height)
    size = _resized(image.size, box, frame)
    _require_resizable(path, image.size, size)
    # 1/4 of the common 500x375 is 125x94: as sharp as 128x96, for half the work of decoding 1/2.
    width, height = (side - side // _LARGEST_MISSING_PART for side in size)
    image.draft(frame.mode, (width, height))
    pixels = _resize(_convert(path, image, frame.mode), size)
    # Last, where there are fewest pixels to move.
    return _UPRIGHT[orientation](pixels) if orientation in _UPRIGHT else pixels


def _orientation(image: Image.Image) -> int:
    orientation: int = image.getexif().get(_ORIENTATION_TAG, 1)
    return orientation


def _resized(size: tuple[int, int], box: tuple[int, int], frame: Frame) -> tuple[int, int]:
    """The size of the whole picture, resized to fit into ``box`` or to cover it."""
    choose = min if frame.fit == "pad" else max
    scale = choose(box[0] / size[0], box[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _resize(image: Image.Image, size: tuple[int, int]) -> Pixels:
    """The pixels, (height, width, channels), of the picture at this size (width, height).

    By torch, which with AVX2 filters uint8 two to eight times as fast as Pillow and gives the same
    values to two grey levels; by Pillow elsewhere.
    """
    shrinking = min(image.width / size[0], image.height / size[1])
    if shrinking >= 2 * _LEFT_TO_FILTER:
        large = (size[0] * _LEFT_TO_FILTER, size[1] * _LEFT_TO_FILTER)
        image = image.resize(large, Image.Resampling.BOX)
    if size != image.size and not _TORCH_FILTERS_FAST:
        image = image.resize(size, Image.Resampling.BICUBIC)
    pixels = np.asarray(image, dtype=np.uint8).reshape(image.height, image.width, -1)
    if size == image.size:
        return pixels
    planes = torch.from_numpy(pixels).permute(2, 0, 1)
    resized = interpolate(planes[None], size[::-1], mode="bicubic", antialias=True)
    return resized[0].permute(1, 2, 0).numpy()


def _framed(pixels: Pixels, frame: Frame) -> Pixels:
    """The picture in the middle of the frame: cut where it is larger, filled where it is not."""
    rows, columns, _ = pixels.shape
    if (rows, columns) == (frame.height, frame.width):
        return pixels
    top, left = max(0, rows - frame.height) // 2, max(0, columns - frame.width) // 2
    pixels = pixels[top : top + frame.height, left : left + frame.width]
    rows, columns, _ = pixels.shape
    fill = _median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]))
    top, left = (frame.height - rows) // 2, (frame.width - columns) // 2
    # Channel by channel, as it will be kept.
    planes = np.empty((frame.channels, frame.height, frame.width), dtype=np.uint8)
    canvas = planes.transpose(1, 2, 0)
    middle = canvas[top : top + rows]
    middle[:, left : left + columns] = pixels
    # Only what is free: filling all of the canvas costs a tenth of decoding.
    for free in (canvas[:top], canvas[top + rows :], middle[:, :left], middle[:, left + columns :]):
        free[:] = fill
    return canvas


def _median(border: Pixels) -> Pixels:
    """The median of each channel, rounded half to even; ten times as fast as NumPy's own."""
    middle = len(border) // 2
    low, high = np.partition(border, (middle - 1, middle), axis=0)[[middle - 1, middle]].astype(int)
    median: Pixels = ((low + high) / 2).round().astype(np.uint8)
    return median


def _require_decodable_size(path: Path, size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise DataError(f"{path}: {_too_large(f'{width}x{height} = {width * height}')}")


def _require_resizable(path: Path, size: tuple[int, int], resized: tuple[int, int]) -> None:
    width, height = resized
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{path}: it has {size[0]}x{size[1]} pixels and would have {width}x{height} where it "
            f"covers the frame, and at most {MAX_PIXELS} are made; cut it first, or use fit=pad"
        )


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
    if image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    # Pillow copies the picture even where there is nothing to convert.
    return image if image.mode == mode else image.convert(mode)


def _from_16_bits(path: Path, image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise DataError(
            f"{path}: its values must fit into 16 bits, got {values.min()}..{values.max()}; "
            "save it with 8 or 16 bits"
        )
    # 65535 / 257 is 255; adding half of 257 rounds to the nearest.
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))
